#!/bin/bash
# godeltaprof's paths: exact growth between two calls, for each identity by itself; a new target
# begins anew.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3

go_target local goleak goleak-local '-ldflags=-s -w'
bin=$GO_TARGET
cp "$bin" "$TMP/goleak-delta" # a name of its own: it is found by it after a restart
run_target() {
    start_target "$TMP/goleak-delta"
    wait_for 10 grep -q ready "$TMP/target.out" || fail "goleak did not start"
    own=http://$(sed -n 's/^listen //p' "$TMP/target.out")
}
do_in_target() { curl -sf "$own/$1" >/dev/null || fail "goleak does not obey: $1"; }
run_target
sum() { printf %s "$1" | sha256sum | cut -d' ' -f1; }
cat >"$TMP/pillion.yaml" <<YAML
auth:
  tokens:
    - {name: a, sha256: "$(sum token-a-0123456789)", scopes: [scrape]}
    - {name: b, sha256: "$(sum token-b-0123456789)", scopes: [scrape]}
leak_watch: {every: 0s}
YAML
start_pillion --config "$TMP/pillion.yaml" --process goleak-delta
a=token-a-0123456789 b=token-b-0123456789

# delta NAME: as the identity of $TOKEN; its kind in $KIND
delta() {
    get "/debug/pprof/$1"
    [ "$STATUS" = 200 ] || fail "$1: $STATUS"
    KIND=$(header Pillion-Delta)
    is_gzip || fail "$1: not gzip"
}
# values of the samples with FUNCTION on their stack (and that size), summed up by column
values() { # FUNCTION [BYTES]
    python3 - "$ROOT/tests/e2e" "$BODY" "$@" <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
import pprof
p = pprof.read(sys.argv[2])
rows = [s["values"] for s in p.samples if sys.argv[3] in s["stack"]
        and (len(sys.argv) < 5 or s["labels"].get("bytes") == int(sys.argv[4]))]
assert all(v >= 0 for s in p.samples for v in s["values"]), "negative"
print(*([sum(c) for c in zip(*rows)] or [0] * len(p.types)))
PY
}
are() { # WANTED FUNCTION [BYTES]
    local wanted=$1 got
    shift
    got=$(values "$@") || fail "no profile"
    [ "$got" = "$wanted" ] || fail "$*: $got instead of $wanted"
    ok "$*: $got"
}

TOKEN=$a
do_in_target 'allocate?n=10'
do_in_target collect
delta delta_heap
[ "$KIND" = whole ] || fail "the first call gives \"$KIND\""
[ "$(header Content-Disposition)" = 'attachment; filename="heap.pprof.gz"' ] || fail "$(header Content-Disposition)"
are "10 135680 10 135680" main.allocate 13568
do_in_target 'allocate?n=25'
do_in_target collect
delta delta_heap
[ "$KIND" = difference ] || fail "the second call gives \"$KIND\""
are "25 339200 35 474880" main.allocate 13568
delta delta_heap
are "0 0 35 474880" main.allocate 13568
TOKEN=$b
delta delta_heap
[ "$KIND" = whole ] || fail "another identity gets \"$KIND\""
are "35 474880 35 474880" main.allocate 13568
do_in_target free
do_in_target 'allocate?n=5'
do_in_target collect
delta delta_heap
are "5 67840 5 67840" main.allocate 13568
TOKEN=$a
delta delta_heap
are "5 67840 5 67840" main.allocate 13568
get /debug/pprof/heap && wants 200 "heap itself"
are "40 542720 5 67840" main.allocate 13568
ok "each identity has its own"

# --- HEAD and a refused call change nothing
do_in_target 'allocate?n=3'
do_in_target collect
get /debug/pprof/delta_heap -I && wants 200 HEAD
TOKEN=wrong
get /debug/pprof/delta_heap && wants 401 "without credentials"
TOKEN=$a
delta delta_heap
are "3 40704 8 108544" main.allocate 13568

# --- waits
for name in block mutex; do
    case $name in
    block) function=main.contend.func1 ;;
    mutex) function=main.contend ;;
    esac
    do_in_target 'contend?n=4'
    delta "delta_$name"
    [ "$KIND" = whole ] || fail "$name: the first call gives \"$KIND\""
    before=$(values "$function" | cut -d' ' -f1)
    [ "$before" -ge 4 ] || fail "$name: $before waits of $function"
    do_in_target 'contend?n=7'
    delta "delta_$name"
    [ "$(values "$function" | cut -d' ' -f1)" = 7 ] || fail "$name: $(values "$function") instead of 7 waits"
    [ "$(values "$function" | cut -d' ' -f2)" -gt 7000000 ] || fail "$name: $(values "$function"): no time"
    delta "delta_$name"
    [ "$(values "$function")" = "0 0" ] || fail "$name: $(values "$function") after nothing"
    ok "$name"
done

# --- an exec between two readings: the same process, and nothing in common
TOKEN=$a
begun() { [ "$(grep -c ready "$TMP/target.out")" = "$1" ]; }
(sleep 0.7 && curl -sf "$own/again") >/dev/null &
get '/debug/pprof/heap?seconds=2' && wants 503 "heap?seconds=2 over an exec"
says "replaced between the two readings"
wait_for 10 begun 2 || fail "goleak did not begin again"
own=http://$(sed -n 's/^listen //p' "$TMP/target.out" | tail -n 1)
do_in_target 'allocate?n=6'
do_in_target collect
delta delta_heap
[ "$KIND" = whole ] || fail "after an exec: $KIND"
are "6 81408 6 81408" main.allocate 13568

# --- a new target begins anew
kill -9 "$TARGET_PID"
wait "$TARGET_PID" 2>/dev/null
run_target
do_in_target 'allocate?n=2'
do_in_target collect
found() { get /debug/pprof/delta_heap && [ "$STATUS" = 200 ]; }
wait_for 15 found || fail "the new target is not found: $STATUS $(cat "$BODY")"
[ "$(header Pillion-Delta)" = whole ] || fail "of a new target: $(header Pillion-Delta)"
are "2 27136 2 27136" main.allocate 13568
echo "$CHECKS checks"
