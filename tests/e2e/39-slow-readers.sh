#!/bin/bash
# A hundred readers, each from an address of its own and with good credentials, ask for an answer of
# 4 MB and take it a byte a second: who works here is served meanwhile, though there are places for 64
# (PLACES="64 256": then with room for them all); memory stays small, and nothing is left afterwards.
# long: 35 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3
go_target local goruntime goruntime-local-s '-ldflags=-s -w'
bin=$GO_TARGET
"$bin" -n 22000 >"$TMP/target.out" 2>&1 &
TARGET_PID=$!
PIDS+=("$TARGET_PID")
wait_for 60 grep -qs ^ready "$TMP/target.out" || fail "the target does not begin"

case $BUILD in *asan* | *tsan*) memory=1500 wait=20 ;; *) memory=64 wait=5 ;; esac # a sanitizer's own is not ours
for places in ${PLACES:-64}; do
    TOKEN=token-of-oncall-0123456789
    cat >"$TMP/pillion.yaml" <<YAML
auth: {tokens: [{name: oncall, sha256: "$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)", scopes: [all]}]}
limits: {connections: $places, handshakes: 200}
YAML
    start_pillion --config "$TMP/pillion.yaml"
    TOKEN=token-of-oncall-0123456789
    sidecar=$(pgrep -P "$PID" -f pillion-sidecar)
    python3 "$ROOT/tests/e2e/slow.py" "${ADDRESS##*:}" "$TOKEN" "$PID" 100 "/debug/pprof/goroutine?debug=2" \
        "${SLOW_SECONDS:-6}" "${SLOW_WAIT:-$wait}" "$memory" || fail "$places places"
    ok "$places places"
    get /metrics && wants 200 "it serves on"
    [ "$(pgrep -P "$PID" -f pillion-sidecar)" = "$sidecar" ] || fail "the sidecar was restarted"
    stop_pillion
    [ "$EXIT" = 0 ] || fail "exit $EXIT"
done
echo "$CHECKS checks"
