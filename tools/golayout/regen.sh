#!/bin/bash
# regen.sh [VERSION[@FIRST_PATCH] ...]: writes sampler/go/layout_table.c and recipe_table.c anew.
#
# Without arguments: the releases below. A new Go release: add it here (a new patch of a known minor
# replaces the old one; it gets a row of its own with @FIRST_PATCH when its structures differ), run
# this, look at the diff. The same toolchains give the same bytes. Needs Go >= 1.22 with toolchain
# switching; builds in a temporary folder, or in $GOLAYOUT_BIN, where finished programs are kept.
set -euo pipefail
cd "$(dirname "$0")"

# struct m grew by 24 bytes in 1.23.12 and 1.24.6 (allpSnapshot): their minors have two rows.
releases=(go1.18.10 go1.19.13 go1.20.14 go1.21.13 go1.22.12 go1.23.0 go1.23.12@12
    go1.24.0 go1.24.10@6 go1.25.4 go1.26.8)
[ $# -eq 0 ] || releases=("$@")

if [ -n "${GOLAYOUT_BIN:-}" ]; then
    bin=$GOLAYOUT_BIN
    mkdir -p "$bin"
else
    bin=$(mktemp -d)
    trap 'rm -rf "$bin"' EXIT
fi

# goindex=0: Go 1.19 cannot read the module index of a toolchain that lies in the module cache.
# No cgo: the tables must not depend on the machine's C compiler.
build() { # VERSION SUFFIX [NAME=VALUE ...] -- [flags]
    local out=$bin/$1-$2 env=("GOTOOLCHAIN=$1")
    shift 2
    while [ "$1" != -- ]; do
        env+=("$1")
        shift
    done
    shift
    [ -x "$out" ] || (cd target &&
        env GODEBUG=goindex=0 GOFLAGS=-buildvcs=false GOWORK=off CGO_ENABLED=0 GOOS=linux "${env[@]}" \
            go build "$@" -o "$out" .)
}

for release in "${releases[@]}"; do
    version=${release%@*}
    build "$version" amd64-plain GOARCH=amd64 GOAMD64=v1 --
    build "$version" amd64-pie GOARCH=amd64 GOAMD64=v1 -- -buildmode=pie
    build "$version" amd64-bare GOARCH=amd64 GOAMD64=v1 -- -tags nopprof
    build "$version" arm64-plain GOARCH=arm64 --
    build "$version" arm64-pie GOARCH=arm64 -- -buildmode=pie
    build "$version" arm64-bare GOARCH=arm64 -- -tags nopprof
done
GOWORK=off go run . -root "$(cd ../.. && pwd)" -bin "$bin" "${releases[@]}"
