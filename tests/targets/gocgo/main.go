// gocgo: half of the work in C, half in Go, each called from the other. Stripped, its C half has no
// names at all, and Go's own tools misread its tables: the linker put C's startup code before
// runtime.text.
package main

/*
#cgo CFLAGS: -O2 -fno-omit-frame-pointer
void c_then_go(int n);
static volatile unsigned long sum;
__attribute__((noinline)) static void c_leaf(int n)
{
    for (int i = 0; i < n; i++)
        sum = sum * 31 + (unsigned long)i;
}
__attribute__((noinline)) static void c_work(int n)
{
    c_leaf(n);
    sum++;
}
*/
import "C"

var sum int

//go:noinline
func goWork(n int) {
	s := 0
	for i := 0; i < n; i++ {
		s += i * s
	}
	sum += s
}

//export goBack
func goBack(n C.int) { goWork(int(n)) }

func main() {
	go func() {
		for {
			C.c_work(100000)
		}
	}()
	for {
		goWork(100000)
		C.c_then_go(100000)
	}
}
