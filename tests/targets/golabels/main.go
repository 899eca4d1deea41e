// golabels: goroutines with pprof labels, for tests/unit/go_labels_test.c and the end-to-end tests.
//
//	golabels park    one parked goroutine for each set of labels; prints "goid: hex key=hex value …"
//	                 a line each, then "ready", and stays as it is until it is killed
//	golabels spans D N   N busy goroutines that take a new label value each D, each value spent in a
//	                 function of its own: spanEven has label span=even, spanOdd has span=odd
//	golabels births N    N busy loops that start a goroutine, let it burn for about 200 us in bornEven or
//	                 bornOdd with the label born=even or born=odd, and start the next
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// numbered is a set of n labels.
func numbered(n int) map[string]string {
	set := map[string]string{}
	for i := 0; i < n; i++ {
		set[fmt.Sprintf("key%02d", i)] = fmt.Sprintf("value %d of %d", i, n)
	}
	return set
}

func sets() []map[string]string {
	var all []map[string]string
	for n := 0; n <= 20; n++ {
		all = append(all, numbered(n))
	}
	// 27 and 53 leave a map half grown (Go 1.23 and earlier); 64 is our limit, 65 one above.
	for _, n := range []int{27, 53, 64, 65} {
		all = append(all, numbered(n))
	}
	return append(all,
		map[string]string{"tenant": "acme", "kind": ""},
		map[string]string{"nul": "a\x00b", "utf8": "grüße 世界"},
		map[string]string{strings.Repeat("k", 256): strings.Repeat("v", 1024)},
		map[string]string{strings.Repeat("k", 257): strings.Repeat("v", 1025)},
		map[string]string{"cut": strings.Repeat("v", 1022) + "世界"},
		map[string]string{"large": strings.Repeat("0123456789", 100000)},
	)
}

// goid is what the runtime calls this goroutine in its own traces.
func goid() string {
	var buf [64]byte
	text := string(buf[:runtime.Stack(buf[:], false)])
	return strings.Fields(text)[1]
}

func show(set map[string]string) string {
	var parts []string
	for k, v := range set {
		parts = append(parts, hex.EncodeToString([]byte(k))+"="+hex.EncodeToString([]byte(v)))
	}
	sort.Strings(parts)
	return goid() + ": " + strings.Join(parts, " ")
}

func park() {
	var ready sync.WaitGroup
	var lock sync.Mutex
	forever := make(chan int)
	for _, set := range sets() {
		var flat []string
		for k, v := range set {
			flat = append(flat, k, v)
		}
		set := set
		ready.Add(1)
		go pprof.Do(context.Background(), pprof.Labels(flat...), func(context.Context) {
			lock.Lock()
			fmt.Println(show(set))
			lock.Unlock()
			ready.Done()
			<-forever
		})
	}
	ready.Wait()
	runtime.GC()
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

var sink uint64

// burn is small enough to be inlined: the leaf of a sample is the function that says which label.
func burn(rounds int) {
	x := sink
	for i := 0; i < rounds; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	sink = x
}

//go:noinline
func spanEven(until time.Time) {
	for time.Now().Before(until) {
		burn(2000)
	}
	runtime.KeepAlive(until)
}

//go:noinline
func spanOdd(until time.Time) {
	for time.Now().Before(until) {
		burn(2000)
	}
	runtime.KeepAlive(until)
}

func spans(length time.Duration) {
	even := pprof.WithLabels(context.Background(), pprof.Labels("span", "even"))
	odd := pprof.WithLabels(context.Background(), pprof.Labels("span", "odd"))
	for {
		pprof.SetGoroutineLabels(even)
		spanEven(time.Now().Add(length))
		pprof.SetGoroutineLabels(odd)
		spanOdd(time.Now().Add(length))
	}
}

//go:noinline
func bornEven() { burn(400000) }

//go:noinline
func bornOdd() { burn(400000) }

func births() {
	done := make(chan int)
	even := pprof.Labels("born", "even")
	odd := pprof.Labels("born", "odd")
	for i := 0; ; i++ {
		set, work := even, bornEven
		if i%2 == 1 {
			set, work = odd, bornOdd
		}
		// The labels are inherited, so the goroutine has them from its first instruction on.
		pprof.Do(context.Background(), set, func(context.Context) {
			go func() {
				work()
				done <- 1
			}()
		})
		<-done
	}
}

func main() {
	mode, rest := "park", []string{}
	if len(os.Args) > 1 {
		mode, rest = os.Args[1], os.Args[2:]
	}
	switch {
	case mode == "spans" && len(rest) == 2:
		length, err := time.ParseDuration(rest[0])
		n, err2 := strconv.Atoi(rest[1])
		if err != nil || err2 != nil {
			os.Exit(2)
		}
		for i := 0; i < n; i++ {
			go spans(length)
		}
		fmt.Println("ready")
		select {}
	case mode == "births" && len(rest) == 1:
		n, err := strconv.Atoi(rest[0])
		if err != nil {
			os.Exit(2)
		}
		for i := 0; i < n; i++ {
			go births()
		}
		fmt.Println("ready")
		select {}
	default:
		park()
	}
}
