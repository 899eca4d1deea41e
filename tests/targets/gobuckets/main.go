// A program whose profile records are known and hold still: allocations of many shapes, block and
// mutex contention, then nothing but what it is told to do. What was read from outside can be
// compared with what it writes of itself, to the last byte.
//
// gobuckets FD DIRECTORY reads one command a byte from FD and answers each with a line on standard
// output, the first one "ready":
//
//	a  allocate something of each kind, keep half of it
//	g  two collections, and no others from then on
//	p  write DIRECTORY/NAME.pb.gz and NAME.txt for each profile
//	m  write runtime.MemStats as it is in memory to DIRECTORY/memstats
//	s  say: goroutines N threads N gomaxprocs N memrate N mutexfraction N limit N
//	r  set block and mutex rates to 7000 and 5
//	z  set all rates to 0
//	q  end
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

var (
	kept  []interface{}
	stats runtime.MemStats // not on a stack, which would have to grow for it
)

//go:noinline
func allocate(n int) interface{} { return make([]byte, n) }

func inlinedLeaf(n int) []int64          { return make([]int64, n) }
func inlinedMiddle(n int) []int64        { return inlinedLeaf(n + 1) }
func inlinedOuter(n int) []int64         { return inlinedMiddle(n * 2) }
func generic[T any](n int) []T           { return make([]T, n) }
func genericPair[K, V any]() *pair[K, V] { return &pair[K, V]{} }

type pair[K, V any] struct {
	k K
	v V
	b [700]byte
}

//go:noinline
func genericKept[T any](n int) []T { return make([]T, n) }

type maker interface{ make(n int) interface{} }
type byValue struct{ a, b, c int }

//go:noinline
func (v byValue) make(n int) interface{} { return make([]byte, n+v.a) }

type inlinedByValue struct{ a, b, c int }

func (v inlinedByValue) make(n int) interface{} { return make([]byte, n+v.a) }

//go:noinline
func deep(n int) interface{} {
	if n == 0 {
		return allocate(3000)
	}
	return deep(n - 1)
}

func keep(i int, v interface{}) {
	if i%2 == 0 {
		kept = append(kept, v)
	}
}

func allocateAll() {
	for i := 0; i < 60; i++ {
		keep(i, allocate(16))
		keep(i, allocate(512))
		keep(i, allocate(100000))
		keep(i, inlinedOuter(300))
		keep(i, generic[int32](500))
		keep(i, genericKept[string](100))
		keep(i, genericKept[*int](100))
		keep(i, genericPair[string, map[int]string]())
		keep(i, maker(&byValue{a: 1}).make(900))
		keep(i, maker(byValue{a: 1}).make(900))
		keep(i, maker(&inlinedByValue{a: 1}).make(1800))
		keep(i, fmt.Sprintf("%1000d", i))
		keep(i, func() interface{} { return allocate(2000) }())
		keep(i, append(inlinedLeaf(100), 1))
		m := map[int]string{}
		for k := 0; k < 20; k++ {
			m[k] = strconv.Itoa(k)
		}
		keep(i, m)
	}
	for _, n := range []int{5, 29, 31, 33, 60, 126, 140} {
		kept = append(kept, deep(n), deep(n))
	}
}

// ---- Contention

type holder interface{ hold() }
type lockByValue struct {
	m    *sync.Mutex
	wait time.Duration
}

//go:noinline
func (l lockByValue) hold() {
	l.m.Lock()
	time.Sleep(l.wait)
	l.m.Unlock()
}

func inlinedReceive(c chan int) int  { return <-c }
func inlinedReceives(c chan int) int { return inlinedReceive(c) }

//go:noinline
func waitSelect(a, b chan int) {
	select {
	case <-a:
	case <-b:
	}
}

//go:noinline
func deepReceive(n int, c chan int) int {
	if n == 0 {
		return inlinedReceives(c)
	}
	return deepReceive(n-1, c) + 1
}

func contend() {
	var all sync.WaitGroup
	var m sync.Mutex
	var rw sync.RWMutex
	start := func(f func()) {
		all.Add(1)
		go func() { defer all.Done(); f() }()
	}
	for i := 0; i < 6; i++ {
		h := &lockByValue{&m, time.Millisecond}
		start(func() { holder(h).hold() })
		start(func() { holder(*h).hold() })
		start(func() { rw.Lock(); time.Sleep(time.Millisecond); rw.Unlock() })
		start(func() { rw.RLock(); time.Sleep(time.Millisecond); rw.RUnlock() })
	}
	a, b := make(chan int), make(chan int)
	start(func() { inlinedReceives(a) })
	start(func() { waitSelect(a, b) })
	start(func() { deepReceive(10, a) })
	start(func() { deepReceive(40, a) })
	start(func() { deepReceive(140, a) })
	time.Sleep(5 * time.Millisecond)
	for i := 0; i < 5; i++ {
		a <- 1
	}
	all.Wait()
	var c sync.Cond
	c.L = &m
	done := make(chan bool)
	go func() { m.Lock(); c.Wait(); m.Unlock(); close(done) }()
	time.Sleep(5 * time.Millisecond)
	c.Broadcast()
	<-done
}

// ---- Commands

//go:noinline
func parked(c chan int) { <-c }

func park(n int) {
	c := make(chan int)
	for i := 0; i < n; i++ {
		go parked(c)
	}
	for i := 0; i < 3; i++ {
		go func() { runtime.LockOSThread(); <-c }()
	}
	for i := 0; i < 7; i++ { // leave free g's behind
		all := make(chan bool)
		go func() { close(all) }()
		<-all
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// No allocation between ReadMemStats and the end of the write.
func writeStats(fd int) {
	runtime.ReadMemStats(&stats)
	b := (*[unsafe.Sizeof(stats)]byte)(unsafe.Pointer(&stats))[:]
	if n, err := syscall.Pwrite(fd, b, 0); err != nil || n != len(b) {
		panic("memstats")
	}
}

func say() {
	threads, _ := runtime.ThreadCreateProfile(nil)
	fmt.Println("goroutines", runtime.NumGoroutine(), "threads", threads,
		"gomaxprocs", runtime.GOMAXPROCS(0), "memrate", runtime.MemProfileRate,
		"mutexfraction", runtime.SetMutexProfileFraction(-1), "limit", limit())
}

func main() {
	fd, err := strconv.Atoi(os.Args[1])
	must(err)
	file, err := os.Create(os.Args[2] + "/memstats")
	must(err)
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	contend()
	runtime.SetBlockProfileRate(0)
	runtime.SetMutexProfileFraction(0)
	park(20)
	allocateAll()
	answer, done := []byte("ready\n"), []byte("done\n")
	var command [1]byte
	for { // nothing is allocated here: what was read is what will be said
		syscall.Write(1, answer)
		answer = done
		for {
			n, err := syscall.Read(fd, command[:])
			if n == 1 {
				break
			}
			if err != syscall.EINTR {
				return
			}
		}
		switch command[0] {
		case 'a':
			allocateAll()
		case 'g':
			debug.SetGCPercent(-1)
			runtime.GC()
			runtime.GC()
		case 'p':
			writeProfiles(os.Args[2])
		case 'm':
			writeStats(int(file.Fd()))
		case 's':
			say()
		case 'r':
			runtime.SetMutexProfileFraction(5)
			runtime.SetBlockProfileRate(7000)
		case 'z':
			runtime.SetMutexProfileFraction(0)
			runtime.SetBlockProfileRate(0)
			runtime.MemProfileRate = 0
		case 'q':
			return
		}
	}
}
