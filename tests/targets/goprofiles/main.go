// goprofiles DIR: works for a moment and writes its own profiles as DIR/NAME.pb.gz: cpu, heap,
// allocs, goroutine, block, mutex, threadcreate.
package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

var kept [][]byte

//go:noinline
func spin(end time.Time) (n int) {
	for time.Now().Before(end) {
		n++
	}
	return n
}

//go:noinline
func allocate(n int) {
	for i := 0; i < n; i++ {
		b := make([]byte, 4096+i%7*512)
		if i%3 == 0 {
			kept = append(kept, b)
		}
	}
}

func fight() {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := 0; j < 50; j++ {
				mu.Lock()
				time.Sleep(200 * time.Microsecond)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
}

func main() {
	runtime.MemProfileRate = 1024
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	dir := os.Args[1]
	cpu, err := os.Create(filepath.Join(dir, "cpu.pb.gz"))
	if err != nil {
		panic(err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		panic(err)
	}
	for _, tenant := range []string{"a", "b", "c"} {
		pprof.Do(context.Background(), pprof.Labels("tenant", tenant), func(context.Context) {
			spin(time.Now().Add(200 * time.Millisecond))
			allocate(2000)
		})
	}
	pprof.StopCPUProfile()
	cpu.Close()
	fight()
	for i := 0; i < 10; i++ {
		go func() { select {} }()
	}
	time.Sleep(10 * time.Millisecond)
	runtime.GC()
	for _, name := range []string{"heap", "allocs", "goroutine", "block", "mutex", "threadcreate"} {
		f, err := os.Create(filepath.Join(dir, name+".pb.gz"))
		if err != nil {
			panic(err)
		}
		if err := pprof.Lookup(name).WriteTo(f, 0); err != nil {
			panic(err)
		}
		f.Close()
	}
}
