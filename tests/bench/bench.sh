#!/bin/bash
# bench.sh: what Pillion costs and how right it is, beside `perf record -F 99 -g` (when that
# is installed) and the target's own profiler. Prints a table, and writes it to build/bench.txt
# and build/bench.json. No figure is a test: it fails only when something could not be run.
# BENCH_QUICK=1 takes a good two minutes, a whole run six.
set -u
cd "$(dirname "$0")/../.." || exit 2
cannot() {
    echo "bench: $*" >&2
    exit 2
}
for tool in go python3; do
    command -v "$tool" >/dev/null || cannot "$tool is not installed; tools/deps.sh test installs it"
done
[ -x build/release/pillion ] || cannot "build/release/pillion is not built; make builds it"

[ -f build/image/digest ] || cannot "there is no build/image; make image builds it"

build=tests/targets/build_go.sh
targets() {
    $build local goshares goshares-endpoint -tags=endpoint &&
        $build local gospans gospans-local '-ldflags=-s -w' &&
        $build local goruntime goruntime-bench '-ldflags=-s -w' &&
        $build local demo demo -trimpath '-ldflags=-s -w' &&
        tests/targets/build_c.sh tests/targets/bin
}
targets >/dev/null || cannot "a target does not build"
exec python3 tests/bench/bench.py
