#!/bin/bash
# Profiles of a real Go program and a synthetic wall profile, shaped for Pyroscope, Parca and OTLP,
# read back by their makers' own modules (tests/e2e/decoders): every value must be there again.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
command -v go >/dev/null || skip "no go in PATH"
export PPROF_TMPDIR=$TMP GOFLAGS=-mod=readonly
decoders=$ROOT/tests/e2e/decoders
shape=$BUILD/tools/shape
[ -x "$shape" ] || fail "$shape was not built"

build() { # DIR OUT [MODFILE]: a decoder; without its modules the test cannot be done
    (cd "$decoders/$1" && timeout 300 go build ${3:+-modfile=$3} -o "$TMP/$2" .) >"$TMP/build.log" 2>&1 ||
        skip "the Go modules of the decoders cannot be had: $(tail -n 1 "$TMP/build.log")"
}
build push push
build otlp otlp04
build otlp otlp03 v03.mod

mkdir "$TMP/src" "$TMP/in"
cp "$ROOT/tests/targets/goprofiles/main.go" "$TMP/src/"
printf 'module goprofiles\n\ngo 1.21\n' >"$TMP/src/go.mod"
(cd "$TMP/src" && GOFLAGS=-mod=mod go build -o goprofiles . && ./goprofiles ../in) || fail "the Go program"
"$TMP/push" wall >"$TMP/in/wall.pb.gz" || fail "no wall profile"

# BACKEND TYPE DURATION [KEEP...]: the requests into $TMP/out
requests() {
    local name=$2
    rm -rf "$TMP/out"
    mkdir "$TMP/out"
    "$shape" "$1" "$2" "$3" "$TMP/out" "${@:4}" <"$TMP/in/$name.pb.gz" >"$TMP/count" || fail "$1 does not take $name"
}
pprof_total() { # FILE INDEX: what go tool pprof counts
    go tool pprof -raw -symbolize=none "$1" 2>/dev/null |
        awk -v i="$2" '/^Samples:/ { on = 1; next } /^Locations/ { on = 0 }
            on && /^ +-?[0-9]+( +-?[0-9]+)*:/ { sub(/:.*/, ""); n += $i } END { print n + 0 }'
}
compare() { # WHAT RULE A B: see compare.py
    python3 "$decoders/compare.py" "$3" "$4" "$2" >"$TMP/diff" 2>&1 || fail "$1: $(head -n 5 "$TMP/diff")"
}

for name in cpu heap allocs goroutine block mutex threadcreate wall; do
    file=$TMP/in/$name.pb.gz
    "$TMP/push" pprof "$file" >"$TMP/theirs" || fail "$name: google/pprof"
    "$TMP/push" -nolabels pprof "$file" >"$TMP/bare" || fail "$name: google/pprof"
    [ "$name" = wall ] || compare "$name: go tool pprof" "total=$(pprof_total "$file" 1)" "$TMP/bare" "$TMP/bare"
    duration=10000000000
    case $name in goroutine | threadcreate) duration=0 ;; esac

    for way in pyroscope pyroscope:json; do
        requests "$way" "$name" "$duration"
        "$TMP/push" -nolabels "${way/:/-}" "$TMP"/out/*.body >"$TMP/ours" || fail "$name: $way"
        compare "$way $name" "pyroscope=$name" "$TMP/bare" "$TMP/ours"
    done
    requests pyroscope "$name" "$duration" tenant
    "$TMP/push" pyroscope "$TMP"/out/*.body >"$TMP/ours" || fail "$name: pyroscope, a label kept"
    compare "pyroscope $name, a label kept" kept "$TMP/theirs" "$TMP/ours"
    requests pyroscope:ingest "$name" "$duration"
    "$TMP/push" -nolabels pprof "$TMP"/out/*.body >"$TMP/ours" || fail "$name: ingest"
    compare "ingest $name" ingest "$TMP/bare" "$TMP/ours"
    ok "$name: Pyroscope"

    for way in parca parca:json; do
        requests "$way" "$name" "$duration"
        "$TMP/push" "${way/:/-}" "$TMP"/out/*.body >"$TMP/ours" || fail "$name: $way"
        compare "$way $name" "parca=$name" "$TMP/theirs" "$TMP/ours"
    done
    ok "$name: Parca"

    requests otlp "$name" "$duration"
    "$TMP/otlp04" "$TMP"/out/*.body >"$TMP/ours" || fail "$name: OTLP v0.4.0"
    "$TMP/otlp03" "$TMP"/out/*.body >"$TMP/older" || fail "$name: OTLP v0.3.0"
    cmp -s "$TMP/ours" "$TMP/older" || fail "$name: v0.3.0 and v0.4.0 read different things"
    compare "OTLP $name" "otlp=$name" "$TMP/theirs" "$TMP/ours"
    ok "$name: OTLP"
done
