// r14 runs with R14, where Go keeps its goroutine, at values of its choice: at nothing, and at
// copies of the real g whose labels are lies of every kind.
package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"time"
	"unsafe"
)

func g() unsafe.Pointer
func spin(r14 uintptr, turns uint64)

//go:linkname getLabels runtime/pprof.runtime_getProfLabel
func getLabels() unsafe.Pointer

const gBytes = 512

// Where in a g its labels are.
func labelsAt() int {
	p := g()
	want := uintptr(getLabels())
	for i := 8; i < gBytes-8; i += 8 {
		if *(*uintptr)(unsafe.Add(p, i)) == want {
			return i
		}
	}
	return -1
}

// Global: what is on a stack moves when the stack grows.
var (
	room  [64][1 << 16]byte
	fakes [64][gBytes]byte
)

func word(p *[1 << 16]byte, at int) *uintptr { return (*uintptr)(unsafe.Pointer(&p[at])) }

// The labels pointers to be shown: what stands there is made for slices (Go 1.24 and newer: pointer,
// length, capacity of {key, value}) and for maps (count, flags|B at 9, …, buckets at 16).
func lies() []uintptr {
	var out []uintptr
	base := func(i int) uintptr { return uintptr(unsafe.Pointer(&room[i])) }
	list := func(i int, ptr, length, capacity uintptr) {
		*word(&room[i], 0), *word(&room[i], 8), *word(&room[i], 16) = ptr, length, capacity
		out = append(out, base(i))
	}
	out = append(out, 8, 1, ^uintptr(0), 1<<63, 1<<47-8, 0xffffffff81000000, 0x4141414141414141)
	list(0, base(0), 1<<62, 1<<62)      // 2^62 labels
	list(1, base(1)+64, ^uintptr(0), 1) // -1 labels
	list(2, base(2), 1000, 1000)        // a list of itself
	list(3, 1<<47, 3, 3)                // elsewhere
	list(4, base(4)+64, 64, 64)         // strings of 2^62 bytes
	list(5, base(5)+64, 64, 64)         // all the same string of 60 KB
	list(6, base(6)+64, 65, 65)         // one too many
	list(7, base(7)+(1<<16)-8, 64, 64)  // over the end of the page
	list(8, base(8)+64, 20, 20)         // bytes that are no text
	for i := 0; i < 64; i++ {
		for k := 0; k < 2; k++ {
			*word(&room[4], 64+32*i+16*k), *word(&room[4], 64+32*i+16*k+8) = base(4), 1<<62
			*word(&room[5], 64+32*i+16*k), *word(&room[5], 64+32*i+16*k+8) = base(9), 60000
			*word(&room[8], 64+32*i+16*k), *word(&room[8], 64+32*i+16*k+8) = base(10)+uintptr(16*i), uintptr(16+k*i)
		}
	}
	for i := range room[10] {
		room[10][i] = byte(i*7 + 0xc0)
		room[9][i] = 'x'
	}
	hmap := func(i int, count uintptr, b byte, buckets, old uintptr) {
		*word(&room[i], 0) = base(i) + 64 // g.labels points at a *map before 1.24
		*word(&room[i], 64) = count
		room[i][64+9] = b
		*word(&room[i], 64+16), *word(&room[i], 64+24) = buckets, old
		for k := 0; k < 8; k++ {
			room[i][1024+k] = 200
			*word(&room[i], 1024+8+16*k), *word(&room[i], 1024+8+16*k+8) = base(10), uintptr(k+1)
			*word(&room[i], 1024+136+16*k), *word(&room[i], 1024+136+16*k+8) = base(10), 1<<40
		}
		*word(&room[i], 1024+264) = base(i) + 1024 // overflow: the same bucket again
		out = append(out, base(i))
	}
	hmap(11, 1<<62, 63, base(11)+1024, 0)
	hmap(12, 8, 0, base(12)+1024, base(12)+1024)
	hmap(13, 64, 5, base(13)+1024, base(13))
	hmap(14, 1, 255, 1<<63, 1<<63)
	return out
}

func main() {
	runtime.LockOSThread()
	ctx := pprof.WithLabels(context.Background(), pprof.Labels("kind", "honest"))
	pprof.SetGoroutineLabels(ctx)
	at := labelsAt()
	if at < 0 {
		panic("no labels in g")
	}
	r14 := []uintptr{0, 1, 8, 4096, ^uintptr(0), 1 << 63, 1<<47 - 8, 0xffffffff81000000, 0x4141414141414140}
	for i, l := range lies() {
		copy(fakes[i][:], unsafe.Slice((*byte)(g()), gBytes))
		*(*uintptr)(unsafe.Pointer(&fakes[i][at])) = l
		r14 = append(r14, uintptr(unsafe.Pointer(&fakes[i])))
	}
	fmt.Println("ready")
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
		for _, r := range r14 {
			spin(r, 20_000_000)
		}
		honest()
	}
}

//go:noinline
func honest() {
	for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
	}
}
