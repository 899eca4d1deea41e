#!/bin/bash
# One at a time, min_interval, share; clients that leave; slow and silent ones; targets that leave.
# long: 45 s
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3
need_perf

config() { # limits
    cat >"$TMP/pillion.yaml" <<YAML
auth:
  tokens:
    - {name: a, sha256: "$(printf %s token-a-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [all]}
    - {name: b, sha256: "$(printf %s token-b-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [all]}
limits: {$1}
YAML
}
metric() { # NAME: its value
    curl -sk -m 10 -H "Authorization: Bearer token-a-0123456789" "$URL/metrics" | awk -v n="$1" '$1 == n { print $2 }'
}
in_flight_is() { [ "$(metric pillion_in_flight)" = "$1" ]; }
background() { # FILE TOKEN QUERY: sets BG
    curl -sk -m 60 -o "$TMP/$1" -D "$TMP/$1.head" -w '%{http_code}' -H "Authorization: Bearer $2" \
        "$URL/debug/pprof/profile?$3" >"$TMP/$1.status" &
    BG=$!
    PIDS+=("$BG")
}

start_target
config "min_interval: 0s, profile_seconds: 30"
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-b-0123456789

# --- one at a time
background one token-a-0123456789 seconds=4
one=$BG
wait_for 5 in_flight_is 1 || fail "the first does not run"
get '/debug/pprof/profile?seconds=1' && wants 429 "a second one"
is_error "429"
says "a profile is already running"
retry=$(header Retry-After)
[ "$retry" -ge 1 ] && [ "$retry" -le 4 ] || fail "Retry-After: $retry"
get /debug/pprof/ && wants 200 "the index meanwhile"
get '/debug/pprof/profile?seconds=1' -I && wants 200 "HEAD meanwhile"
wait "$one"
[ "$(cat "$TMP/one.status")" = 200 ] || fail "the first: $(cat "$TMP/one.status")"
ok "the first is served"
get '/debug/pprof/profile?seconds=1' && wants 200 "then the second"

# --- a client that leaves ends its session within a second
background gone token-a-0123456789 seconds=20
gone=$BG
wait_for 5 in_flight_is 1 || fail "it does not run"
kill "$gone"
began=$(date +%s%N)
wait_for 3 in_flight_is 0 || fail "the session of a client that left goes on"
took=$((($(date +%s%N) - began) / 1000000))
[ "$took" -lt 1500 ] || fail "it took $took ms"
ok "a client that leaves ends its session ($took ms)"
get '/debug/pprof/profile?seconds=1' && wants 200 "the next one may run at once"
[ "$(metric 'pillion_profiles_total{type="cpu",result="canceled"}')" = 1 ] || fail "the cancel is not counted"
grep '"status":499' "$LOG" | grep -q '"identity":"a"' || fail "the one that left is not in the audit log"

# --- silent and slow clients do not lock a good one out
python3 - "${ADDRESS%:*}" "${ADDRESS##*:}" "$TMP/hold" <<'PY' &
import os, socket, sys, time
held = []
for i in range(256):
    try:
        s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
        if i % 2:
            s.send(b"\x16")  # the first byte of a handshake that never goes on
        held.append(s)
    except OSError:
        pass
open(sys.argv[3], "w").close()
time.sleep(20)
PY
holder=$!
PIDS+=("$holder")
wait_for 20 test -e "$TMP/hold" || fail "the silent clients do not connect"
served() { get /livez -m 5 && [ "$STATUS" = 200 ]; }
wait_for 10 served || fail "a good client is locked out by silent ones"
ok "a good client is served beside 256 silent connections"
kill "$holder" 2>/dev/null
wait "$holder" 2>/dev/null

# --- SIGTERM while a profile runs: it is served with what there is
background cut token-a-0123456789 seconds=20
cut=$BG
wait_for 5 in_flight_is 1 || fail "it does not run"
sleep 1
stop_pillion
wait "$cut"
[ "$EXIT" = 0 ] || fail "exit $EXIT after SIGTERM"
[ "$(cat "$TMP/cut.status")" = 200 ] || fail "the running profile: $(cat "$TMP/cut.status")"
grep -qi '^Pillion-Ended: shutdown' "$TMP/cut.head" || fail "Pillion-Ended: $(cat "$TMP/cut.head")"
ok "SIGTERM serves the running profile and exits 0"

# --- min_interval
config "min_interval: 4s"
start_pillion --config "$TMP/pillion.yaml"
get '/debug/pprof/profile?seconds=1' && wants 200 "the first of b"
get '/debug/pprof/profile?seconds=1' && wants 429 "the next one too soon"
says "min_interval"
retry=$(header Retry-After)
[ "$retry" -ge 1 ] && [ "$retry" -le 4 ] || fail "Retry-After: $retry"
TOKEN=token-a-0123456789
get '/debug/pprof/profile?seconds=1' && wants 200 "another identity need not wait"
TOKEN=token-b-0123456789
sleep "$retry"
get '/debug/pprof/profile?seconds=1' && wants 200 "after Retry-After"
[ "$(metric pillion_rate_limited_total)" = 1 ] || fail "rate_limited_total: $(metric pillion_rate_limited_total)"
stop_pillion

# --- share
config "min_interval: 10s, share: true"
start_pillion --config "$TMP/pillion.yaml"
background s1 token-a-0123456789 seconds=3 && s1=$BG
wait_for 5 in_flight_is 1 || fail "the first shared one does not run"
background s2 token-a-0123456789 seconds=2 && s2=$BG
background s3 token-b-0123456789 seconds=2 && s3=$BG
wait "$s1" "$s2" "$s3"
for i in 1 2 3; do
    [ "$(cat "$TMP/s$i.status")" = 200 ] || fail "shared $i: $(cat "$TMP/s$i.status")"
    python3 "$ROOT/tests/e2e/pprof.py" "$TMP/s$i" >/dev/null || fail "shared $i is no profile"
done
ok "three overlap with share"

stop_pillion

config "min_interval: 0s"
start_pillion --config "$TMP/pillion.yaml"
# --- a sampler that is killed: 503 with the reason, and back again
background crash token-b-0123456789 seconds=10
crash=$BG
wait_for 5 in_flight_is 1 || fail "it does not run"
sampler=$(pgrep -P "$PID" -f pillion-sampler) || fail "no sampler"
kill -9 "$sampler"
wait "$crash"
[ "$(cat "$TMP/crash.status")" = 503 ] || fail "killed sampler: $(cat "$TMP/crash.status")"
grep -qi '^Retry-After: ' "$TMP/crash.head" || fail "no Retry-After"
grep -q 'the sampler died' "$TMP/crash" || fail "no reason: $(cat "$TMP/crash")"
ok "a killed sampler: $(cat "$TMP/crash")"
again() { get '/debug/pprof/profile?seconds=1' && [ "$STATUS" = 200 ]; }
wait_for 15 again || fail "it does not come back"
ok "and is back"

# --- a target that leaves
background early token-b-0123456789 seconds=15
early=$BG
wait_for 5 in_flight_is 1 || fail "it does not run"
sleep 1
kill -9 "$TARGET_PID"
wait "$early"
[ "$(cat "$TMP/early.status")" = 200 ] || fail "early end: $(cat "$TMP/early.status")"
grep -qi '^Pillion-Ended: target-exit' "$TMP/early.head" || fail "no Pillion-Ended: $(cat "$TMP/early.head")"
python3 "$ROOT/tests/e2e/pprof.py" "$TMP/early" >/dev/null || fail "no profile of a target that left"
ok "a target that exits ends the profile early"
no_target() { get '/debug/pprof/profile?seconds=1' && [ "$STATUS" = 503 ]; }
wait_for 10 no_target || fail "no 503 without a target: $STATUS"
says "no target"
[ -n "$(header Retry-After)" ] || fail "no Retry-After"
get /readyz && wants 503 "not ready without a target"
get /livez && wants 200 "alive without a target"
echo "$CHECKS checks"
