package main

import (
	"runtime"
	"syscall"
)

// Goroutines that never hold still, made so that a stack that was put together from two moments is
// seen to be impossible. climbN is called by climb(N-1) alone and climb0 by the goroutines' own
// functions; the same for dive. What is done under climb is never done under dive:
//
//	sendUnder, readUnder, allocate   only below climbN
//	recvUnder, callUnder, growUnder  only below diveN
//
// Frames have different sizes, so that a mix of two stacks does not fit together by chance.

//go:noinline
func sendUnder(c chan int) { c <- 1 }

//go:noinline
func recvUnder(c chan int) { <-c }

//go:noinline
func climb0(n int, f func()) int {
	if n == 0 {
		f()
		return 0
	}
	return climb1(n-1, f) + 1
}

//go:noinline
func climb1(n int, f func()) int {
	var b [24]byte
	b[n&7] = 1
	if n == 0 {
		f()
		return int(b[0])
	}
	return climb2(n-1, f) + int(b[n&7])
}

//go:noinline
func climb2(n int, f func()) int {
	var b [72]byte
	b[n&7] = 1
	if n == 0 {
		f()
		return int(b[0])
	}
	return climb3(n-1, f) + int(b[n&7])
}

//go:noinline
func climb3(n int, f func()) int {
	if n == 0 {
		f()
		return 0
	}
	return climb4(n-1, f) + 1
}

//go:noinline
func climb4(n int, f func()) int {
	var b [40]byte
	b[n&7] = 1
	if n == 0 {
		f()
		return int(b[0])
	}
	return climb5(n-1, f) + int(b[n&7])
}

//go:noinline
func climb5(n int, f func()) int {
	f()
	return n
}

//go:noinline
func dive0(n int, f func()) int {
	var b [40]byte
	b[n&7] = 1
	if n == 0 {
		f()
		return int(b[0])
	}
	return dive1(n-1, f) + int(b[n&7])
}

//go:noinline
func dive1(n int, f func()) int {
	if n == 0 {
		f()
		return 0
	}
	return dive2(n-1, f) + 1
}

//go:noinline
func dive2(n int, f func()) int {
	var b [24]byte
	b[n&7] = 1
	if n == 0 {
		f()
		return int(b[0])
	}
	return dive3(n-1, f) + int(b[n&7])
}

//go:noinline
func dive3(n int, f func()) int {
	var b [104]byte
	b[n&7] = 1
	if n == 0 {
		f()
		return int(b[0])
	}
	return dive4(n-1, f) + int(b[n&7])
}

//go:noinline
func dive4(n int, f func()) int {
	f()
	return n
}

//go:noinline
func pingFirst(a, b chan int) {
	for i := 0; ; i++ {
		climb0(i%6, func() { sendUnder(a) })
		dive0(i%5, func() { recvUnder(b) })
	}
}

//go:noinline
func pingSecond(a, b chan int) {
	for i := 0; ; i++ {
		dive0(i%3, func() { recvUnder(a) })
		climb0(i%4, func() { sendUnder(b) })
	}
}

//go:noinline
func spawner() {
	for i := 0; ; i++ {
		c := make(chan int)
		i := i
		go spawnedClimb(i, c)
		go spawnedDive(i, c)
		<-c
	}
}

//go:noinline
func spawnedClimb(i int, c chan int) { climb0(i%6, func() { sendUnder(c) }) }

//go:noinline
func spawnedDive(i int, c chan int) {
	done := make(chan int, 1)
	done <- i
	dive0(i%5, func() { recvUnder(done) })
}

var sinks [64]interface{}

//go:noinline
func allocate(slot, n int) { sinks[slot%len(sinks)] = make([]byte, n) }

//go:noinline
func allocator(slot int) {
	for i := 0; ; i++ {
		climb0(i%6, func() { allocate(slot, 256+(i%64)*512) })
	}
}

//go:noinline
func growUnder(n int) int {
	var b [512]byte
	b[n&255] = 1
	if n == 0 {
		runtime.Gosched()
		return int(b[0])
	}
	return growUnder(n-1) + int(b[n&255])
}

//go:noinline
func grower() {
	for i := 0; ; i++ {
		done := make(chan bool)
		go grown(i, done) // a new stack each time, for stacks shrink in collections only
		<-done
	}
}

//go:noinline
func grown(i int, done chan bool) {
	dive0(i%5, func() { growUnder(i % 100) })
	done <- true
}

//go:noinline
func callUnder() {
	syscall.Getppid()
	var t syscall.Timespec
	t.Nsec = 1000
	syscall.Nanosleep(&t, nil)
}

//go:noinline
func readUnder(fd int) { var b [8]byte; syscall.Read(fd, b[:]) }

//go:noinline
func caller(fd int) {
	for i := 0; ; i++ {
		climb0(i%6, func() { readUnder(fd) })
		dive0(i%5, func() { callUnder() })
	}
}

func mix2(x uint64) uint64 { return x*6364136223846793005 + 1442695040888963407 }
func mix1(x uint64) uint64 {
	x = mix2(x)
	return x ^ x>>33
}

//go:noinline
func compute(x uint64) uint64 {
	for i := 0; i < 1000000; i++ {
		x = mix1(x)
	}
	return x
}

func busy() {
	x := uint64(1)
	for {
		x = compute(x)
		if x == 0 {
			sink = x
		}
	}
}

func churnAll() {
	for i := 0; i < *fBusy; i++ {
		go busy()
	}
	for i := 0; i < *fSpawn; i++ {
		go spawner()
	}
	for i := 0; i < *fPing; i++ {
		a, b := make(chan int), make(chan int)
		go pingFirst(a, b)
		go pingSecond(a, b)
	}
	for i := 0; i < *fAlloc; i++ {
		go allocator(i)
	}
	for i := 0; i < *fGrow; i++ {
		go grower()
	}
	if *fCalls > 0 {
		zero, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
		if err != nil {
			panic(err)
		}
		for i := 0; i < *fCalls; i++ {
			go caller(zero)
		}
	}
}
