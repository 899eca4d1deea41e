//go:build profiles

package main

import _ "net/http/pprof"
