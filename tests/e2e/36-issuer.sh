#!/bin/bash
# What is remembered of an issuer's keys and of the API server's answers, and for how long: the clock
# that the program sees is moved. A new key of the issuer, an issuer that cannot be reached, keys that
# are too old; a token for two minutes, a permission for five, a refusal for half a one; the reviews of
# paths (non_resource), and what the log says of all of it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl openssl python3
# shellcheck source=tests/e2e/credentials.sh
. "$(dirname "$0")/credentials.sh"
issue_begin
issue_server
start_target sleep 1000

head -c 8 /dev/zero >"$TMP/shift"
"${CC:-cc}" -std=gnu11 -O1 -shared -fPIC -o "$TMP/realclock.so" "$ROOT/tests/targets/realclock.c" ||
    skip "no C compiler"
NOW=0
later() { # SECONDS
    NOW=$((NOW + $1))
    python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("q", int(sys.argv[2])))' "$TMP/shift" "$NOW"
}
begin() { # [non_resource: true]
    cat >"$TMP/pillion.yaml" <<YAML
auth:
  jwt:
    - {issuer: "https://away.example", audience: pillion, jwks: "$API/jwks", ca: "$ISSUE/tls.crt", scopes: [view]}
  kubernetes: {audiences: [pillion], scopes: [scrape], api: "$API", ca: "$ISSUE/tls.crt", token_file: "$ISSUE/own-token",
               namespace: prof, pod: demo-1$1}
health: {listen: ["127.0.0.1:0"]}
limits: {handshakes: 1000, per_address: 128, connections: 256, unauthenticated: 128}
log: {level: debug}
YAML
    export LD_PRELOAD=$TMP/realclock.so REALCLOCK=$TMP/shift MONOCLOCK=1 ASAN_OPTIONS=verify_asan_link_order=0
    start_pillion --config "$TMP/pillion.yaml"
    unset LD_PRELOAD REALCLOCK MONOCLOCK ASAN_OPTIONS
    TOKEN=""
}
path=/api/v1/status
by() { raw "${2:-$path}" -H "Authorization: Bearer $1"; }
asked() { grep -c "$1" "$ISSUE/asked"; }
metric() { curl -s -m 20 "http://$HEALTH/metrics" | grep -F "pillion_jwks_$1" | sed -n 's/.* //p' | tail -n 1; }
away='"iss": "https://away.example"'
token() { jwt "$1" "{$away, 'exp': now + $NOW + 3000 ${2:-}}"; }
is_let_in() { by "$1" && [ "$STATUS" = 200 ]; }

# --- the issuer's keys: fetched at the start, once more for an unknown one, but once a minute
begin ""
wait_for 20 is_let_in "$(token e)" || fail "keys of a URL are not taken: $STATUS"
[ "$(asked 'GET /jwks')" = 1 ] || fail "fetched more than once"
[ "$(metric 'keys{')" = 2 ] && [ "$(metric 'fetches_total{issuer="https://away.example",result="success"}')" = 1 ] ||
    fail "the metrics do not count keys and fetches"
age=$(($(date +%s) - $(metric "last_success_timestamp_seconds{")))
[ "$age" -ge 0 ] && [ "$age" -le 30 ] || fail "the keys are $age s old"
ok "fetched at the start; the metrics tell how many, when and how"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$ISSUE/e2.key"
key_set e2 >"$ISSUE/jwks.new" && mv "$ISSUE/jwks.new" "$ISSUE/jwks.json"
for _ in 1 2 3 4 5; do by "$(token e2)" && wants 401 "a new key within the first minute"; done
[ "$(asked 'GET /jwks')" = 1 ] || fail "an unknown key makes us fetch as often as it is named"
later 61
by "$(token e2)" && wants 200 "a new key a minute later: fetched for it"
by "$(token e)" && wants 401 "the key that it replaced"
for i in 1 2 3 4 5; do by "$(token e "\"sub\": \"$i\"" | sed 's/^/x/')"; done
by "$(token r)" && wants 401 "a third key, at once"
[ "$(asked 'GET /jwks')" = 2 ] || fail "fetched $(asked 'GET /jwks') times instead of 2"
later 301
wait_for 20 eval '[ "$(asked "GET /jwks")" = 3 ]' || fail "not fetched again after five minutes"
ok "fetched every five minutes"

# --- the issuer cannot be reached: the keys hold for a day
echo 500 >"$ISSUE/mode"
later 301
failing() { [ "$(metric 'fetches_total{issuer="https://away.example",result="failure"}')" -ge 1 ]; }
wait_for 20 failing || fail "a failed fetch is not counted"
by "$(token e2)" && wants 200 "the old keys while the issuer is away"
later 79200
by "$(token e2)" && wants 200 "after 22 hours too"
[ "$(metric 'keys{')" = 1 ] || fail "the metrics have no key"
age=$(($(date +%s) + NOW - $(metric "last_success_timestamp_seconds{")))
[ "$age" -ge 79000 ] || fail "the keys are said to be $age s old"
later 7300
by "$(token e2)" && wants 503 "after a day no more"
[ "$(metric 'keys{')" = 0 ] || fail "the metrics have keys that are not believed"
grep -q '"msg":"the keys of a token issuer cannot be fetched' "$LOG" || fail "the log does not tell"
echo ok >"$ISSUE/mode"
later 61
wait_for 20 is_let_in "$(token e2)" || fail "not let in when the issuer is back: $STATUS"
ok "and when it is back, they are fetched"

# --- the API server's answers
: >"$ISSUE/asked"
counts() { echo "$(asked TokenReview) $(asked SubjectAccessReview)"; }
good=good-token-000000000001 denied=denied-token-00000000001
by $good && wants 200 "a token that is known"
later 110
by $good && wants 200 "not asked again within two minutes"
[ "$(counts)" = "1 1" ] || fail "asked again: $(counts)"
later 20
by $good && wants 200 "after two minutes: whose token it is"
[ "$(counts)" = "2 1" ] || fail "not the token alone: $(counts)"
later 110
by $good
later 80
by $good && wants 200 "after five minutes: what they may do"
[ "$(counts)" = "3 2" ] || fail "asked: $(counts)"
: >"$ISSUE/asked"
by $denied && wants 403 "one that may not"
later 25
by $denied && wants 403 "remembered for half a minute"
[ "$(counts)" = "1 1" ] || fail "asked again: $(counts)"
later 10
by $denied && wants 403 "asked anew then"
[ "$(counts)" = "1 2" ] || fail "not asked anew: $(counts)"
by both-token-000000000001 && wants 401 "an answer of 201 with an error"
grep '"audit":true' "$LOG" | tail -n 1 | grep -q '"identity":""' || fail "it has a name"
grep -q non_resource "$LOG" && fail "a warning without need"
no_secret $good $denied both-token-000000000001 pod-token-of-pillion-0001
! grep -q '"spec"\|TokenReview' "$LOG" || fail "an answer of the API server is in the log"
ok "no token and no answer in the log, at its most talkative"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"

# --- paths instead of the Pod
begin ", non_resource: true"
grep '"level":"warn"' "$LOG" | grep -q non_resource || fail "no warning of non_resource"
ok "non_resource: a warning at the start"
: >"$ISSUE/asked"
by $good /debug/pprof/ && wants 200 "a path that the caller may get"
by $good /api/v1/status && wants 403 "one that it may not"
by $good /debug/pprof/cmdline && wants 403 "one that it may, without our scope" && says auth.kubernetes.scopes
[ "$(counts)" = "1 3" ] || fail "not one question for each path: $(counts)"
by $denied /debug/pprof/ && wants 403 "another caller" && says "with non_resource, on the path"
"$BUILD/pillion" check --config "$TMP/pillion.yaml" 2>&1 | grep -q "non_resource" || fail "pillion check does not name it"
ok "pillion check names it"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
echo "$CHECKS checks"
