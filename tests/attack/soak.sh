#!/bin/bash
# soak.sh: MINUTES (default 30) of everything at once, against a build with a sanitizer: profiles of
# every kind and page; tokens, passwords, JSON Web Tokens, Kubernetes' reviews, client certificates,
# right and wrong; clients that leave, that read slowly, that flood; broken requests; forwarding to
# backends that misbehave; history; reloads, tokens and certificates that are exchanged, an API server
# that fails, a key set that changes, a sampler that is killed. It fails when a sanitizer reports, a
# program other than the one killed dies, or a kind of good client is hardly ever served.
#
#     make MODE=asan && MINUTES=30 PILLION_BUILD=build/asan tests/attack/soak.sh
#     make MODE=tsan && MINUTES=30 PILLION_BUILD=build/tsan tests/attack/soak.sh
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
need curl python3 go openssl perl
need_perf
# shellcheck source=tests/e2e/pki.sh
. "$ROOT/tests/e2e/pki.sh"
# shellcheck source=tests/e2e/credentials.sh
. "$ROOT/tests/e2e/credentials.sh"
minutes=${MINUTES:-30}
end=$((SECONDS + minutes * 60))
server=$("$ROOT/tests/targets/build_go.sh" local goscrape goscrape-local '-ldflags=-s -w') || skip "no target here"

# Reports go to the log: the sandbox has no other file.
export TSAN_OPTIONS=halt_on_error=0:exitcode=66:report_signal_unsafe=0
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0
REPORT='ERROR: (Address|Undefined|Leak)|runtime error:|WARNING: ThreadSanitizer|ThreadSanitizer:'

# --- credentials of every kind
pki_make
issue_begin
issue_server
for scheme in sha512 bcrypt yescrypt; do
    echo "$scheme:$(hash_of $scheme "secret-of-$scheme")"
done >"$TMP/htpasswd"
hours="\"exp\": now + 86400"
for key in r e; do
    jwt $key "{$hours}"
    jwt $key "{$hours, \"iss\": \"https://away.example\"}"
done >"$TMP/jwts"
printf 'soak-token-0123456789\n' >"$TMP/token"
mkdir -p "$TMP/state/of/pillion" "$TMP/files" "$TMP/cloud" "$TMP/live"
swap() { # NAME CERTIFICATE: a set of secrets, put in place by one rename as the kubelet does it
    mkdir -p "$TMP/live/$1"
    cp "$PKI/$2.pem" "$TMP/live/$1/tls.crt"
    cp "$PKI/$2.key" "$TMP/live/$1/tls.key"
    cp "$PKI/root.pem" "$TMP/live/$1/ca.crt"
    cp "$PKI/all.crl" "$TMP/live/$1/crl.pem"
    echo "token-of-$1-0123456789abcdef" >"$TMP/live/$1/token"
    [ "$1" != broken ] || head -c 100 "$PKI/$2.key" >"$TMP/live/$1/tls.key"
    chmod 644 "$TMP/live/$1"/*
    ln -sfn "$1" "$TMP/live/..new"
    mv -T "$TMP/live/..new" "$TMP/live/..data"
}
swap one server
for f in token tls.crt tls.key ca.crt crl.pem; do ln -s "..data/$f" "$TMP/live/$f"; done

# --- backends: one that does everything wrong in turn, one that is strict
coproc BACKEND { exec "$ROOT/tests/e2e/servers/backend.py" 'status=200&times=20' 'status=503&times=5' 'mode=cut&times=2' \
    'mode=reset&times=2' 'status=200&delay=1&times=10' 'status=429&header=Retry-After:+1&times=2' 'mode=bighead&times=2' \
    'mode=hangup&times=2' 'mode=stall&times=1' 'mode=huge&times=1' 'mode=cutchunk&times=2' 'mode=drip&interval=0.01&times=2' \
    'mode=early&times=2' 'status=413&times=2' 'status=400&body=no&times=2' 'vanish=1&times=3' 'status=200'; }
PIDS+=("$BACKEND_PID")
read -r _ port <&"${BACKEND[0]}"
openssl pkey -in "$ISSUE/r.key" -pubout -out "$TMP/public.pem"
mkfifo "$TMP/cloud.in"
python3 "$ROOT/tests/e2e/servers/clouds.py" "$TMP/cloud" "$TMP/public.pem" <"$TMP/cloud.in" >"$TMP/cloud.port" 2>"$TMP/cloud.err" &
PIDS+=("$!")
exec 9>"$TMP/cloud.in"
wait_for 30 test -s "$TMP/cloud.port" || fail "clouds.py: $(cat "$TMP/cloud.err")"
cloud=$(sed -n 's/^port //p' "$TMP/cloud.port")
printf 'very/Secret+key' >"$TMP/live/s3"
printf 'session/token==' >"$TMP/live/session"

"$server" >"$TMP/endpoint" 2>"$TMP/endpoint.err" &
TARGET_PID=$!
PIDS+=("$TARGET_PID")
wait_for 20 grep -q ready "$TMP/endpoint" || fail "the endpoint does not begin: $(cat "$TMP/endpoint.err")"
scrape=$(awk '/ready/ {print $2}' "$TMP/endpoint")
cat >"$TMP/pillion.yaml" <<YAML
admin: {tls: {certificate: $TMP/live/tls.crt, key: $TMP/live/tls.key, client_ca: $TMP/live/ca.crt, client_auth: optional,
              crl: [$TMP/live/crl.pem]}}
auth:
  tokens:
    - {name: soak, file: $TMP/token, scopes: [all]}
    - {name: rotated, file: $TMP/live/token, scopes: [view]}
  basic: {htpasswd: "$TMP/htpasswd", scopes: [view]}
  certificates: [{name: prod, uri: "spiffe://td.example/ns/prod/*", scopes: [all]}]
  jwt:
    - {issuer: "https://issuer.example", audience: pillion, jwks: "$ISSUE/jwks.json", scopes: [all]}
    - {issuer: "https://away.example", audience: pillion, jwks: "$API/jwks", ca: "$ISSUE/tls.crt", scopes: [all]}
  kubernetes: {audiences: [pillion], scopes: [scrape], api: "$API", ca: "$ISSUE/tls.crt",
               token_file: "$ISSUE/own-token", namespace: prof, pod: demo-1}
limits: {min_interval: 0s, share: true, handshakes: 200, per_address: 24, connections: 96, unauthenticated: 32}
collect:
  every: 2s
  profiles: [{type: cpu, seconds: 1, hz: 100}, {type: heap}, {type: goroutine}, {type: mutex}, {type: block}, {type: allocs}]
  scrape: {url: "http://$scrape/debug/pprof", types: [open_connections]}
leak_watch: {every: 1s, window: 5}
redact: [{match: "[0-9]{12,}", replace: "#"}]
forward:
  - {name: pyro, type: pyroscope, url: "http://localhost:$port"}
  - {name: parca, type: parca, url: "http://127.0.0.1:$port"}
  - {name: otel, type: otlp, url: "http://127.0.0.1:$port", timeout: 2s}
  - {name: nobody, type: pyroscope, url: "http://127.0.0.1:1"}
  - {name: files, type: directory, path: $TMP/files}
  - {name: dog, type: datadog, url: "http://127.0.0.1:$cloud/dog"}
  - {name: s3, type: s3, url: "http://127.0.0.1:$cloud", bucket: bucket, region: eu-central-1, access_key_id: AKEXAMPLE,
     secret_access_key_file: $TMP/live/s3, session_token_file: $TMP/live/session}
spool: {dir: $TMP/state/of/pillion/spool, max_size: 8MiB}
history: {dir: $TMP/state/of/pillion/history, max_size: 16MiB}
log: {level: info, format: json}
YAML
READY_SECONDS=60 start_pillion --config "$TMP/pillion.yaml"
echo "the log: $LOG"
python3 "$ROOT/tests/attack/crowd.py" "${ADDRESS##*:}" "$TMP" "$minutes" >"$TMP/codes" 2>"$TMP/crowd.err" &
CROWD=$!
PIDS+=("$CROWD")

swaps=0 killed=0
trouble() { # one of each, over some 30 seconds
    sleep 5
    kill -HUP "$PID"
    swap two rsaserver
    echo 500 >"$ISSUE/mode"
    sleep 6
    swap broken server
    echo silent >"$ISSUE/mode"
    key_set e >"$ISSUE/jwks.new" && mv "$ISSUE/jwks.new" "$ISSUE/jwks.json"
    sleep 6
    swap one server
    echo ok >"$ISSUE/mode"
    echo "sha512:$(hash_of sha512 secret-of-sha512)" >"$TMP/htpasswd.new"
    sed '/^sha512/d' "$TMP/htpasswd" >>"$TMP/htpasswd.new"
    mv "$TMP/htpasswd.new" "$TMP/htpasswd"
    key_set r e >"$ISSUE/jwks.new" && mv "$ISSUE/jwks.new" "$ISSUE/jwks.json"
    sleep 8
    swaps=$((swaps + 3))
    # rarely: one that dies again and again is started less and less often, and nothing is profiled then
    [ $((swaps % 18)) != 3 ] || { kill -9 "$(pgrep -P "$PID" -f pillion-sampler)" 2>/dev/null && killed=$((killed + 1)); }
}
bad=""
while [ "$SECONDS" -lt "$end" ] && kill -0 "$CROWD" 2>/dev/null; do
    trouble
    kill -0 "$PID" 2>/dev/null || { bad="the guard is gone"; break; }
    if grep -qE "$REPORT" "$LOG"; then
        bad="a sanitizer reports"
        [ -n "${KEEP_GOING:-}" ] || break
    fi
done
[ -n "$bad" ] || wait "$CROWD"
stop_pillion
cp "$LOG" "${SOAK_LOG:-/dev/null}" 2>/dev/null
cat "$TMP/codes" "$TMP/crowd.err"
said() { # WORDS: how often in the log
    grep -c "$1" "$LOG"
}
echo "sampler killed: $killed, secrets exchanged: $swaps, reloads refused: $(said 'the new configuration is refused')," \
    "reviews: $(grep -c TokenReview "$ISSUE/asked"), answers in the audit log: $(said '"audit":true')"
if grep -qE "$REPORT" "$LOG"; then
    grep -E 'SUMMARY|runtime error:' "$LOG" | sort | uniq -c
    bad=${bad:-a sanitizer reports}
fi
ends=$(grep '"msg":"child ended"' "$LOG" | grep -vc '"signal":"KILL"')
[ "$ends" = 0 ] || bad="${bad:-a program died: $(grep '"msg":"child ended"' "$LOG" | grep -v '"signal":"KILL"' | head -n 1)}"
for name in cpu kinds pages rotated users robots accounts certified slow_readers; do
    n=$(sed -n "s/^$name 200 //p" "$TMP/codes")
    [ "${n:-0}" -ge "$minutes" ] || bad="${bad:-$name was hardly served: ${n:-0} times}"
done
for name in impostors bad_certificates; do
    ! grep -q "^$name 200 " "$TMP/codes" || bad="${bad:-$name got in}"
done
[ "$EXIT" = 0 ] || bad="${bad:-exit $EXIT}"
[ -z "$bad" ] || fail "$bad"
ok "$minutes minutes"
