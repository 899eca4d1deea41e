#!/bin/bash
# Floods: silent connections by the thousand, handshakes, slow heads, slow readers of a large answer.
# Who has shown credentials is served all the while, memory stays small, nothing is left behind.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 pgrep

SILENT=${FLOOD:-4000} # 10000 by hand
TOKEN=token-of-oncall-0123456789
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 16000 ] || SILENT=500
start_target sleep 1000
cat >"$TMP/pillion.yaml" <<YAML
auth: {tokens: [{name: oncall, sha256: "$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)", scopes: [all]}]}
health: {listen: ["127.0.0.1:0"]}
YAML
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-of-oncall-0123456789
sidecar=$(pgrep -P "$PID" -f pillion-sidecar) || fail "no sidecar"
descriptors() {
    # shellcheck disable=SC2012
    ls "/proc/$sidecar/fd" | wc -l
}
before=$(descriptors)
case $BUILD in *asan* | *tsan*) memory=1500 ;; *) memory=64 ;; esac # a sanitizer's own is not ours
python3 "$ROOT/tests/e2e/flood.py" "${ADDRESS##*:}" "$TOKEN" "${HEALTH##*:}" "$SILENT" "$memory" ||
    fail "the flood"
calm() { [ "$(descriptors)" -le "$before" ]; }
wait_for 30 calm || fail "descriptors: $(descriptors), $before before"
ok "no descriptor is left"
get /api/v1/status && wants 200 "and it serves on"
[ "$(pgrep -P "$PID" -f pillion-sidecar)" = "$sidecar" ] || fail "the sidecar was restarted"
[ "$(wc -l <"$LOG")" -lt 2000 ] || fail "the log has $(wc -l <"$LOG") lines"
ok "one sidecar all the while, and a log that can be read"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
echo "$CHECKS checks"
