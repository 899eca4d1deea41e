// A client with and without certificates, as a Go program is one. Commands on standard input, one
// answer line each; what it prints of errors is what its user would see.
//
//	get NAME URL VERSION CERT KEY    a new connection: "NAME STATUS first line of the body" or
//	                                 "NAME error TEXT"; VERSION is 12 or 13, CERT "-" for none
//	open NAME URL VERSION CERT KEY   the same, and the connection stays
//	many NAME URL VERSION CERT KEY N SECONDS    N clients at once, each asking again and again on
//	                                 its connection: "NAME good=n bad=n connections=n first error"
//	again NAME URL                   on that connection: "NAME STATUS reused|new text"
//
// CERT and KEY are read apart and not held against each other: a stolen certificate with another
// key must be tried, too.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func certificate(cert, key string) (tls.Certificate, error) {
	var c tls.Certificate
	text, err := os.ReadFile(cert)
	if err != nil {
		return c, err
	}
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			c.Certificate = append(c.Certificate, block.Bytes)
		}
	}
	if text, err = os.ReadFile(key); err != nil {
		return c, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return c, fmt.Errorf("%s: no PEM", key)
	}
	c.PrivateKey, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	return c, err
}

func client(version, cert, key string) (*http.Client, error) {
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}
	if version == "12" {
		config.MaxVersion = tls.VersionTLS12
	} else {
		config.MinVersion = tls.VersionTLS13
	}
	if cert != "-" {
		c, err := certificate(cert, key)
		if err != nil {
			return nil, err
		}
		// whatever the server asks for: nothing here may keep a bad one back
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 30 * time.Second}, nil
}

func get(c *http.Client, url string) string {
	state := "new"
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return "error " + err.Error()
	}
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if i.Reused {
			state = "reused"
		}
	}}
	response, err := c.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err != nil {
		return "error " + err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "error " + err.Error()
	}
	line, _, _ := strings.Cut(string(body), "\n")
	return fmt.Sprintf("%d %s %s", response.StatusCode, state, line)
}

func many(url, version, cert, key string, n int, how time.Duration) string {
	var wait sync.WaitGroup
	var lock sync.Mutex
	good, bad, connections, first := 0, 0, 0, ""
	end := time.Now().Add(how)
	for i := 0; i < n; i++ {
		c, err := client(version, cert, key)
		if err != nil {
			return "unusable " + err.Error()
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			for time.Now().Before(end) {
				said := get(c, url)
				lock.Lock()
				if strings.HasPrefix(said, "200 ") {
					good++
				} else {
					bad++
					if first == "" {
						first = said
					}
				}
				if !strings.HasPrefix(said, "200 reused") {
					connections++
				}
				lock.Unlock()
				time.Sleep(50 * time.Millisecond)
			}
		}()
	}
	wait.Wait()
	return fmt.Sprintf("good=%d bad=%d connections=%d %s", good, bad, connections, first)
}

func main() {
	kept := map[string]*http.Client{}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		word := strings.Fields(in.Text())
		switch {
		case len(word) == 6 && (word[0] == "get" || word[0] == "open"):
			c, err := client(word[3], word[4], word[5])
			if err != nil {
				fmt.Println(word[1], "unusable", err)
				continue
			}
			fmt.Println(word[1], get(c, word[2]))
			if word[0] == "open" {
				kept[word[1]] = c
			} else {
				c.CloseIdleConnections()
			}
		case len(word) == 3 && word[0] == "again" && kept[word[1]] != nil:
			fmt.Println(word[1], get(kept[word[1]], word[2]))
		case len(word) == 8 && word[0] == "many":
			n, _ := strconv.Atoi(word[6])
			seconds, _ := strconv.Atoi(word[7])
			fmt.Println(word[1], many(word[2], word[3], word[4], word[5], n, time.Duration(seconds)*time.Second))
		default:
			fmt.Println("unknown command:", in.Text())
		}
	}
}
