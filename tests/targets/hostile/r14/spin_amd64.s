#include "textflag.h"

// func g() unsafe.Pointer
TEXT ·g(SB), NOSPLIT, $0-8
	MOVQ (TLS), R14
	MOVQ R14, ret+0(FP)
	RET

// func spin(r14 uintptr, turns uint64)
TEXT ·spin(SB), NOSPLIT, $0-16
	MOVQ r14+0(FP), R14
	MOVQ turns+8(FP), CX
again:
	SUBQ $1, CX
	JNZ  again
	RET
