//go:build withcgo

package main

/*
#include <stdlib.h>

extern void allocatedFromC(void);
static __attribute__((noinline)) void throughC(void) { allocatedFromC(); }
*/
import "C"

//export allocatedFromC
func allocatedFromC() { kept = append(kept, allocate(5000)) }

func init() {
	for i := 0; i < 20; i++ {
		C.throughC()
	}
}
