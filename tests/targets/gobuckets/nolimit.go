//go:build !go1.19

package main

func limit() int64 { return 0 }
