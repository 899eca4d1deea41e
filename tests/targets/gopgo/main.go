// gopgo: hot calls that profile-guided optimization decides about: an interface call that can be
// devirtualized, and functions too large to inline unless they are hot. -cpuprofile FILE makes the
// program profile itself, so that decisions by its own profile can be compared with those by ours.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime/pprof"
	"time"
)

type op interface{ apply(x uint64) uint64 }

type mul struct{ k uint64 }
type add struct{ k uint64 }

//go:noinline
func step(x, k uint64) uint64 {
	for i := 0; i < 64; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		x += k
	}
	return x
}

// Larger than the inliner's ordinary budget, smaller than the hot one.
func (m mul) apply(x uint64) uint64 {
	if x&1 == 0 {
		x = x*m.k + 1
	}
	if x&2 == 0 {
		x = x*m.k + 3
	}
	if x&4 == 0 {
		x = x*m.k + 5
	}
	if x&8 == 0 {
		x = x*m.k + 7
	}
	if x&16 == 0 {
		x = x*m.k + 9
	}
	return step(x, m.k)
}

func (a add) apply(x uint64) uint64 { return step(x+a.k, a.k) }

func fold(ops []op, x uint64) uint64 {
	for _, o := range ops {
		x = o.apply(x)
	}
	return x
}

func main() {
	own := flag.String("cpuprofile", "", "write the program's own CPU profile here")
	d := flag.Duration("for", 10*time.Second, "how long")
	flag.Parse()
	if *own != "" {
		f, err := os.Create(*own)
		if err != nil {
			log.Fatal(err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			log.Fatal(err)
		}
		defer pprof.StopCPUProfile()
	}
	ops := make([]op, 0, 100)
	for i := 0; i < 100; i++ {
		if i%50 == 0 {
			ops = append(ops, add{uint64(i)})
		} else {
			ops = append(ops, mul{uint64(i) | 1})
		}
	}
	fmt.Println("ready")
	x := uint64(1)
	for end := time.Now().Add(*d); time.Now().Before(end); {
		for i := 0; i < 200; i++ {
			x = fold(ops, x)
		}
	}
	fmt.Println(x)
}
