#!/bin/bash
# Profile-guided optimization: with our profile of a stripped binary, the Go compiler decides the
# same as with the program's own profile: what is devirtualized, what is hot enough to inline.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 go
need_perf

go_target local gopgo gopgo '-ldflags=-s -w'
bin=$GO_TARGET
: >"$TMP/ready"
"$bin" -for 6s -cpuprofile "$TMP/own.pb.gz" >"$TMP/ready" &
pid=$!
PIDS+=("$pid")
wait_for 10 grep -q ready "$TMP/ready" || fail "gopgo did not start"
"$BUILD/pillion" record --pid "$pid" --seconds 5 --hz 100 -o "$TMP/ours.pb.gz" || fail "record: $?"
wait "$pid"

go tool preprofile -i "$TMP/ours.pb.gz" -o "$TMP/pre" || fail "go tool preprofile refuses it"
ok "go tool preprofile takes it"
decide() { # PROFILE: the compiler's decisions about our package, without positions that differ
    (cd "$ROOT/tests/targets/gopgo" && GOTOOLCHAIN=local GOFLAGS=-mod=mod go build -pgo="$1" \
        -gcflags=-m=1 -o "$TMP/out" . 2>&1)
}
decide "$TMP/own.pb.gz" >"$TMP/own.txt"
decide "$TMP/ours.pb.gz" >"$TMP/ours.txt"
decide off >"$TMP/off.txt"
grep -q 'devirtualizing' "$TMP/own.txt" || fail "the program's own profile decides nothing: $(head -3 "$TMP/own.txt")"
cmp -s "$TMP/own.txt" "$TMP/off.txt" && fail "profiles make no difference to this program"
diff "$TMP/own.txt" "$TMP/ours.txt" || fail "other decisions with our profile"
ok "the same decisions: $(grep -c 'devirtualizing\|inlining call' "$TMP/ours.txt") lines"
