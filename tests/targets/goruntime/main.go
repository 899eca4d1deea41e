// A program to read the runtime of: goroutines parked in every way there is, and, by flags, some
// that never hold still. It serves net/http/pprof on a loopback port, so that what was read from
// outside can be compared with what the program says of itself.
//
// It prints "listen ADDRESS", "pid PID", then "ready"; it ends when it is killed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"time"
)

var (
	fKinds     = flag.Int("kinds", 4, "goroutines of each kind of wait")
	fIdle      = flag.Int("n", 0, "more goroutines that wait for a channel")
	fBusy      = flag.Int("busy", 0, "goroutines that compute without end")
	fSpawn     = flag.Int("spawn", 0, "goroutines that start goroutines without end")
	fPing      = flag.Int("ping", 0, "pairs of goroutines that send to each other")
	fAlloc     = flag.Int("alloc", 0, "goroutines that allocate without end")
	fGrow      = flag.Int("grow", 0, "goroutines whose stacks grow and shrink")
	fCalls     = flag.Int("calls", 0, "goroutines that make system calls without end")
	fDeep      = flag.Int("deep", 200, "frames of 1 KiB of the goroutine with the large stack")
	fRecurse   = flag.Int("recurse", 300, "frames of the goroutine with the deep stack")
	fFinalizer = flag.Bool("finalizer", false, "a finalizer that never returns")
	fCgo       = flag.Int("cgo", 0, "goroutines in C functions (a build with cgo)")
)

// What must not be collected.
var sink interface{}

func forever(c chan int) { <-c }

func serve() {
	http.HandleFunc("/gc", func(w http.ResponseWriter, r *http.Request) {
		runtime.GC()
		runtime.GC()
	})
	http.HandleFunc("/memstats", func(w http.ResponseWriter, r *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		json.NewEncoder(w).Encode(m)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("listen", l.Addr())
	go http.Serve(l, nil)
}

func main() {
	flag.Parse()
	c := make(chan int)
	parkAll(c, *fKinds)
	for i := 0; i < *fIdle; i++ {
		go forever(c)
	}
	if *fFinalizer {
		stuckFinalizer(c)
	}
	startCgo(*fCgo, c)
	churnAll()
	serve()
	time.Sleep(200 * time.Millisecond) // until those that wait do so
	fmt.Println("pid", os.Getpid())
	fmt.Println("ready")
	select {}
}
