#!/bin/bash
# Passwords of every scheme, JSON Web Tokens from a file's keys and from an URL's, Kubernetes'
# reviews: who gets in, who does not, what is remembered, and that no secret is shown.
# long: 35 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl openssl python3 perl
# shellcheck source=tests/e2e/credentials.sh
. "$(dirname "$0")/credentials.sh"
issue_begin
issue_server
start_target sleep 1000

own=$ISSUE/htpasswd
{
    echo "# users of the test"
    for scheme in sha512 sha256 bcrypt yescrypt; do
        echo "$scheme:$(hash_of $scheme "secret-of-$scheme")"
    done
} >"$own"
[ "$(grep -c ':\$' "$own")" = 4 ] || fail "this machine makes not all hashes: $(cat "$own")"
chmod 644 "$own"
cat >"$TMP/pillion.yaml" <<YAML
auth:
  tokens:
    - {name: oncall, sha256: "$(printf %s token-of-oncall-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [metrics]}
  basic: {htpasswd: "$own", scopes: [view]}
  jwt:
    - {issuer: "https://issuer.example", audience: pillion, jwks: "$ISSUE/jwks.json", scopes: [cmdline]}
    - {issuer: "https://away.example", audience: pillion, jwks: "$API/jwks", ca: "$ISSUE/tls.crt", subject: robot, scopes: [cmdline]}
  kubernetes: {audiences: [pprof-sidecar, pillion], scopes: [scrape], api: "$API", ca: "$ISSUE/tls.crt",
               token_file: "$ISSUE/own-token", namespace: prof, pod: demo-1}
limits: {handshakes: 1000, per_address: 128, connections: 256, unauthenticated: 128}
YAML
TOKEN=""
start_pillion --config "$TMP/pillion.yaml"
path=/api/v1/status

# --- passwords
for scheme in sha512 sha256 bcrypt yescrypt; do
    raw $path -u "$scheme:secret-of-$scheme" && wants 200 "a password by $scheme"
    raw /metrics -u "$scheme:secret-of-$scheme" && wants 403 "its scopes are those of auth.basic"
    says "auth.basic.scopes"
    raw $path -u "other:secret-of-$scheme" && [ "$STATUS" != 200 ] || fail "another user's password"
done
raw $path -u "any:token-of-oncall-0123456789" && wants 200 "a token as the password still is one"
raw $path -u "sha512:wrong" && wants 401 "a wrong password" && cp "$BODY" "$TMP/wrong"
raw $path -u "nobody1:wrong" && wants 401 "no such user"
cmp -s "$BODY" "$TMP/wrong" || fail "the answer tells who exists"
ok "a wrong password and no such user: the same words"
raw $path -u "sha512:secret-of-sha512" && wants 200 "a right one that is remembered is not held back"
held() { # USER: is a second wrong one answered at once, with the wait?
    raw $path -u "$1:wrong" && raw $path -u "$1:wrong2" && [ "$STATUS" = 429 ] && [ -n "$(header Retry-After)" ]
}
held sha256 || fail "wrong passwords are not slowed down: $STATUS"
held nobody2 || fail "wrong users are not slowed down: $STATUS"
ok "guesses are slowed down, for known and unknown users alike"
for _ in 1 2 3 4 5 6 7 8 9 10; do
    curl -sk -m 60 -o /dev/null -w '%{http_code}\n' -u "yescrypt:guess-$RANDOM$RANDOM" "$URL$path" &
done >"$TMP/guesses"
wait_for 60 eval '[ "$(grep -c . "$TMP/guesses")" = 10 ]' || fail "guesses are not answered: $(cat "$TMP/guesses")"
[ "$(grep -c 401 "$TMP/guesses")" -le 2 ] || fail "guesses side by side are all tried: $(sort "$TMP/guesses" | uniq -c)"
ok "guesses side by side are not tried"

# --- a new file: the old password is gone, weak hashes change nothing
{ sed '/^sha512:/d' "$own" && echo "sha512:$(hash_of sha512 second-password)"; } >"$own.new"
mv "$own.new" "$own"
fresh() { raw $path -u "sha512:second-password" && [ "$STATUS" = 200 ]; }
wait_for 20 fresh || fail "a new htpasswd file is not taken"
raw $path -u "sha512:secret-of-sha512" && wants 401 "the old password is gone at once"
# shellcheck disable=SC2016
echo 'weak:$apr1$abcdefgh$0123456789012345678901' >>"$own"
wait_for 20 grep -q "htpasswd:.*apr1" "$LOG" || fail "a weak hash is not refused with its line"
grep 'htpasswd:' "$LOG" | grep -q "htpasswd:6: apr1" || fail "the wrong line: $(grep htpasswd: "$LOG")"
raw $path -u "sha512:second-password" && wants 200 "a bad file changes nothing"
sed -i '/^weak:/d' "$own"

# --- JSON Web Tokens
by() { raw "${2:-$path}" -H "Authorization: Bearer $1"; }
for key in r e; do
    token=$(jwt $key)
    by "$token" && wants 200 "a token signed by $key"
    by "$token" /metrics && wants 403 "its scopes are the issuer's" && says "auth.jwt[].scopes"
    raw $path -H "X-Pprof-Token: $token" && wants 200 "the same as X-Pprof-Token"
    raw $path -u "any:$token" && wants 200 "the same as a password"
    by "${token%?????}AAAAA" && wants 401 "another signature by $key"
done
grep '"audit":true' "$LOG" | grep -q '"identity":"jwt:issuer.example:robot"' || fail "no name of the token's in the audit log"
grep '"audit":true' "$LOG" | grep -q '"reason":"its signature is wrong"' || fail "no reason in the audit log"
for claims in '{"exp": now - 61}' '{"exp": None}' '{"nbf": now + 300}' '{"iat": now + 300}' '{"aud": "other"}' \
    '{"aud": ["other"]}' '{"sub": ""}' '{"header": {"alg": "none"}}' '{"header": {"alg": "HS256"}}' \
    '{"header": {"crit": ["exp"]}}' '{"header": {"jku": "'"$API"'/jwks"}}' '{"header": {"kid": "none"}}' \
    '{"header": {"kid": "../r"}}'; do
    by "$(jwt r "$claims")" && wants 401 "a token with $claims"
done
by "$(jwt r '{"aud": ["x", "pillion"], "exp": now - 5, "nbf": now + 5}')" && wants 200 "several audiences, clocks that differ a little"
away='"iss": "https://away.example"'
from_url() { by "$(jwt e "{$away}")" && [ "$STATUS" = 200 ]; }
wait_for 20 from_url || fail "keys of a URL are not taken: $STATUS"
ok "keys of a URL"
by "$(jwt e "{$away, \"sub\": \"other\"}")" && wants 401 "another subject"
# a new key of the issuer: one more fetch, at most one a minute
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$ISSUE/e2.key"
key_set e2 e >"$ISSUE/jwks.new" && chmod 644 "$ISSUE/jwks.new" && mv "$ISSUE/jwks.new" "$ISSUE/jwks.json"
renewed() { by "$(jwt e2)" && [ "$STATUS" = 200 ]; }
wait_for 20 renewed || fail "a new key in the file is not taken"
ok "a new key in the file"
gone() { by "$(jwt r)" && [ "$STATUS" = 401 ]; }
wait_for 10 gone || fail "a key that has gone is still taken"
ok "a key that has gone is not taken"

# --- Kubernetes
: >"$ISSUE/asked"
asked() { grep -c "$1" "$ISSUE/asked"; }
by good-token-000000000001 && wants 200 "a token that the API server knows"
by good-token-000000000001 /debug/pprof/cmdline && wants 403 "its scopes are those of auth.kubernetes" && says auth.kubernetes.scopes
[ "$(asked TokenReview) $(asked SubjectAccessReview)" = "1 1" ] || fail "it is asked again: $(cat "$ISSUE/asked")"
ok "what the API server said is remembered"
grep '"audit":true' "$LOG" | grep -q '"identity":"k8s:system:serviceaccount:prof:scraper"' || fail "no service account in the audit log"
by denied-token-00000000001 && wants 403 "a token without the role" && says pods/pprof
by denied-token-00000000001 /nothing && wants 403 "the same on every path"
for token in wrongaud-token-0000000001 noaud-token-00000000000001 both-token-000000000001 garbage-token-0000000001; do
    by $token && wants 401 "$token"
done
raw $path -u "any:password-of-somebody" && [ "$STATUS" != 200 ] || fail "a password"
[ "$(asked TokenReview)" = 6 ] || fail "a password was shown to the API server"
ok "a password is not shown to the API server"
raw $path -u "any:eyJhbGciOiJSUzI1NiJ9.good-.AAAA" && [ "$STATUS" = 200 ] || fail "a service account's token by go tool pprof: $STATUS"
ok "a service account's token as the password"
for mode in 403 401 500 broken huge silent; do
    echo $mode >"$ISSUE/mode"
    by "good-token-in-mode-$mode" && wants 503 "an API server that says $mode"
    [ -n "$(header Retry-After)" ] || fail "no Retry-After"
done
by good-token-000000000001 && wants 200 "who is known meanwhile stays so"
echo ok >"$ISSUE/mode"
by good-token-in-mode-silent && wants 200 "when it is back"
echo "pod-token-of-pillion-0002" >"$ISSUE/own-token"
by good-token-000000000009 && wants 200 "our own token is read anew"
grep -q "system:auth-delegator" "$LOG" || fail "the log does not say what our account lacks"
ok "the log says what our account lacks"

# --- a client that goes away, and how much may wait
echo silent >"$ISSUE/mode"
curl -sk -m 1 -o /dev/null -H "Authorization: Bearer good-token-that-left-01" "$URL$path"
for _ in $(seq 30); do
    curl -sk -m 60 -o /dev/null -w '%{http_code}\n' -H "Authorization: Bearer good-token-wait-$RANDOM$RANDOM" "$URL$path" &
done >"$TMP/waiting"
raw $path -H "Authorization: Bearer token-of-oncall-0123456789" && wants 200 "a token is served at once meanwhile"
wait_for 60 eval '[ "$(grep -c . "$TMP/waiting")" = 30 ]' || fail "somebody waits for ever: $(sort "$TMP/waiting" | uniq -c)"
[ "$(sort -u "$TMP/waiting")" = 503 ] || fail "not all are told to come again: $(sort "$TMP/waiting" | uniq -c)"
ok "too many are told to come again, nobody waits for ever"
echo ok >"$ISSUE/mode"

raw /metrics -H "Authorization: Bearer token-of-oncall-0123456789" && wants 200 "metrics"
for method in htpasswd jwt kubernetes; do
    grep -q "^pillion_auth_decisions_total{method=\"$method\",decision=\"allowed\"} [1-9]" "$BODY" || fail "no count of $method"
done
ok "metrics count each kind"
no_secret token-of-oncall-0123456789 secret-of-sha512 secret-of-bcrypt second-password good-token-000000000001 \
    garbage-token-0000000001 pod-token-of-pillion-0001 password-of-somebody "$(jwt r | cut -d. -f3 | cut -c1-40)" "$(grep -o 'saltsalt.*' "$own" | head -n 1)"
! grep -q "eyJ" "$LOG" || fail "a token is in the log"
ok "no secret in the log"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT after SIGTERM"
echo "$CHECKS checks"
