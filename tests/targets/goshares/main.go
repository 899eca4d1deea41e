// goshares: four leaves with known shares of CPU time, and one frameless leaf with two callers of
// known shares. It measures the truth itself: each unit of work is timed on its thread's CPU clock
// while it is calibrated, and counted while it runs. Prints "ready", and one JSON line at the end.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var stop int32
var counts [6]int64
var sink uint64

func threadCPU() int64 {
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 3, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

func mix(x uint64) uint64 { x ^= x << 13; x ^= x >> 7; x ^= x << 17; return x }

//go:noinline
func leafHalf(x uint64, n int) uint64 {
	for i := 0; i < n; i++ {
		x = mix(x) + 1
	}
	return x
}

//go:noinline
func leafQuarter(x uint64, n int) uint64 {
	for i := 0; i < n; i++ {
		x = mix(x) + 2
	}
	return x
}

//go:noinline
func leafSeventh(x uint64, n int) uint64 {
	for i := 0; i < n; i++ {
		x = mix(x) + 3
	}
	return x
}

//go:noinline
func leafTenth(x uint64, n int) uint64 {
	for i := 0; i < n; i++ {
		x = mix(x) + 4
	}
	return x
}

// hot has no frame and calls nothing: the frame-pointer chain does not know who called it.
//
//go:noinline
func hot(x uint64, n int) uint64 {
	for i := 0; i < n; i++ {
		x = mix(x) + 5
	}
	return x
}

//go:noinline
func callerMost(x uint64) uint64 { return hot(x, 40000) + 1 }

//go:noinline
func callerFew(x uint64) uint64 { return hot(x, 10000) + 1 }

//go:noinline
func deep(k int, x uint64, depth int) uint64 {
	if depth > 0 {
		return deep(k, x, depth-1) + 1
	}
	switch k {
	case 0:
		return leafHalf(x, 100000)
	case 1:
		return leafQuarter(x, 50000)
	case 2:
		return leafSeventh(x, 30000)
	case 3:
		return leafTenth(x, 20000)
	case 4:
		return callerMost(x)
	default:
		return callerFew(x)
	}
}

var names = [6]string{"main.leafHalf", "main.leafQuarter", "main.leafSeventh", "main.leafTenth",
	"main.callerMost", "main.callerFew"}

func calibrate() (cost [6]float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const rounds = 60
	for k := range cost {
		deep(k, 7, 2*k)
		t := threadCPU()
		for i := 0; i < rounds; i++ {
			sink += deep(k, uint64(i), 2*k)
		}
		cost[k] = float64(threadCPU()-t) / rounds
	}
	return cost
}

func work(seed uint64, wg *sync.WaitGroup) {
	defer wg.Done()
	x := seed
	for atomic.LoadInt32(&stop) == 0 {
		for k := range counts {
			x += deep(k, x, 2*k)
			atomic.AddInt64(&counts[k], 1)
		}
		runtime.Gosched()
	}
}

func main() {
	seconds := flag.Float64("seconds", 8, "how long")
	goroutines := flag.Int("goroutines", 8, "that work")
	flag.Parse()
	before := calibrate()
	fmt.Println("ready")
	var wg sync.WaitGroup
	for i := 0; i < *goroutines; i++ {
		wg.Add(1)
		go work(uint64(i)*88172645463325252+1, &wg)
	}
	time.Sleep(time.Duration(*seconds * float64(time.Second)))
	atomic.StoreInt32(&stop, 1)
	wg.Wait()
	after := calibrate()
	total := 0.0
	cost := map[string]float64{}
	for k, n := range names {
		cost[n] = float64(counts[k]) * (before[k] + after[k]) / 2
		total += cost[n]
	}
	for n := range cost {
		cost[n] /= total
	}
	_ = json.NewEncoder(os.Stdout).Encode(cost)
}
