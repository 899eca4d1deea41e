// gospans: goroutines that change their pprof label every span, and run another function for each
// value, so that each sample tells whether its label was right: phaseEven runs only under
// phase=even, phaseOdd only under phase=odd. With -churn each span is a goroutine of its own, which
// has its label from birth. Prints "ready".
package main

import (
	"context"
	"flag"
	"fmt"
	"runtime/pprof"
	"time"
)

var sink uint64

//go:noinline
func phaseEven(until time.Time) uint64 {
	x := uint64(1)
	for time.Now().Before(until) {
		for i := 0; i < 500; i++ {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
	}
	return x
}

//go:noinline
func phaseOdd(until time.Time) uint64 {
	x := uint64(2)
	for time.Now().Before(until) {
		for i := 0; i < 500; i++ {
			x ^= x >> 7
			x ^= x << 17
			x ^= x << 13
		}
	}
	return x
}

func span(i int, d time.Duration) {
	value := "even"
	f := phaseEven
	if i%2 == 1 {
		value, f = "odd", phaseOdd
	}
	pprof.Do(context.Background(), pprof.Labels("phase", value), func(context.Context) {
		sink += f(time.Now().Add(d))
	})
}

func main() {
	d := flag.Duration("span", 10*time.Millisecond, "how long a label lives")
	workers := flag.Int("workers", 2, "goroutines at once")
	churn := flag.Bool("churn", false, "a new goroutine for each span")
	seconds := flag.Duration("for", 20*time.Second, "how long")
	flag.Parse()
	fmt.Println("ready")
	end := time.Now().Add(*seconds)
	done := make(chan bool)
	for w := 0; w < *workers; w++ {
		go func(w int) {
			for i := w; time.Now().Before(end); i++ {
				if !*churn {
					span(i, *d)
					continue
				}
				one := make(chan bool)
				go func(i int) { span(i, *d); one <- true }(i)
				<-one
			}
			done <- true
		}(w)
	}
	for w := 0; w < *workers; w++ {
		<-done
	}
}
