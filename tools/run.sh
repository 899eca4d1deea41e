#!/bin/bash
# run.sh [TARGET OPTION]: what `make run` does once everything is built: with a target option,
# attach to that; else build and start the demo (a stripped Go HTTP server under load) and attach to
# it. Everything started here ends with it.
set -eu
cd "$(dirname "$0")/.."
demo=""
trap '[ -z "$demo" ] || kill "$demo" 2>/dev/null || true' EXIT

if [ $# = 0 ]; then
    mkdir -p build/demo
    echo "building the demo target (stripped, no profiler inside) ..."
    (cd tests/targets/demo && GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -trimpath -ldflags='-s -w' -o ../../../build/demo/pillion-demo .)
    build/demo/pillion-demo >build/demo/log 2>&1 &
    demo=$!
    set -- --pid "$demo"
fi
args=("$@")
[ -z "${LISTEN:-}" ] || args+=(--listen "$LISTEN")
[ -z "${CONFIG:-}" ] || args+=(--config "$CONFIG")
build/pillion run "${args[@]}" &
run=$!
trap 'kill "$run" 2>/dev/null; wait "$run" 2>/dev/null; [ -z "$demo" ] || kill "$demo" 2>/dev/null; exit 130' INT TERM
wait "$run"
