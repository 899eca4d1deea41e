#!/bin/bash
# The programs of the image, which have no shared library, are in the same sandbox as the others: same
# filters, same rights, and they live in it. What hostile code can do there is sandbox_hostile_test's
# business; `make test-static` runs more of these tests against them.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3
STATIC=$ROOT/build/static DYNAMIC=$ROOT/build/release
[ -x "$STATIC/pillion" ] || skip "build/static is not built: make static"
[ -x "$DYNAMIC/pillion" ] || skip "build/release is not built"
[ "$STATIC/pillion-sidecar" -nt "$ROOT/base/seccomp.c" ] || skip "build/static is older than the filter: make static"

start_target sleep 1000
printf %s "token-of-static-0123456789" >"$TMP/token"
cat >"$TMP/pillion.yaml" <<YAML
auth: {tokens: [{name: t, sha256: "$(sha256sum <"$TMP/token" | cut -d' ' -f1)", scopes: [all]}]}
forward: [{name: away, type: pyroscope, url: "http://localhost:9"}]
collect: {every: 1s, profiles: [{type: cpu, seconds: 1}]}
YAML
seen() { # DIRECTORY FILE: what each program says of its sandbox, and what the kernel says of it
    local program pid
    BUILD=$1
    start_pillion --config "$TMP/pillion.yaml"
    TOKEN=$(cat "$TMP/token")
    for program in sampler sidecar; do
        pid=$(pgrep -P "$PID" -f "pillion-$program") || fail "$1: no $program"
        echo "$program $(readlink "/proc/$pid/exe" | sed 's|.*/||')"
        grep -E '^(NoNewPrivs|Seccomp|CapEff|CapPrm|CapBnd|CapAmb):' "/proc/$pid/status"
        grep '"msg":"confined"' "$LOG" | grep "\"program\":\"$program\"" | sed 's/.*"program"/"program"/'
    done >"$2"
    get /api/v1/status && wants 200 "$(basename "$1"): it serves"
    get /debug/pprof/ && wants 200 "$(basename "$1"): the index"
    wait_for 30 grep -q '"backend":"away"' "$LOG" || fail "$1: it does not connect, or not resolve"
    stop_pillion
    [ "$EXIT" = 0 ] || fail "$1: exit $EXIT"
    ! grep '"msg":"child ended"' "$LOG" || fail "$1: a program ended"
}
seen "$DYNAMIC" "$TMP/dynamic"
seen "$STATIC" "$TMP/static"
grep -q '^Seccomp:.*2' "$TMP/static" || fail "no filter: $(cat "$TMP/static")"
! ldd "$STATIC/pillion-sidecar" 2>/dev/null | grep -q '=>' || fail "it is not static"
diff "$TMP/dynamic" "$TMP/static" || fail "their sandboxes differ"
ok "the static programs are in the same sandbox: $(grep -c confined "$LOG") programs, filters and rights alike"
echo "$CHECKS checks"
