// Command goimage is looked at by tests/unit/go_image_test.c: it says for any of its own program
// counters what its runtime makes of them.
//
//	goimage FILE    reads a hexadecimal pc a line from FILE (a FIFO); for each it prints the number
//	                of frames, then for each frame: name TAB file TAB line TAB start line
//	goimage -busy   works for ever
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime"
	_ "runtime/pprof" // what the linknames lead to
	"sort"
	"strconv"
	_ "unsafe" // for linkname

	"goimage/deep"
	"goimage/gen"
	"goimage/shape"
)

// All frames of one pc, as runtime/pprof expands the last pc of a cut stack.
//
//go:linkname expand runtime/pprof.runtime_expandFinalInlineFrame
func expand(stk []uintptr) []uintptr

func answer(w *bufio.Writer, pc uintptr) {
	var lines []string
	frames := runtime.CallersFrames(expand([]uintptr{pc + 1}))
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.PC == 0 {
			break
		}
		lines = append(lines,
			fmt.Sprintf("%s\t%s\t%d\t%d\n", symbolName(&f), f.File, f.Line, startLine(&f)))
	}
	fmt.Fprintln(w, len(lines))
	for _, l := range lines {
		w.WriteString(l)
	}
	w.Flush()
}

// Something of everything, so that the linker keeps it.
func work(n int) int {
	total := deep.Outer(n) + deep.Fib(n%12)
	total += gen.Sum([]int{1, 2, n}) + int(gen.Sum([]float64{0.5, float64(n)}))
	s := gen.Stack[string]{}
	s.Push(strconv.Itoa(n))
	s.Each(func(v string) { total += len(v) })
	for _, a := range shape.All() {
		func() {
			defer func() { total += a.Area() }()
		}()
	}
	return total + text(n)
}

func text(n int) int {
	words := regexp.MustCompile(`[a-z]+`).FindAllString(fmt.Sprint("some words ", n), -1)
	sort.Slice(words, func(i, j int) bool { return words[i] > words[j] })
	out, _ := json.Marshal(map[string]any{"n": n, "words": words})
	return len(out)
}

func init() {
	// The main goroutine stays on the main thread: that is the one a test stops and looks at.
	runtime.LockOSThread()
}

func main() {
	done := make(chan int)
	go func() { done <- work(len(os.Args)) }()
	w := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(w, "ready", <-done)
	w.Flush()
	if len(os.Args) < 2 {
		return
	}
	for os.Args[1] == "-busy" {
		work(20)
	}
	in, err := os.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for s := bufio.NewScanner(in); s.Scan(); {
		pc, err := strconv.ParseUint(s.Text(), 16, 64)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		answer(w, uintptr(pc))
	}
}
