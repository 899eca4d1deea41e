//go:build go1.21

package main

import (
	"runtime"
	_ "unsafe" // for linkname
)

// What runtime/pprof writes as a function's name: with the type arguments' shapes.
//
//go:linkname symbolName runtime/pprof.runtime_FrameSymbolName
func symbolName(f *runtime.Frame) string
