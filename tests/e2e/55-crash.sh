#!/bin/bash
# kill -9: of the sampler or the sidecar during a profile: back within seconds, the request in flight
# gets 503 with the reason; of the guard: both children end. Three crashes in a row on one profile say so.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3 go
need_perf

child() { pgrep -P "$PID" -f "pillion-$1"; }
other() { local c; c=$(child "$1"); [ -n "$c" ] && [ "$c" != "$2" ]; }
ready() { curl -sk -m 5 -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $TOKEN" "$URL/readyz" | grep -q 200; }
gone() { ! kill -0 "$1" 2>/dev/null; }

token=crash-token-0123456789
cat >"$TMP/pillion.yaml" <<YAML
auth: {tokens: [{name: t, sha256: "$(printf %s $token | sha256sum | cut -d' ' -f1)", scopes: [all]}]}
limits: {min_interval: 0s}
YAML
start_target
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start_pillion --config "$TMP/pillion.yaml" --listen "127.0.0.1:$port"
TOKEN=$token

kill_during() { # PROGRAM: sets BG's status file
    local victim
    curl -sk -m 30 -o "$TMP/killed" -D "$TMP/killed.head" -w '%{http_code}' -H "Authorization: Bearer $TOKEN" \
        "$URL/debug/pprof/profile?seconds=10" >"$TMP/killed.status" &
    BG=$!
    sleep 1
    victim=$(child "$1")
    [ -n "$victim" ] || fail "no $1"
    kill -9 "$victim"
    wait "$BG"
    wait_for 10 other "$1" "$victim" || fail "the $1 did not come back"
}

kill_during sampler
[ "$(cat "$TMP/killed.status")" = 503 ] || fail "the request in flight: $(cat "$TMP/killed.status")"
grep -qi 'sampler' "$TMP/killed" || fail "no reason: $(cat "$TMP/killed")"
ok "sampler killed: 503: $(cat "$TMP/killed")"
wait_for 10 ready || fail "not ready again"
get '/debug/pprof/profile?seconds=1' && wants 200 "the next profile"

kill_during sidecar
wait_for 10 ready || fail "not ready again after the sidecar's death"
sleep 1
get '/debug/pprof/profile?seconds=1' && wants 200 "a profile after the sidecar's death"

for i in 1 2 3; do
    kill_during sampler
    wait_for 15 ready || fail "not ready again ($i)"
done
get '/debug/pprof/profile?seconds=1' && wants 503 "after three crashes in a row"
says "three times in a row"
ok "it says so: $(cat "$BODY")"
kill -HUP "$PID"
sleep 1
get '/debug/pprof/profile?seconds=1' && wants 200 "after a reload"

sampler=$(child sampler)
sidecar=$(child sidecar)
kill -9 "$PID"
wait_for 5 gone "$sampler" || fail "the sampler outlives the guard"
wait_for 5 gone "$sidecar" || fail "the sidecar outlives the guard"
ok "guard killed: both children end"
