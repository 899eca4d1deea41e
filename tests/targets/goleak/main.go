// A program that does what it is told over HTTP, in numbers that a test can count: goroutines that
// never end, allocations of one size, waits for a lock. It records every allocation and every wait,
// and serves net/http/pprof, so that what is read from outside can be compared with its own word.
//
// It prints "listen ADDRESS", then "ready"; it ends when it is killed.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var fRates = flag.Bool("rates", true, "record every wait for a lock")

// Set before anything is allocated that a test looks at.
func init() { runtime.MemProfileRate = 1 }

// A size class of its own (runtime/sizeclasses.go): nothing else here is of this size.
const blockBytes = 13568

var (
	mu    sync.Mutex
	kept  [][]byte
	leaks = make(chan int)
	drip  *time.Ticker
)

//go:noinline
func waitForever(c chan int) { <-c }

//go:noinline
func leak(n int) {
	for i := 0; i < n; i++ {
		go waitForever(leaks)
	}
}

//go:noinline
func allocate(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, make([]byte, blockBytes))
	}
}

//go:noinline
func free() { kept = nil }

// One goroutine waits for another that holds the lock: one event of block and of mutex each.
//
//go:noinline
func contend(n int) {
	for i := 0; i < n; i++ {
		var l sync.Mutex
		done := make(chan int, 1)
		l.Lock()
		go func() {
			l.Lock()
			l.Unlock()
			done <- 1
		}()
		time.Sleep(5 * time.Millisecond)
		l.Unlock()
		<-done
	}
}

// Two collections publish what was allocated before them (runtime/mprof.go, mProf_Flush).
func collect() {
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
}

func number(r *http.Request) int {
	n, _ := strconv.Atoi(r.FormValue("n"))
	return n
}

func on(path string, f func(n int)) {
	http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		f(number(r))
		fmt.Fprintln(w, "done")
	})
}

// n more goroutines every 50 ms, until the next word.
func dripping(n int) {
	if drip != nil {
		drip.Stop()
		drip = nil
	}
	if n == 0 {
		return
	}
	t := time.NewTicker(50 * time.Millisecond)
	drip = t
	go func() {
		for range t.C {
			leak(n)
		}
	}()
}

// Another program in the same process: the same file, with nothing in its memory yet.
func again() {
	time.Sleep(50 * time.Millisecond) // until who asked for it has his answer
	if err := syscall.Exec("/proc/self/exe", os.Args, os.Environ()); err != nil {
		panic(err)
	}
}

func main() {
	flag.Parse()
	if *fRates {
		runtime.SetBlockProfileRate(1)
		runtime.SetMutexProfileFraction(1)
	}
	on("/leak", leak)
	on("/drip", dripping)
	on("/allocate", allocate)
	on("/free", func(int) { free() })
	on("/contend", contend)
	on("/collect", func(int) { collect() })
	on("/again", func(int) { go again() })
	on("/end-leaks", func(int) { close(leaks); leaks = make(chan int) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("listen", l.Addr())
	go http.Serve(l, nil)
	time.Sleep(100 * time.Millisecond)
	fmt.Println("ready", os.Getpid())
	select {}
}
