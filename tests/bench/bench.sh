#!/bin/bash
# bench.sh: what Pillion costs and how right it is, side by side with `perf record -F 99 -g` (when it
# is installed) and with the target's own profiler. Prints a table, and writes it to build/bench.txt
# and build/bench.json. No figure is a test: it fails only when something could not be run.
# BENCH_QUICK=1 takes two minutes, a whole run eight.
set -u
cd "$(dirname "$0")/../.." || exit 2
for tool in go python3; do
    command -v "$tool" >/dev/null || { echo "bench: $tool is not installed (make deps, tools/deps.sh demo)" >&2; exit 2; }
done
[ -x build/release/pillion ] || { echo "bench: build/release/pillion is not built (make)" >&2; exit 2; }

build=tests/targets/build_go.sh
$build local goshares goshares-endpoint -tags=endpoint >/dev/null &&
    $build local gospans gospans-local '-ldflags=-s -w' >/dev/null &&
    $build local demo demo -trimpath '-ldflags=-s -w' >/dev/null &&
    tests/targets/build_c.sh tests/targets/bin ||
    { echo "bench: a target does not build" >&2; exit 2; }
exec python3 tests/bench/bench.py
