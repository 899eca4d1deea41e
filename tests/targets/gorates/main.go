// A program that samples nothing by itself and tells its profiling rates to whoever asks, so that a
// test can see whether somebody wrote them: /rates is "heap block mutex" as the runtime has them.
// /contend?n= makes waits for a lock, /allocate?n= objects of one size, /warm others; /rate?block=
// sets that rate as a program does, /exec calls exec(2) on itself. With the build tag `profiles` it
// serves net/http/pprof too; without it nothing in it can ask for a heap profile, and the linker
// switches the sampling off.
//
// It prints "listen ADDRESS", then "ready"; it ends when it is killed.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	_ "unsafe"
)

//go:linkname blockprofilerate runtime.blockprofilerate
var blockprofilerate uint64

// A size class of its own (runtime/sizeclasses.go): nothing else here is of this size.
const blockBytes = 13568

var kept [][]byte

//go:noinline
func allocate(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, make([]byte, blockBytes))
	}
	for i := 0; i < 3; i++ {
		runtime.GC() // publishes them (runtime/mprof.go, mProf_Flush)
	}
}

// Each P has drawn how far away its next sample is, at the rate that was in force then
// (runtime/malloc.go, nextSample): far enough for all of them to draw again.
func warm() {
	var wg sync.WaitGroup
	for i := 0; i < 4*runtime.GOMAXPROCS(0); i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var keep []byte
			for n := 0; n < 32<<20; n += 32 << 10 {
				keep = make([]byte, 32<<10)
			}
			runtime.KeepAlive(keep)
		}()
	}
	wg.Wait()
}

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

func on(path string, f func(r *http.Request)) {
	var mu sync.Mutex
	http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		f(r)
		fmt.Fprintln(w, runtime.MemProfileRate, blockprofilerate, runtime.SetMutexProfileFraction(-1))
	})
}

func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.FormValue(name))
	return n
}

func main() {
	on("/rates", func(*http.Request) {})
	on("/allocate", func(r *http.Request) { allocate(number(r, "n")) })
	on("/warm", func(*http.Request) { warm() })
	on("/contend", func(r *http.Request) { contend(number(r, "n")) })
	on("/rate", func(r *http.Request) { runtime.SetBlockProfileRate(number(r, "block")) })
	on("/exec", func(*http.Request) { _ = syscall.Exec("/proc/self/exe", os.Args, os.Environ()) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listen", l.Addr())
	fmt.Println("ready")
	_ = http.Serve(l, nil)
}
