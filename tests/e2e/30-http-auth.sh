#!/bin/bash
# Who may call: tokens by every scheme, 401 on every path without, 403 with the scope's name.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3

start_target
start_pillion
[ -n "$TOKEN" ] || fail "no token was printed"
grep -q "^go tool pprof 'https+insecure://any:$TOKEN@$ADDRESS/debug/pprof/profile?seconds=10'\$" "$OUT" ||
    fail "the ready-made command is not there: $(cat "$OUT")"
ok "the start prints the ready-made command"

# --- without credentials nothing tells which paths exist
for path in / /debug/pprof /debug/pprof/ /debug/pprof/profile /debug/pprof/heap /metrics /livez /readyz \
    /api/v1/status /nothing /debug/pprof/nothing '/debug/pprof/profile?seconds=0'; do
    raw "$path"
    wants 401 "no credentials on $path"
    is_error "401 on $path"
    [ "$(header WWW-Authenticate)" = 'Bearer realm="pillion", Basic realm="pillion"' ] ||
        fail "401 on $path names no scheme: $(header WWW-Authenticate)"
    cut -d: -f1 "$HEAD" | grep -viE '^(date|x-request-id)' | sort >"$TMP/shape"
    [ -f "$TMP/shape.first" ] || cp "$TMP/shape" "$TMP/shape.first"
    cmp -s "$TMP/shape" "$TMP/shape.first" || fail "401 on $path looks different"
    cp "$BODY" "$TMP/body.now"
    [ -f "$TMP/body.first" ] || cp "$BODY" "$TMP/body.first"
    cmp -s "$TMP/body.now" "$TMP/body.first" || fail "401 on $path says something else"
done
for method in POST PUT DELETE OPTIONS PROPFIND; do
    raw /debug/pprof/profile -X "$method"
    wants 401 "no credentials with $method"
done
raw / && says Bearer && says Basic && says X-Pprof-Token && ok "401 says what to send"

# --- wrong ones
raw /debug/pprof/ -H "Authorization: Bearer wrong" && wants 401 "a wrong bearer token"
raw /debug/pprof/ -H "Authorization: Bearer ${TOKEN}x" && wants 401 "a token with one byte more"
raw /debug/pprof/ -H "Authorization: Bearer ${TOKEN%?}" && wants 401 "a token with one byte less"
raw /debug/pprof/ -H "Authorization: Bearer" && wants 401 "an empty bearer token"
raw /debug/pprof/ -H "Authorization: Digest $TOKEN" && wants 401 "another scheme"
raw /debug/pprof/ -u "any:wrong" && wants 401 "a wrong basic password"
raw /debug/pprof/ -u "$TOKEN:" && wants 401 "the token as the user name"
raw /debug/pprof/ -H "X-Pprof-Token: wrong" && wants 401 "a wrong X-Pprof-Token"
raw /debug/pprof/ -H "Authorization: Bearer $TOKEN" -H "X-Pprof-Token: $TOKEN" &&
    wants 400 "two credentials at once"

# --- right ones
raw /debug/pprof/ -H "Authorization: Bearer $TOKEN" && wants 200 "a bearer token"
raw /debug/pprof/ -H "authorization: bearer $TOKEN" && wants 200 "the scheme in lower case"
raw /debug/pprof/ -u "any:$TOKEN" && wants 200 "basic with the token as password"
raw /debug/pprof/ -H "X-Pprof-Token: $TOKEN" && wants 200 "X-Pprof-Token"

# --- a token in the query is refused, right or wrong
for q in "token=$TOKEN" "access_token=$TOKEN" "seconds=1&token=x"; do
    raw "/debug/pprof/?$q" && wants 400 "a token in the query"
    is_error "400"
    get "/debug/pprof/?$q" && wants 400 "a token in the query beside a right one"
done
no_secret "$TOKEN"
for p in /proc/[0-9]*; do
    ! tr '\0' '\n' 2>/dev/null <"$p/cmdline" | grep -qF -- "$TOKEN" || fail "the token is in the title of $p"
done
ok "no secret in the log or in a process title"
grep -q '"audit":true' "$LOG" || fail "no audit line"
grep '"audit":true' "$LOG" | grep -q '"identity":"start"' || fail "no identity in the audit log"
! grep '"audit":true' "$LOG" | grep -q 'seconds=' || fail "a query is in the audit log"
ok "audit lines name who, and no query"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT after SIGTERM"
ok "SIGTERM: exit 0"

# --- scopes
secret=plln_e2e_0123456789abcdefghijklmnop
echo "# tokens of the test
$secret" >"$TMP/tokens"
chmod 600 "$TMP/tokens"
hash=$(printf %s sekret-of-oncall-0123456789 | sha256sum | cut -d' ' -f1)
chmod 755 "$TMP"
chmod 644 "$TMP/tokens"
cat >"$TMP/pillion.yaml" <<YAML
auth:
  tokens:
    - {name: oncall, sha256: "$hash", scopes: [view]}
    - {name: robot, file: "$TMP/tokens", scopes: [metrics]}
health: {listen: ["127.0.0.1:0"]}
YAML
TOKEN=""
start_pillion --config "$TMP/pillion.yaml"
[ -z "$TOKEN" ] || fail "a token was made although the configuration has some"
TOKEN=sekret-of-oncall-0123456789
get /debug/pprof/ && wants 200 "a configured token"
says "profile?debug=1"
! grep -q "cmdline?debug=1" "$BODY" || fail "the index shows what the scopes do not allow"
ok "the index shows what the scopes allow"
get /metrics && wants 403 "view may not read metrics"
is_error "403"
says "metrics"
get /debug/pprof/cmdline && wants 403 "view may not read cmdline" && says cmdline
get /debug/pprof/trace && wants 403 "view may not trace" && says trace
get /debug/pprof/goroutine && wants 200 "view may see goroutines"
get /debug/pprof/offcpu && wants 501 "offcpu is allowed but not there yet"
TOKEN=$secret
get /metrics && wants 200 "a token from a file"
get /debug/pprof/profile && wants 403 "metrics may not profile" && says cpu
get /api/v1/status && wants 200 "any identity may read the status"

# --- the health listener: no credentials, no profile
[ -n "$HEALTH" ] || fail "the ready line has no health address"
admin=$URL
URL=http://$HEALTH
for path in /livez /readyz /metrics; do
    raw $path && wants 200 "$path on the health listener"
done
for path in / /debug/pprof/ /debug/pprof/profile /api/v1/status /debug/pprof/cmdline; do
    raw $path && wants 404 "$path is not on the health listener"
done
URL=$admin

# --- token files are read again when they change; a bad one is refused
TOKEN=$secret
echo "plln_e2e_another_9876543210zyxwvutsrqp" >"$TMP/tokens"
changed() { raw /metrics -H "X-Pprof-Token: plln_e2e_another_9876543210zyxwvutsrqp" && [ "$STATUS" = 200 ]; }
wait_for 15 changed || fail "the new token file is not taken"
get /metrics && wants 401 "the old token is gone"
TOKEN=plln_e2e_another_9876543210zyxwvutsrqp
echo "limits: {hz: nonsense}" >>"$TMP/pillion.yaml"
kill -HUP "$PID"
refused() { get /metrics && grep -q '^pillion_config_last_reload_successful 0' "$BODY"; }
wait_for 15 refused || fail "a bad configuration is not counted"
grep -q 'the new configuration is refused' "$LOG" || fail "a bad configuration is not logged"
ok "a bad configuration is refused, logged and counted; the old one stays"
no_secret "$secret" "$TOKEN" sekret-of-oncall-0123456789 "$hash"
echo "$CHECKS checks"
