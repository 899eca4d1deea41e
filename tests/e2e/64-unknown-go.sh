#!/bin/bash
# Programs of a Go version that is not known: a real one that claims a newer version, one from before
# Go 1.18, and one that says nothing of itself. What proves itself is served and is right; the rest
# is refused; status, index, headers, comments and errors say why.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3 go
need_perf

go_target 1.26.8 goleak goleak-1.26.8-s '-ldflags=-s -w'
bin=$GO_TARGET
TOKEN=token-all-0123456789
cat >"$TMP/pillion.yaml" <<YAML
auth: {tokens: [{name: all, sha256: "$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)", scopes: [all]}]}
limits: {min_interval: 0s}
leak_watch: {every: 0s}
YAML

# claim OUT FROM TO: the program with another text in the place of one, of equal length
claim() {
    LC_ALL=C sed "s/$2/$3/g" "$bin" >"$TMP/$1" && chmod 755 "$TMP/$1" || fail "$1 could not be made"
    cmp -s "$TMP/$1" "$bin" && fail "$1: nothing to replace"
}
attach() { # PROGRAM
    start_target "$1"
    wait_for 10 grep -q ready "$TMP/target.out" || fail "$1 did not start"
    start_pillion --config "$TMP/pillion.yaml"
    TOKEN=token-all-0123456789
}
status_is() { # Python expression over the status's target t
    get /api/v1/status && [ "$STATUS" = 200 ] &&
        python3 -c 'import json, sys; t = json.load(open(sys.argv[1]))["target"]; assert eval(sys.argv[2]), t' "$BODY" "$1"
}
comments() { # TEXT: the profile in the last body says it
    python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import pprof; sys.exit(not any(sys.argv[3] in c for c in pprof.read(sys.argv[2]).comments))' \
        "$ROOT/tests/e2e" "$BODY" "$1"
}

# --- a newer one
claim goleak-newer 'go1\.26\.8' go1.27.0
attach "$TMP/goleak-newer"
own=http://$(sed -n 's/^listen //p' "$TMP/target.out")
note='go1.27.0 is not known: read with the layout of go1.26.8, only what proves itself'
curl -sf "$own/leak?n=50" >/dev/null && curl -sf "$own/allocate?n=100" >/dev/null && curl -sf "$own/collect" >/dev/null ||
    fail "goleak does not obey"
known() { status_is "t.get('version') == 'go1.27.0' and t['language'] == 'go'" 2>/dev/null; }
wait_for 10 known || fail "the status does not know the version: $(cat "$BODY")"
status_is "t['note'] == '$note'" || fail "the status does not say that it is not known"
for q in goroutine heap 'goroutine?debug=2' 'heap?debug=1' threadcreate; do
    get "/debug/pprof/$q" && wants 200 "$q"
    [ "$(header Pillion-Note)" = "$note" ] || fail "$q: Pillion-Note: $(header Pillion-Note)"
done
get '/debug/pprof/goroutine?debug=1' && wants 200 goroutines
says '50 @ '
says 'main.waitForever'
[ "$(header Pillion-Unreadable)" = 0 ] || fail "Pillion-Unreadable: $(header Pillion-Unreadable)"
get /debug/pprof/goroutine && comments "$note" || fail "the goroutine profile does not say so"
get /debug/pprof/heap && comments "$note" || fail "the heap profile does not say so"
cp "$BODY" "$TMP/ours.pb.gz"
curl -sf -o "$TMP/own.pb.gz" "$own/debug/pprof/heap" || fail "no heap profile of its own"
python3 - "$ROOT/tests/e2e" "$TMP/ours.pb.gz" "$TMP/own.pb.gz" <<'PY' || fail "the heap is not the target's own"
import sys
sys.path.insert(0, sys.argv[1])
import pprof
def rows(path):
    p = pprof.read(path)
    r = [s["values"] for s in p.samples if "main.allocate" in s["stack"] and s["labels"].get("bytes") == 13568]
    assert r, path
    return [sum(c) for c in zip(*r)]
assert rows(sys.argv[2]) == rows(sys.argv[3]), (rows(sys.argv[2]), rows(sys.argv[3]))
PY
get '/debug/pprof/profile?seconds=1' && wants 200 cpu
comments "$note" || fail "the CPU profile does not say so"
get /metrics && wants 200 metrics
! grep -q '^pillion_target_go_memstats' "$BODY" || fail "counters of a struct that is not known"
get '/debug/pprof/?format=json' && wants 200 index
python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["note"] == sys.argv[2]' "$BODY" "$note" ||
    fail "the index does not say so: $(cat "$BODY")"
get /debug/pprof/ && wants 200 "the page"
says "Note: $note"
stop_pillion
kill "$TARGET_PID"
ok "a newer version: what proves itself, and it is said everywhere"

# --- newer, and not like 1.26: nothing of its goroutines is shown
older=$("$ROOT/tests/targets/build_go.sh" 1.22.12 goleak goleak-1.22.12-s '-ldflags=-s -w')
if [ $? = 0 ]; then
    newest=$bin bin=$older
    claim goleak-other 'go1\.22\.12' go1.27.12
    bin=$newest
    attach "$TMP/goleak-other"
    get /debug/pprof/goroutine && wants 501 "goroutines of another layout"
    is_error "goroutines of another layout"
    says 'go1.27.12 is not known'
    stop_pillion
    kill "$TARGET_PID"
    ok "a layout that does not fit is refused"
else
    echo "Go 1.22.12 is not to be had here: not tested"
fi

# --- no build information
claim goleak-hidden ' Go buildinf:' ' No buildinf:'
attach "$TMP/goleak-hidden"
for name in goroutine heap; do
    get "/debug/pprof/$name" && wants 501 "hidden, $name"
    is_error "hidden, $name"
    says 'does not say of which version'
done
status_is "'does not say of which version' in t['note']" || fail "the status does not say why"
get '/debug/pprof/?format=json' && says 'does not say of which version'
get '/debug/pprof/profile?seconds=1' && wants 200 "CPU of a hidden one"
comments 'does not say of which version' || fail "the CPU profile does not say why names are missing"
stop_pillion
kill "$TARGET_PID"
ok "without build information: refused in words"

# --- before Go 1.18: what claims to be, and a real one where that toolchain is already or GO_VERSIONS
# asks for it. Its go command does not know today's flags, which GOENV may hold.
claim goleak-older 'go1\.26\.8' go1.17.8
attach "$TMP/goleak-older"
get /debug/pprof/goroutine && wants 501 "a program that claims Go 1.17"
is_error "a program that claims Go 1.17"
says '"go1.17.8" is not known'
stop_pillion
kill "$TARGET_PID"
[ -n "${GO_VERSIONS:-}" ] || export GOPROXY=off
mkdir "$TMP/old"
printf 'module old\n\ngo 1.17\n' >"$TMP/old/go.mod"
cat >"$TMP/old/main.go" <<'GO'
package main

import "time"

func main() {
	println("ready")
	time.Sleep(time.Hour)
}
GO
if (cd "$TMP/old" && GOENV=off GOFLAGS='' GOTOOLCHAIN=go1.17.13 CGO_ENABLED=0 timeout 120 go build -o pillion-old .) >"$TMP/old.log" 2>&1; then
    start_target "$TMP/old/pillion-old"
    start_pillion --config "$TMP/pillion.yaml"
    TOKEN=token-all-0123456789
    get /debug/pprof/goroutine && wants 501 "Go 1.17"
    is_error "Go 1.17"
    says 'from before Go 1.18'
    status_is "'from before Go 1.18' in t['note']" || fail "the status does not say why"
    ok "Go 1.17: refused in words"
else
    echo "Go 1.17 is not to be had here: not tested ($(tail -n 1 "$TMP/old.log"))"
fi
echo "$CHECKS checks"
