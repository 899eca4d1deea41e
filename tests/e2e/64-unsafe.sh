#!/bin/bash
# target.unsafe: the profiling rates that are written into a Go program where the configuration says
# so, and nowhere else; the profiles that come of them; and what stood there before, restored. The
# target tells its rates itself.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3

TOKEN_ALL=token-all-0123456789
configure() { # KEYS: the configuration with these below target.unsafe
    {
        echo "target: {pid: $TARGET_PID${1:+, unsafe: {$1\}}}"
        echo "auth: {tokens: [{name: all, sha256: $(printf %s "$TOKEN_ALL" | sha256sum | cut -d' ' -f1), scopes: [all]}]}"
        echo "leak_watch: {every: 0s}"
    } >"$TMP/pillion.yaml"
}
ALL_KEYS='set_heap_profile_rate: 4096, set_block_profile_rate: 1000000, set_mutex_profile_fraction: 1'

start_rates() { # TOOLCHAIN OUT FLAG...: a target; sets OWN
    local bin
    bin=$("$ROOT/tests/targets/build_go.sh" "$1" gorates "$2" "${@:3}" 2>"$TMP/build.err")
    case $? in
    0) ;;
    77) return 77 ;;
    *) fail "gorates does not build with Go $1: $(tail -n 3 "$TMP/build.err")" ;;
    esac
    : >"$TMP/target.out"
    start_target "$bin"
    wait_for 10 grep -q ready "$TMP/target.out" || fail "gorates did not start"
    OWN=http://$(sed -n 's/^listen //p' "$TMP/target.out")
}
own() { curl -sf -m 30 "$OWN/$1"; } # what the target has: "heap block mutex"
heap() { own rates | cut -d' ' -f1; }
block() { own rates | cut -d' ' -f2; }
start_unsafe() { # KEYS
    configure "$1"
    start_pillion --config "$TMP/pillion.yaml"
    TOKEN=$TOKEN_ALL
}
state() { # KEY: of the status
    get /api/v1/status && python3 - "$BODY" "$1" <<'PY'
import json, sys
print(*[w["state"] for w in json.load(open(sys.argv[1]))["target"]["writes"] if w["key"] == "target.unsafe." + sys.argv[2]])
PY
}
is_set() { [ "$(own rates | tr ' ' '\n' | grep -cvx 0)" = 3 ]; }
all_profiles() { # DIRECTORY: ours, and the target's own where it serves them
    local kind
    mkdir -p "$1"
    for kind in heap block mutex; do
        get "/debug/pprof/$kind" && wants 200 "$kind of ${NAME:-it}"
        cp "$BODY" "$1/$kind"
        [ -z "${SERVES:-}" ] || own "debug/pprof/$kind" >"$1/$kind.own" || fail "the target gives no $kind"
    done
}

# --- without the keys nothing is written, and the refusals name them
start_rates local gorates-local-stripped '-ldflags=-s -w' || skip "no Go to build a target with"
[ "$(own rates)" = "0 0 0" ] || fail "the target begins with $(own rates)"
start_unsafe ""
for row in heap:set_heap_profile_rate allocs:set_heap_profile_rate block:set_block_profile_rate mutex:set_mutex_profile_fraction; do
    get "/debug/pprof/${row%%:*}" && wants 501 "${row%%:*} without a rate"
    is_error "${row%%:*}"
    says "target.unsafe.${row#*:}: writes into the target"
    [ "$(state "${row#*:}")" = off ] || fail "${row#*:} is $(state "${row#*:}")"
done
own "contend?n=2" >/dev/null
sleep 2 # longer than a target gets to settle
[ "$(own rates)" = "0 0 0" ] || fail "it was written to without a key: $(own rates)"
stop_pillion
[ "$(own rates)" = "0 0 0" ] || fail "it was written to at the end: $(own rates)"
! grep -q 'profiling rate' "$LOG" || fail "the log tells of writing"
ok "nothing is written without a key"

# --- one key writes one rate
start_unsafe "set_mutex_profile_fraction: 5"
mutex_is_5() { [ "$(own rates)" = "0 0 5" ]; }
wait_for 20 mutex_is_5 || fail "set_mutex_profile_fraction: 5 gives $(own rates)"
get /debug/pprof/block && wants 501 "block, whose key is not there"
says "target.unsafe.set_block_profile_rate"

# --- a key that goes away is restored on SIGHUP, one that comes is set, one that changes changes
configure "set_heap_profile_rate: 8192"
kill -HUP "$PID"
heap_is() { [ "$(own rates)" = "$1 0 0" ]; }
wait_for 20 heap_is 8192 || fail "after SIGHUP: $(own rates)"
configure "set_heap_profile_rate: 16384"
kill -HUP "$PID"
wait_for 20 heap_is 16384 || fail "after a changed key: $(own rates)"
echo "target: {pid: x" >"$TMP/pillion.yaml"
kill -HUP "$PID"
refused() { grep -q 'target.unsafe stays as it was' "$LOG"; }
wait_for 20 refused || fail "a broken file is not refused"
heap_is 16384 || fail "a broken file changed the rate"
configure ""
kill -HUP "$PID"
wait_for 20 heap_is 0 || fail "after SIGHUP without the key: $(own rates)"
ok "SIGHUP restores and sets"
stop_pillion

# --- somebody else's value is left
start_unsafe "set_block_profile_rate: 1000000"
block_set() { [ "$(block)" != 0 ]; }
wait_for 20 block_set || fail "set_block_profile_rate gives $(own rates)"
own "rate?block=1" >/dev/null && own "contend?n=3" >/dev/null || fail "the target does not obey"
get /debug/pprof/block && wants 200 "block at somebody else's rate"
gzip -dc "$BODY" | grep -aq 'somebody else has set it to 1 since' || fail "the profile does not say that the rate is another"
stop_pillion
[ "$(own rates)" = "0 1 0" ] || fail "what the program set itself was changed: $(own rates)"
grep -q 'somebody else has changed it' "$LOG" || fail "the log does not say why it was left"
# ... and what the program had is restored, not 0
start_unsafe "set_block_profile_rate: 0"
wait_for 20 heap_is 0 || fail "set_block_profile_rate: 0 gives $(own rates)"
stop_pillion
[ "$(own rates)" = "0 1 0" ] || fail "restored: $(own rates)"
[ "$EXIT" = 0 ] || fail "exit $EXIT"
ok "what others changed is left, what was there is restored"

# --- exec in place: another program with the same number. What stands there is its own
after_exec() {
    own exec >/dev/null
    exec_over() { OWN=http://$(sed -n 's/^listen //p' "$TMP/target.out" | tail -n 1) && own rates >/dev/null; }
    wait_for 10 exec_over || fail "the target did not come back from exec"
}
start_unsafe "set_mutex_profile_fraction: 5"
fraction_is() { [ "$(own rates | cut -d' ' -f3)" = "$1" ]; }
wait_for 20 fraction_is 5 || fail "before exec: $(own rates)"
after_exec
stop_pillion
[ "$(own rates)" = "0 0 0" ] || fail "after exec: $(own rates)"
grep -q 'not restored: somebody else has changed it' "$LOG" || fail "the log does not say that another program runs there"
kill "$TARGET_PID"
start_rates local gorates-local-pie-stripped -buildmode=pie -tags=profiles '-ldflags=-s -w'
start_unsafe "set_mutex_profile_fraction: 5"
wait_for 20 fraction_is 5 || fail "before exec: $(own rates)"
after_exec
set_anew() { get /debug/pprof/mutex && fraction_is 5; } # an exec is seen when something is asked
wait_for 20 set_anew || fail "after exec: $(own rates)"
stop_pillion
fraction_is 0 || fail "after exec, restored: $(own rates)"
kill "$TARGET_PID"
ok "exec makes it another program"

# --- no Go program: said, not tried
start_target sleep 1000
start_unsafe "set_heap_profile_rate: 4096"
no_go() { [ "$(state set_heap_profile_rate)" = not_go ]; }
wait_for 20 no_go || fail "the status says $(state set_heap_profile_rate)"
grep -q 'profiling rate not set in the target' "$LOG" || fail "the log does not say that nothing was written"
stop_pillion
kill "$TARGET_PID"
ok "no Go program: nothing is written, and said"

# --- each version: profiles of a program that samples nothing, with the right values
check_profiles() { # DIRECTORY
    python3 - "$ROOT/tests/e2e" "$1" "${SERVES:-}" <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
import pprof
folder, serves = sys.argv[2:4]
def rows(kind, name, own=""):
    p = pprof.read(f"{folder}/{kind}{own}")
    sums = [0] * len(p.types)
    for s in p.samples:
        if name in s["stack"]:
            sums = [a + b for a, b in zip(sums, s["values"])]
    return p, sums
# 1,000 objects of 13,568 bytes at a rate of 4,096: three of four are sampled
p, heap = rows("heap", "main.allocate")
assert 0.8 < heap[1] / 13568000 < 1.25, heap
assert 0.8 < heap[0] / 1000 < 1.25, heap
# 20 waits of 5 ms and more: each is longer than the block rate of 1 ms, and the fraction is 1
# who waits is in the block profile, who lets it wait in the mutex profile
for kind, name in ("block", "main.contend.func1"), ("mutex", "main.contend"):
    p, sums = rows(kind, name)
    assert sums[0] >= 20 and 0.1e9 <= sums[1] < 20e9, (kind, sums)
for kind, name in ("heap", "main.allocate"), ("block", "main.contend.func1"), ("mutex", "main.contend"):
    p, sums = rows(kind, name)
    if serves:
        own = rows(kind, name, ".own")[1]
        assert all(abs(a - b) <= abs(b) * 0.01 for a, b in zip(sums, own)), (kind, sums, own)
    key = {"heap": "set_heap_profile_rate", "block": "set_block_profile_rate", "mutex": "set_mutex_profile_fraction"}[kind]
    assert any(c.startswith(f"target.unsafe.{key}: pillion set ") for c in p.comments), p.comments
PY
}
try_version() { # NAME SERVES TOOLCHAIN FLAG...
    local before
    NAME=$1 SERVES=$2
    if ! start_rates "$3" "gorates-$1" "${@:4}"; then
        echo "$1: not to be had here"
        return 0
    fi
    before=$(own rates)
    [ -n "$SERVES" ] || [ "$before" = "0 0 0" ] || fail "$1 begins with $before"
    start_unsafe "$ALL_KEYS"
    wait_for 20 is_set || fail "$1: the rates are $(own rates): $(state set_heap_profile_rate)"
    [ "$(heap)" = 4096 ] || fail "$1: MemProfileRate is $(heap)"
    own warm >/dev/null && own "allocate?n=1000" >/dev/null && own "contend?n=20" >/dev/null || fail "$1 does not obey"
    all_profiles "$TMP/$1"
    [ -z "$SERVES" ] || SERVES=1
    check_profiles "$TMP/$1" || fail "$1: the profiles"
    stop_pillion
    [ "$(own rates)" = "$before" ] || fail "$1: restored to $(own rates) instead of $before"
    [ "$(grep -c 'profiling rate restored in the target' "$LOG")" = 3 ] || fail "$1: the log does not tell of restoring"
    kill "$TARGET_PID"
    ok "$1: set, profiled, restored"
}
try_version local-stripped "" local '-ldflags=-s -w'
try_version 1.22.12-stripped "" 1.22.12 '-ldflags=-s -w'
try_version local-pie-stripped yes local -buildmode=pie -tags=profiles '-ldflags=-s -w'
try_version 1.22.12-profiles yes 1.22.12 -tags=profiles '-ldflags=-s -w'
# GO_VERSIONS="1.18.10 1.25.4": others too, as `make test-go-versions` has them
for v in ${GO_VERSIONS:-}; do
    [ "$v" != all ] || continue
    try_version "$v-stripped" "" "$v" '-ldflags=-s -w'
    try_version "$v-pie-profiles" yes "$v" -buildmode=pie -tags=profiles '-ldflags=-s -w'
done
echo "$CHECKS checks"
