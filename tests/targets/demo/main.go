// demo: an ordinary Go HTTP service under load, to look at with Pillion. It imports no profiler
// endpoint and knows nothing of being watched; runtime/pprof is there for labels alone, as
// frameworks set them. It loads itself over loopback until it is told to stop.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"net"
	"net/http"
	"regexp"
	"runtime/pprof"
	"sort"
	"strings"
	"time"
)

type item struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
}

type store struct {
	items []item
	word  *regexp.Regexp
}

func newStore(n int) *store {
	r := rand.New(rand.NewSource(1))
	s := &store{word: regexp.MustCompile(`[a-z]+-[0-9]+`)}
	for i := 0; i < n; i++ {
		s.items = append(s.items, item{
			ID: i, Name: fmt.Sprintf("item-%d", r.Intn(n)), Price: r.Float64() * 100,
			Tags: []string{"a", "b", fmt.Sprint("t", i%7)},
		})
	}
	return s
}

// cheapest sorts a copy: work for the sorter and for the collector.
func (s *store) cheapest(n int) []item {
	c := append([]item(nil), s.items...)
	sort.Slice(c, func(i, j int) bool { return c[i].Price < c[j].Price })
	return c[:n]
}

func (s *store) search(q string) (out []item) {
	for _, it := range s.items {
		if s.word.MatchString(it.Name) && strings.Contains(it.Name, q) {
			out = append(out, it)
		}
	}
	return out
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	for i := 0; i < 200; i++ {
		sum = sha256.Sum256(sum[:])
	}
	return fmt.Sprintf("%x", sum)
}

func reply(w http.ResponseWriter, v interface{}) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("ETag", digest(b))
	_, _ = w.Write(b)
}

func labelled(route string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		pprof.Do(r.Context(), pprof.Labels("route", route), func(ctx context.Context) {
			h(w, r.WithContext(ctx))
		})
	}
}

func load(url string, pause time.Duration) {
	paths := []string{"/cheapest", "/search?q=1", "/search?q=42", "/cheapest"}
	client := &http.Client{Timeout: 5 * time.Second}
	for i := 0; ; i++ {
		resp, err := client.Get(url + paths[i%len(paths)])
		if err == nil {
			_ = resp.Body.Close()
		}
		time.Sleep(pause)
	}
}

func main() {
	addr := flag.String("listen", "127.0.0.1:0", "address to serve on")
	clients := flag.Int("clients", 4, "clients that load the server")
	pause := flag.Duration("pause", 2*time.Millisecond, "pause of each client between requests")
	flag.Parse()
	s := newStore(2000)
	mux := http.NewServeMux()
	mux.HandleFunc("/cheapest", labelled("cheapest", func(w http.ResponseWriter, r *http.Request) {
		reply(w, s.cheapest(20))
	}))
	mux.HandleFunc("/search", labelled("search", func(w http.ResponseWriter, r *http.Request) {
		reply(w, s.search(r.URL.Query().Get("q")))
	}))
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("demo: serving on %s\n", l.Addr())
	for i := 0; i < *clients; i++ {
		go load("http://"+l.Addr().String(), *pause)
	}
	log.Fatal(http.Serve(l, mux))
}
