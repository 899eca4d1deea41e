#!/bin/bash
# prebuild.sh: fetch the Go releases and modules that the tests use without being asked for more, and
# compile them and the standard libraries, static and position-independent, while the C code compiles.
# On a fresh machine that takes minutes, which no test's time-out should pay. What cannot be had is no error
# here: the tests that need it say so.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
command -v go >/dev/null || exit 0
for v in local 1.26.8 1.22.12 1.18.10; do # tests/unit/helper_goversions.c has the same
    "$here/build_go.sh" "$v" goruntime "goruntime-$v-stripped" '-ldflags=-s -w' &&
        "$here/build_go.sh" "$v" goruntime "goruntime-$v-pie-stripped" -buildmode=pie '-ldflags=-s -w'
done >/dev/null
decoders=$here/../e2e/decoders
for d in push otlp "otlp -modfile=v03.mod"; do # as tests/e2e/66-encoders.sh builds them
    read -r dir flags <<<"$d"
    # shellcheck disable=SC2086
    (cd "$decoders/$dir" && GOFLAGS=-mod=readonly timeout 900 go build $flags -o /dev/null .) 2>&1 | grep -v '^go: downloading'
done
exit 0
