#!/bin/bash
# pillion dump: goroutines by group, each by itself, as JSON; what it cannot do; a target that does
# not notice.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3

go_target local goleak goleak-local '-ldflags=-s -w'
bin=$GO_TARGET
start_target "$bin"
wait_for 10 grep -q ready "$TMP/target.out" || fail "goleak did not start"
own=http://$(sed -n 's/^listen //p' "$TMP/target.out")
curl -sf "$own/leak?n=300" >/dev/null || fail "goleak does not obey"

dump() { # EXIT ARG...
    local wanted=$1 rc
    shift
    timeout 60 "$BUILD/pillion" dump "$@" >"$TMP/out" 2>"$TMP/err"
    rc=$?
    [ "$rc" = "$wanted" ] || fail "dump $*: exit $rc: $(cat "$TMP/err")"
}

dump 0 --pid "$TARGET_PID"
[ ! -s "$TMP/err" ] || fail "dump is not quiet: $(cat "$TMP/err")"
group=$(grep -n -m 1 '^300 ' "$TMP/out" | cut -d: -f1)
[ -n "$group" ] || fail "no group of 300: $(head "$TMP/out")"
sed -n "$((group + 1)),$((group + 5))p" "$TMP/out" | grep -q 'main.waitForever' || fail "not main.waitForever"
sed -n "$((group + 1)),$((group + 5))p" "$TMP/out" | grep -q 'created by main.leak' || fail "not created by main.leak"
grep -E '^[0-9]+ ' "$TMP/out" | cut -d' ' -f1 >"$TMP/counts"
sort -rnc "$TMP/counts" || fail "not busiest first"
ok "groups, busiest first, with creator"

dump 0 --pid "$TARGET_PID" --format json
python3 - "$TMP/out" <<'PY' || fail "no JSON as it should be: $(head -c 300 "$TMP/out")"
import json, sys
text = json.dumps(json.load(open(sys.argv[1])))
assert "main.waitForever" in text and "main.leak" in text and "300" in text, text[:300]
PY
ok "JSON"
for all in --all --format=stacks "--format stacks"; do
    # shellcheck disable=SC2086
    dump 0 --pid "$TARGET_PID" $all
    [ "$(grep -c '^goroutine [0-9]* \[chan receive' "$TMP/out")" -ge 300 ] || fail "$all: not each goroutine"
    [ "$(grep -c 'created by main.leak' "$TMP/out")" = 300 ] || fail "$all: not each creator"
done
ok "each goroutine"
dump 0 --pid "$TARGET_PID" --format debug1
grep -q '^goroutine profile: total 3' "$TMP/out" || fail "debug1: $(head -n 1 "$TMP/out")"
# as the target itself groups them
curl -sf "$own/debug/pprof/goroutine?debug=1" | grep -q '^300 @ ' || fail "the target has no such group"
grep -q '^300 @ ' "$TMP/out" || fail "debug1 has no such group"
ok "debug=1"

# --- nobody in the target noticed: it never stopped, nothing traced it
grep -q '^TracerPid:[[:space:]]*0$' "/proc/$TARGET_PID/status" || fail "the target is traced"
curl -sf "$own/leak?n=1" >/dev/null || fail "the target does not answer"

# --- what it cannot do: one line, exit 2
no() { # ARG... ; TEXT in $1
    local text=$1
    shift
    dump 2 "$@"
    [ ! -s "$TMP/out" ] || fail "dump $*: something on standard output"
    [ "$(wc -l <"$TMP/err")" = 1 ] || fail "dump $*: not one line: $(cat "$TMP/err")"
    grep -qF -- "$text" "$TMP/err" || fail "dump $*: $(cat "$TMP/err")"
    ok "dump $*: $(cat "$TMP/err")"
}
no 'text, json, debug1, stacks' --pid "$TARGET_PID" --format yaml
no 'needs a value' --pid "$TARGET_PID" --format
no 'unknown argument' --pid "$TARGET_PID" --seconds 1
no 'more than one target' --pid "$TARGET_PID" --pid 1
no 'Go' --pid $$
no '' --pid 4194303
timeout 60 "$BUILD/pillion" dump --pid "$TARGET_PID" --all >/dev/full 2>"$TMP/err" && fail "a full disk is no success"
"$BUILD/pillion" help dump | grep -q -- '--format' || fail "help dump"
ok "help"
echo "$CHECKS checks"
