#!/bin/bash
# The privilege matrix: every row that this kernel allows (user, group, capabilities, a filter, not
# dumpable, user namespace). In each one `pillion doctor` has to say what an independent prober with
# the same rights really got (rights.py); some also through the endpoint, whose 501 names the right
# and the line of YAML.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need setpriv python3 curl
[ "$(id -u)" = 0 ] || skip "needs root to become somebody else"
[ "$(cat /proc/sys/kernel/perf_event_paranoid)" = 2 ] || skip "the matrix is that of perf_event_paranoid 2"
[ ! -e /proc/sys/kernel/yama/ptrace_scope ] || [ "$(cat /proc/sys/kernel/yama/ptrace_scope)" = 0 ] ||
    skip "Yama is in the way of more than the matrix knows"

chmod 755 "$TMP"
mkdir "$TMP/bin"
for p in pillion pillion-guard pillion-sampler pillion-sidecar; do cp "$(readlink -f "$BUILD/$p")" "$TMP/bin/"; done
cp "$ROOT/tests/e2e/rights.py" "$TMP/"
chmod -R a+rX "$TMP"
export PYTHONDONTWRITEBYTECODE=1
rights() { python3 "$TMP/rights.py" "$@"; }
cd / || exit 1

rights matrix "$TMP/bin" || fail "doctor and the prober do not agree"
ok "the matrix"

# --- this machine alone, and who cannot be found
code=0
setpriv --reuid 12345 --regid 12345 --clear-groups --bounding-set=-all "$TMP/bin/pillion" doctor >"$TMP/host" || code=$?
[ "$code" = 1 ] || fail "no target: exit $code"
grep -q '^no target' "$TMP/host" && grep -q 'cpu  *yes' "$TMP/host" && grep -q 'process_vm_readv  *ok' "$TMP/host" ||
    fail "no target: $(cat "$TMP/host")"
"$TMP/bin/pillion" doctor --process no-such-thing >"$TMP/host" 2>&1
[ $? = 2 ] || fail "a target that is not there is no bad usage"
ok "without a target: $(head -n 1 "$TMP/host")"

# --- the same through the endpoint
as() { # ROW: the sidecar against that row's target
    local prefix
    (exec python3 "$TMP/rights.py" start "$1") >"$TMP/pid" &
    PIDS+=("$!")
    wait_for 20 test -s "$TMP/pid" || fail "$1: no target"
    TARGET_PID=$(cat "$TMP/pid")
    rm "$TMP/pid"
    PILLIONS=$((PILLIONS + 1))
    LOG=$TMP/log.$PILLIONS OUT=$TMP/out.$PILLIONS
    : >"$LOG"
    prefix=$(rights prefix "$1")
    # shellcheck disable=SC2086 # words
    (exec $prefix "$TMP/bin/pillion" run --pid "$TARGET_PID" --listen 127.0.0.1:0) >"$OUT" 2>"$LOG" &
    PID=$!
    PIDS+=("$PID")
    wait_for 30 is_ready || fail "$1: no ready line"
    URL=https://$(log_field ready admin)
    TOKEN=$(sed -n 's|.*any:\([^@]*\)@.*|\1|p' "$OUT" | head -n 1)
}
refuses() { # PATH WORDS YAML
    get "/debug/pprof/$1" && wants 501 "$1"
    is_error "$1"
    says "$2"
    says "$3"
}
mode_is() {
    get /metrics
    says "pillion_mode{mode=\"$1\"} 1"
    get /api/v1/status
    says "\"mode\":\"$1\""
}
row() { # ROW MODE: begin
    as "$1"
    mode_is "$2"
    get '/debug/pprof/?format=json'
    says "securityContext: {"
    ok "$1: mode $2"
}
ptrace='securityContext: {capabilities: {drop: [ALL], add: [SYS_PTRACE]}}'

row same-user-filter restricted
refuses 'profile?seconds=1' 'seccomp profile' 'securityContext: {seccompProfile: {type: Localhost, localhostProfile: pillion.json}}'
get /api/v1/status
says '"perf_user":"EPERM"'
says '"process_vm_readv":"ok"'
stop_pillion
row root-of-defaults none
refuses 'profile?seconds=1' 'more capabilities than we have' "$ptrace"
refuses heap 'more capabilities than we have' 'securityContext: {capabilities: {drop: [ALL]}}'
stop_pillion
row undumpable none
refuses 'profile?seconds=1' 'not dumpable' "$ptrace"
refuses goroutine 'not dumpable' "$ptrace"
stop_pillion
row userns none
refuses 'profile?seconds=1' 'another user namespace' "$ptrace"
refuses heap 'another user namespace' "$ptrace"
stop_pillion
row other-user-ptrace perf
refuses wall "the target's user's alone" 'securityContext: {runAsUser: 12345, runAsGroup: 12345}'
stop_pillion
row other-user none
refuses 'profile?seconds=1' 'another user (uid 12345, we are 12346)' 'securityContext: {runAsUser: 12345, runAsGroup: 12345}'
refuses mutex 'another user' "$ptrace"
stop_pillion
echo "$CHECKS checks"
