// The program that tools/golayout/regen.sh builds with each toolchain and takes apart. It does
// nothing useful when run: it only has to reach the runtime's functions that a real server reaches
// (goroutines, channels, timers, network, allocation, panics, GC settings), so that the linker
// keeps them. Built with -tags nopprof it is a program that never heard of profiles.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

type tree struct {
	left, right *tree
	payload     [96]byte
}

var kept []interface{}

//go:noinline
func grow(depth int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{left: grow(depth - 1), right: grow(depth - 1)}
}

func wait(work chan int, done *sync.WaitGroup, lock *sync.RWMutex) {
	defer done.Done()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		select {
		case n, open := <-work:
			if !open {
				return
			}
			lock.Lock()
			kept = append(kept, grow(n), make([]byte, n<<10), fmt.Sprint(n))
			lock.Unlock()
		case <-timer.C:
			return
		}
	}
}

func talk() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	go func() {
		peer, err := listener.Accept()
		if err == nil {
			peer.Write([]byte("hello"))
			peer.Close()
		}
	}()
	client, err := net.DialTimeout("tcp", listener.Addr().String(), time.Second)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Read(make([]byte, 16))
	return err
}

func survive() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New(fmt.Sprint(r))
		}
	}()
	var nothing *tree
	return fmt.Errorf("%d", nothing.payload[1])
}

func main() {
	var done sync.WaitGroup
	var lock sync.RWMutex
	work := make(chan int)
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	for i := 0; i < 4; i++ {
		done.Add(1)
		go wait(work, &done, &lock)
	}
	for i := 0; i < 8; i++ {
		work <- i
	}
	close(work)
	done.Wait()
	fmt.Fprintln(os.Stderr, talk(), survive())
	runtime.GC()
	profiles(os.Stdout)
}
