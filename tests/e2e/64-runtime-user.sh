#!/bin/bash
# The runtime's profiles as an ordinary user without a single capability: of one's own process all
# of them, of another's none, with the line of YAML that would grant it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need setpriv curl python3
[ "$(id -u)" = 0 ] || skip "needs root to become somebody else"

go_target local goleak goleak-local '-ldflags=-s -w'
bin=$GO_TARGET
chmod 755 "$TMP"
mkdir "$TMP/bin"
for p in pillion pillion-guard pillion-sampler pillion-sidecar; do cp "$(readlink -f "$BUILD/$p")" "$TMP/bin/"; done
cp "$bin" "$TMP/bin/goleak"
cd "$TMP" || exit 1
as() {
    local uid=$1
    shift
    exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --bounding-set=-all --inh-caps=-all \
        --no-new-privs "$@"
}
start_as() { # UID: the sidecar; sets what start_pillion does
    PILLIONS=$((PILLIONS + 1))
    LOG=$TMP/log.$PILLIONS OUT=$TMP/out.$PILLIONS
    (as "$1" "$TMP/bin/pillion" run --pid "$TARGET_PID" --listen 127.0.0.1:0) >"$OUT" 2>"$LOG" &
    PID=$!
    PIDS+=("$PID")
    wait_for 30 is_ready || fail "no ready line"
    URL=https://$(log_field ready admin)
    TOKEN=$(sed -n 's|.*any:\([^@]*\)@.*|\1|p' "$OUT" | head -n 1)
}

(as 12345 "$TMP/bin/goleak") >"$TMP/target.out" 2>&1 &
TARGET_PID=$!
PIDS+=("$TARGET_PID")
wait_for 20 grep -q ready "$TMP/target.out" || fail "goleak did not start"
own=http://$(sed -n 's/^listen //p' "$TMP/target.out")
for word in leak?n=50 allocate?n=10 contend?n=4 collect; do curl -sf "$own/$word" >/dev/null || fail "goleak: $word"; done

# --- the target's user and group, and nothing else
start_as 12345
caps=$(sed -n 's/^CapPrm:\s*//p' "/proc/$PID/status")
[ "$((16#$caps))" = 0 ] || fail "the guard holds capabilities: $caps"
mode=$(log_field ready mode)
case $mode in perf | restricted) ;; *) fail "mode $mode" ;; esac
for q in goroutine heap allocs block mutex threadcreate delta_heap 'goroutine?labels=detail' \
    'goroutine?debug=1' 'goroutine?debug=2' 'heap?debug=1' 'block?debug=1' 'heap?seconds=1'; do
    get "/debug/pprof/$q" && wants 200 "$q as its user"
    [ -s "$BODY" ] || fail "$q: nothing"
done
get '/debug/pprof/goroutine?debug=1' && says '50 @ ' && says 'main.waitForever'
get /metrics && grep -qE '^pillion_target_go_goroutines [5-9][0-9]$' "$BODY" || fail "no counters of the target"
ok "everything, in mode $mode"
stop_pillion

# --- another user
start_as 12346
for q in goroutine heap allocs block mutex threadcreate delta_heap 'goroutine?debug=2' 'heap?seconds=1'; do
    get "/debug/pprof/$q" && wants 501 "$q of another user"
    is_error "$q"
    says "\`securityContext: {capabilities: {drop: [ALL], add: [SYS_PTRACE]}}\`"
    ! grep -q PERFMON "$BODY" || fail "$q asks for more than it needs"
done
ok "501: $(cat "$BODY")"
get '/debug/pprof/?format=json' && wants 200 index
python3 - "$BODY" <<'PY' || fail "the index promises what cannot be had"
import json, sys
rows = {r["name"]: r for r in json.load(open(sys.argv[1]))["profiles"]}
for name in "goroutine heap allocs block mutex threadcreate".split():
    assert not rows[name]["available"] and "SYS_PTRACE" in rows[name]["reason"], rows[name]
PY
get /metrics && wants 200 "metrics of another user's"
! grep -q '^pillion_target_go_' "$BODY" || fail "counters of a program that cannot be read"
echo "$CHECKS checks"
