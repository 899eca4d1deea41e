// A program with net/http/pprof as people mount it, over whatever the flags say, a profile of its
// own (open_connections) and a little work, so that each profile has something in it. Prints
// "ready ADDRESS" when it listens.
package main

import (
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

var (
	listen       = flag.String("listen", "127.0.0.1:0", "address, or unix:/path")
	certificate  = flag.String("cert", "", "with it: https")
	key          = flag.String("key", "", "of the certificate")
	clientCA     = flag.String("client-ca", "", "whose client certificates are asked for")
	bearer       = flag.String("bearer", "", "wanted token")
	basic        = flag.String("basic", "", "wanted user:password")
	writeTimeout = flag.Duration("write-timeout", 0, "of the server")
	connections  = flag.Int("connections", 7, "in the profile open_connections")
	kept         [][]byte
	lock         sync.Mutex
)

//go:noinline
func work(d time.Duration) int {
	n := 0
	for end := time.Now().Add(d); time.Now().Before(end); {
		for i := 0; i < 10000; i++ {
			n += i * i
		}
	}
	return n
}

func contend() {
	for {
		lock.Lock()
		work(2 * time.Millisecond)
		lock.Unlock()
		kept = append(kept, make([]byte, 64<<10))
		if len(kept) > 64 {
			kept = nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

type connection struct{ id int }

//go:noinline
func openConnection(p *pprof.Profile, id int) {
	p.Add(&connection{id}, 1)
}

func allowed(r *http.Request) bool {
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	if *bearer != "" && !same(r.Header.Get("Authorization"), "Bearer "+*bearer) {
		return false
	}
	if *basic != "" {
		user, password, _ := r.BasicAuth()
		return same(user+":"+password, *basic)
	}
	return true
}

func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed(r) {
			http.Error(w, "go away", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func listener() net.Listener {
	network, address := "tcp", *listen
	if strings.HasPrefix(address, "unix:") {
		network, address = "unix", address[len("unix:"):]
	}
	l, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready", l.Addr())
	if *certificate == "" {
		return l
	}
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		log.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if *clientCA != "" {
		pem, err := os.ReadFile(*clientCA)
		config.ClientCAs = x509.NewCertPool()
		if err != nil || !config.ClientCAs.AppendCertsFromPEM(pem) {
			log.Fatal("no CA in ", *clientCA)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return tls.NewListener(l, config)
}

func main() {
	flag.Parse()
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	p := pprof.NewProfile("open_connections")
	for i := 0; i < *connections; i++ {
		openConnection(p, i)
	}
	go contend()
	go contend()
	server := &http.Server{Handler: guarded(http.DefaultServeMux), WriteTimeout: *writeTimeout}
	log.Fatal(server.Serve(listener()))
}
