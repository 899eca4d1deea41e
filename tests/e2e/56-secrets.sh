#!/bin/bash
# No secret in a log line, a process title, an environment of ours or an answer; confinement is on.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3 go openssl
need_perf

secret=very-secret-token-0123456789
printf '%s\n' "$secret" >"$TMP/token"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$TMP/tls.key" -out "$TMP/tls.crt" \
    -subj /CN=localhost -days 2 2>/dev/null
cat >"$TMP/pillion.yaml" <<YAML
admin: {tls: {certificate: $TMP/tls.crt, key: $TMP/tls.key}}
auth: {tokens: [{name: file, file: $TMP/token, scopes: [all]}]}
limits: {min_interval: 0s}
log: {level: debug}
YAML
start_target env SECRET_OF_THE_TARGET=dontshow "$("$ROOT/tests/targets/build_go.sh" local demo demo -trimpath '-ldflags=-s -w')"
start_pillion --config "$TMP/pillion.yaml"
TOKEN=$secret
get '/debug/pprof/profile?seconds=1' && wants 200 "a profile"
raw '/debug/pprof/profile?seconds=1' -u "any:$secret" && wants 200 "by Basic"
raw '/debug/pprof/' -H "X-Pprof-Token: $secret" && wants 200 "by X-Pprof-Token"
raw "/debug/pprof/profile?token=$secret" && [ "$STATUS" != 200 ] || fail "a token in the query: $STATUS"
raw /debug/pprof/ -H "Authorization: Bearer wrong-$secret-wrong" && wants 401 "a wrong token"
get /api/v1/status && wants 200 "status"
cp "$BODY" "$TMP/status"
key=$(sed -n 2p "$TMP/tls.key")
no_secret "$secret" "$(printf 'any:%s' "$secret" | base64)" "$key" dontshow "$(printf %s "$secret" | sha256sum | cut -d' ' -f1)"
! grep -qF "$secret" "$TMP/status" || fail "the token is in the status"
for p in $PID $(pgrep -P "$PID"); do
    ! tr '\0' '\n' <"/proc/$p/cmdline" | grep -qF "$secret" || fail "the token is in a title"
    ok "$(tr '\0' ' ' <"/proc/$p/cmdline" | cut -c1-60)"
    grep -q '^NoNewPrivs:.*1' "/proc/$p/status" || fail "$p may gain privileges"
done
for name in sampler sidecar; do
    p=$(pgrep -P "$PID" -f "pillion-$name")
    grep -q '^CapEff:.*0000000000000000' "/proc/$p/status" || fail "the $name has capabilities"
    grep -q '^CapPrm:.*0000000000000000' "/proc/$p/status" || fail "the $name may have capabilities"
    grep -q '^Seccomp:.*2' "/proc/$p/status" || fail "the $name has no seccomp filter"
    ok "the $name is confined"
done
[ "$(grep -c '"msg":"confined"' "$LOG")" = 3 ] || fail "not three lines that say what is left"
ok "three lines say what is left"

# the start token is printed once, outside the log
stop_pillion
start_pillion
[ -n "$TOKEN" ] || fail "no token for this start"
no_secret "$TOKEN"
ok "the start token stands on standard output alone"
