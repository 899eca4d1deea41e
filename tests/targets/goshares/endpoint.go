//go:build endpoint
// +build endpoint

// With -tags=endpoint goshares serves its own profiler, as services do that leave net/http/pprof on,
// for comparisons with it, and tells at any moment how much work was done (/work) and what the
// true shares are (/truth: calibrated anew, under the load of the moment). Prints "endpoint ADDRESS".
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"sync/atomic"
)

func serveTruth(w http.ResponseWriter, _ *http.Request) {
	total := 0.0
	shares := map[string]float64{}
	for k, cost := range calibrate() {
		shares[names[k]] = float64(atomic.LoadInt64(&counts[k])) * cost
		total += shares[names[k]]
	}
	for name := range shares {
		shares[name] /= total
	}
	_ = json.NewEncoder(w).Encode(shares)
}

func serveWork(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintln(w, atomic.LoadInt64(&counts[0]))
}

func init() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/truth", serveTruth)
	http.HandleFunc("/work", serveWork)
	fmt.Printf("endpoint %s\n", l.Addr())
	go func() { log.Fatal(http.Serve(l, nil)) }()
}
