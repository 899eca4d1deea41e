//go:build nopprof

package main

// A program that never heard of profiles: the linker switches the sampling of its heap off.
func writeProfiles(dir string) {}
