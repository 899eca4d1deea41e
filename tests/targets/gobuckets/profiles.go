//go:build !nopprof

package main

import (
	"os"
	"runtime"
	"runtime/pprof"
)

func init() { runtime.MemProfileRate = 4096 }

func writeProfile(name, path string, debug int) {
	f, err := os.Create(path)
	must(err)
	must(pprof.Lookup(name).WriteTo(f, debug))
	must(f.Close())
}

func writeProfiles(dir string) {
	for _, name := range []string{"heap", "allocs", "block", "mutex", "threadcreate"} {
		writeProfile(name, dir+"/"+name+".pb.gz", 0)
		writeProfile(name, dir+"/"+name+".txt", 1)
	}
}
