#!/bin/bash
# The endpoint over time: a target that comes later, crashes in a row, callers without credentials,
# a unix socket, a guard that is killed.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3 pgrep
need_perf

ready_now() { get /readyz && [ "$STATUS" = 200 ]; }
child() { pgrep -P "$PID" -f "$1"; }
gone() { # pid: no process, or one that only waits to be reaped
    case $(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) in '' | Z | X) return 0 ;; esac
    return 1
}

# --- the target is not there yet
go_target local demo demo -trimpath '-ldflags=-s -w'
demo=$GO_TARGET
name=late$$
cp "$demo" "$TMP/$name"
start_pillion --process "$name"
[ "$(log_field ready target)" = "" ] || fail "a target before it is there"
get /readyz && wants 503 "not ready without a target"
says "no target yet"
get '/debug/pprof/profile?seconds=1' && wants 503 "no profile without a target"
says "no target yet"
[ -n "$(header Retry-After)" ] || fail "no Retry-After"
get '/debug/pprof/?format=json' && wants 200 "the index without a target"
python3 - "$BODY" <<'PY' || fail "the index does not say why"
import json, sys
rows = {r["name"]: r for r in json.load(open(sys.argv[1]))["profiles"]}
assert not rows["profile"]["available"] and "no target" in rows["profile"]["reason"], rows["profile"]
PY
start_target "$TMP/$name"
wait_for 15 ready_now || fail "the target is not found when it comes"
get '/debug/pprof/profile?seconds=1' && wants 200 "a target that came later"
stop_pillion

# --- nobody has to show anything, and may do little
cat >"$TMP/pillion.yaml" <<YAML
admin: {tls: off}
auth: {anonymous: {scopes: [cpu]}}
limits: {min_interval: 0s}
YAML
TOKEN=""
PLAIN=1 start_pillion --config "$TMP/pillion.yaml"
[ ! -s "$OUT" ] || fail "a command is printed although no token was made: $(cat "$OUT")"
raw '/debug/pprof/profile?seconds=1' && wants 200 "anonymous may profile"
raw /debug/pprof/cmdline && wants 403 "anonymous may not read cmdline"
raw /debug/pprof/nothing && wants 404 "an unknown path"
raw /debug/pprof/ -H "Authorization: Bearer wrong" && wants 401 "a wrong token where anonymous is let in"
grep '"audit":true' "$LOG" | grep -q '"identity":"anonymous"' || fail "no anonymous in the audit log"

# --- three crashes in a row stop it; a reload lets it try again
for i in 1 2 3; do
    wait_for 20 sh -c "curl -s '$URL/readyz' | grep -q ok" || fail "not ready before crash $i"
    (
        sleep 0.7
        kill -9 "$(child pillion-sampler)"
    ) &
    raw '/debug/pprof/profile?seconds=10'
    wait $!
    wants 503 "crash $i"
    says "the sampler died"
done
wait_for 20 sh -c "curl -s '$URL/readyz' | grep -q ok" || fail "not ready after the crashes"
raw '/debug/pprof/profile?seconds=1' && wants 503 "after three crashes"
says "three times in a row"
kill -HUP "$PID"
tried() { raw '/debug/pprof/profile?seconds=1' && [ "$STATUS" = 200 ]; }
wait_for 10 tried || fail "not tried again after a reload: $STATUS"
ok "a reload lets it try again"

# --- a sidecar that is killed comes back
before=$(child pillion-sidecar)
kill -9 "$before"
another() { [ "$(grep -c '"msg":"ready"' "$LOG")" -ge 2 ]; }
wait_for 15 another || fail "the sidecar does not come back"
URL=http://$(log_field ready admin)
wait_for 15 tried || fail "the new sidecar gives no profile: $STATUS"
ok "a killed sidecar comes back"

# --- a guard that is killed takes both with it
sidecar=$(child pillion-sidecar) sampler=$(child pillion-sampler)
[ -n "$sidecar" ] && [ -n "$sampler" ] || fail "not all programs run"
kill -9 "$PID"
wait_for 5 gone "$sidecar" || fail "the sidecar outlives the guard"
wait_for 5 gone "$sampler" || fail "the sampler outlives the guard"
ok "a killed guard ends both children"

# --- a unix socket
cat >"$TMP/pillion.yaml" <<YAML
admin: {listen: ["unix:$TMP/p.sock"], tls: off}
YAML
PID="" LOG=$TMP/log.unix OUT=$TMP/out.unix
: >"$LOG"
"$BUILD/pillion" run --config "$TMP/pillion.yaml" --pid "$TARGET_PID" >"$OUT" 2>"$LOG" &
PID=$!
PIDS+=("$PID")
wait_for 20 is_ready || fail "no ready line on a unix socket"
[ "$(log_field ready admin)" = "unix:$TMP/p.sock" ] || fail "the ready line: $(log_field ready admin)"
TOKEN=$(sed -n "s|.*Bearer \([^']*\)'.*|\1|p" "$OUT")
URL=http://localhost
get '/debug/pprof/profile?seconds=1' --unix-socket "$TMP/p.sock" && wants 200 "a profile by a unix socket"
is_gzip || fail "not gzip"
raw / --unix-socket "$TMP/p.sock" && wants 401 "a unix socket without a token"
grep '"audit":true' "$LOG" | grep -q '"address":"unix:pid ' || fail "no peer in the audit log"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
echo "$CHECKS checks"
