//go:build cgo

package main

/*
#include <unistd.h>

extern void calledFromC(void);
static __attribute__((noinline)) int sleepInC(int n)
{
	if (n > 0)
		return sleepInC(n - 1) + 1;
	for (;;)
		pause();
}
static __attribute__((noinline)) void backToGo(void) { calledFromC(); }
*/
import "C"

var backChannel chan int

//export calledFromC
func calledFromC() { waitReceive(backChannel) }

//go:noinline
func sleepInC() { C.sleepInC(3) }

//go:noinline
func throughC() { C.backToGo() }

func startCgo(n int, c chan int) {
	backChannel = c
	for i := 0; i < n; i++ {
		go sleepInC()
		go throughC()
	}
}
