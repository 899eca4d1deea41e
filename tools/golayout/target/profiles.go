//go:build !nopprof
// +build !nopprof

package main

import (
	"context"
	"io"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
)

func profiles(out io.Writer) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	pprof.Do(context.Background(), pprof.Labels("key", "value"), func(context.Context) {
		for _, p := range pprof.Profiles() {
			p.WriteTo(out, 2)
		}
	})
	pprof.StartCPUProfile(out)
	pprof.StopCPUProfile()
	trace.Start(out)
	trace.Stop()
}
