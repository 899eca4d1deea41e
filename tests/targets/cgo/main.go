// cgotarget spends a third of its time in Go and two thirds in C that Go calls.
package main

/*
static volatile unsigned long counter;

__attribute__((noinline, noclone)) static void c_leaf(unsigned long turns)
{
	(void)*(void *volatile *)__builtin_frame_address(0); // have a frame, see native/chain.c
	for (unsigned long i = 0; i < turns; i++)
		counter++;
}

__attribute__((noinline, noclone)) static void c_entry(unsigned long turns)
{
	c_leaf(turns);
	counter++;
}
*/
// #cgo CFLAGS: -O1 -fno-omit-frame-pointer
import "C"

import "fmt"

var sink uint64

//go:noinline
func goLeaf(turns int) {
	for i := 0; i < turns; i++ {
		sink += uint64(i) ^ sink>>3
	}
}

//go:noinline
func goCaller() {
	goLeaf(1_000_000)
	sink++
}

//go:noinline
func cCaller() {
	C.c_entry(2_000_000)
	sink++
}

func main() {
	fmt.Println("ready")
	for {
		goCaller()
		cCaller()
	}
}
