package main

import (
	"context"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"
)

// Each kind of wait has a function of its own: it must show in the stack.

//go:noinline
func waitReceive(c chan int) { <-c }

//go:noinline
func waitSend(c chan int) { c <- 1 }

//go:noinline
func waitNilReceive() { var c chan int; <-c }

//go:noinline
func waitNilSend() { var c chan int; c <- 1 }

//go:noinline
func waitSelect(a, b chan int) {
	select {
	case <-a:
	case b <- 1:
	}
}

//go:noinline
func waitNoCases() { select {} }

//go:noinline
func waitMutex(m *sync.Mutex) { m.Lock() }

//go:noinline
func waitRead(m *sync.RWMutex) { m.RLock() }

//go:noinline
func waitWrite(m *sync.RWMutex) { m.Lock() }

//go:noinline
func waitCond(c *sync.Cond) { c.L.Lock(); c.Wait() }

//go:noinline
func waitGroup(w *sync.WaitGroup) { w.Wait() }

//go:noinline
func waitSleep() { time.Sleep(100 * time.Hour) }

//go:noinline
func waitTimer() { <-time.NewTimer(100 * time.Hour).C }

//go:noinline
func waitNetwork(c net.Conn) { var b [1]byte; c.Read(b[:]) }

//go:noinline
func waitAccept(l net.Listener) { l.Accept() }

//go:noinline
func waitSyscall(fd int) { var b [1]byte; syscall.Read(fd, b[:]) }

//go:noinline
func waitFile(f *os.File) { var b [1]byte; f.Read(b[:]) }

//go:noinline
func waitLocked(c chan int) {
	runtime.LockOSThread()
	<-c
}

//go:noinline
func waitLockedSyscall(fd int) {
	runtime.LockOSThread()
	var b [1]byte
	syscall.Read(fd, b[:])
}

//go:noinline
func recursive(n int, f func()) int {
	if n == 0 {
		f()
		return 0
	}
	return recursive(n-1, f) + 1
}

// A frame of 1 KiB and more.
//
//go:noinline
func large(n int, f func()) int {
	var b [1024]byte
	b[n%len(b)] = 1
	if n == 0 {
		f()
		return int(b[0])
	}
	return large(n-1, f) + int(b[n%len(b)])
}

type waiter struct{ c chan int }

func (w waiter) wait()         { <-w.c }
func (w *waiter) waitPointer() { <-w.c }

type waits interface{ wait() }

// Inlined twice, so that three functions are at one address.
func inlinedInner(c chan int)  { forever(c) }
func inlinedMiddle(c chan int) { inlinedInner(c) }

//go:noinline
func waitInlined(c chan int) { inlinedMiddle(c) }

func waitDeferred(c chan int) {
	defer func() {
		recover()
		<-c
	}()
	var p *int
	*p = 1
}

// A panic that goes on while its deferred function waits: sigpanic is on the stack.
func waitPanicking(c chan int) {
	defer func() { <-c }()
	var p *int
	*p = 1
}

func parkAll(c chan int, n int) {
	var held sync.Mutex
	var heldRead, heldWrite sync.RWMutex
	var group sync.WaitGroup
	cond := sync.NewCond(new(sync.Mutex))
	held.Lock()
	heldRead.RLock()
	heldWrite.Lock()
	group.Add(1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	sink = []interface{}{w, &held, &heldRead, &heldWrite, &group}
	for i := 0; i < n; i++ {
		go waitReceive(c)
		go waitSend(make(chan int))
		go waitNilReceive()
		go waitNilSend()
		go waitSelect(c, make(chan int))
		go waitNoCases()
		go waitMutex(&held)
		go waitRead(&heldWrite)
		go waitWrite(&heldRead)
		go waitCond(cond)
		go waitGroup(&group)
		go waitSleep()
		go waitTimer()
		go waitLocked(c)
		go waitInlined(c)
		go recursive(i*5, func() { waitReceive(c) })
		go func() { waitReceive(c) }()
		go waiter{c}.wait()
		go (&waiter{c}).waitPointer()
		go waits(waiter{c}).wait()
	}
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		panic(err)
	}
	go waitNetwork(a)
	go waitAccept(l)
	go waitSyscall(pipe[0])
	go waitLockedSyscall(pipe[0])
	go waitFile(r)
	go waitDeferred(c)
	go waitPanicking(c)
	go recursive(20, func() { waitReceive(c) })
	go recursive(*fRecurse, func() { waitReceive(c) })
	go large(*fDeep, func() { waitReceive(c) })
	time.AfterFunc(time.Millisecond, func() { waitReceive(c) })
	for i := 0; i < 3; i++ {
		labels := pprof.Labels("tenant", "acme", "kind", "labelled", "empty", "")
		go pprof.Do(context.Background(), labels, func(context.Context) { waitReceive(c) })
	}
	go pprof.Do(context.Background(), pprof.Labels("only", "one"), func(context.Context) {
		go waitReceive(c) // inherits them
		waitReceive(c)
	})
}

// The finalizer goroutine belongs to the user as long as it runs the user's code.
func stuckFinalizer(c chan int) {
	type finalized struct{ b [64]byte }
	started := make(chan bool)
	func() {
		p := &finalized{}
		runtime.SetFinalizer(p, func(*finalized) {
			close(started)
			waitReceive(c)
		})
	}()
	for {
		runtime.GC()
		select {
		case <-started:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
