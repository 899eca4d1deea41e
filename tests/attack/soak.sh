#!/bin/bash
# soak.sh: MINUTES (default 30) of everything at once, against a build with a sanitizer: profiles of
# all kinds, wrong credentials, clients that leave, broken requests, forwarding to a backend that is
# sometimes down, history, reloads, a sampler that is killed. It fails when a sanitizer reports, a
# program other than the one killed dies, the log has an error, or nothing was served.
#
#     make MODE=asan && MINUTES=30 PILLION_BUILD=build/asan tests/attack/soak.sh
#     make MODE=tsan && MINUTES=30 PILLION_BUILD=build/tsan tests/attack/soak.sh
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
need curl python3 go openssl
need_perf
minutes=${MINUTES:-30}
end=$((SECONDS + minutes * 60))

# Reports go to the log: the sandbox has no other file.
export TSAN_OPTIONS=halt_on_error=0:exitcode=66:report_signal_unsafe=0
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$TMP/tls.key" -out "$TMP/tls.crt" \
    -subj /CN=localhost -days 2 2>/dev/null
mkdir -p "$TMP/conf" "$TMP/state/of/pillion" "$TMP/files"
printf 'soak-token-0123456789\n' >"$TMP/conf/token"
coproc BACKEND { exec "$ROOT/tests/e2e/servers/backend.py" 'status=200&times=20' 'status=503&times=5' 'mode=cut&times=2' \
    'mode=reset&times=2' 'status=200&delay=1&times=10' 'status=429&header=Retry-After:+1&times=2' 'status=200'; }
PIDS+=("$BACKEND_PID")
read -r _ port <&"${BACKEND[0]}"
cat >"$TMP/conf/pillion.yaml" <<YAML
admin: {tls: {certificate: $TMP/tls.crt, key: $TMP/tls.key}}
auth: {tokens: [{name: soak, file: $TMP/conf/token, scopes: [all]}]}
limits: {min_interval: 0s, share: true, handshakes: 200, per_address: 48, unauthenticated: 32}
collect:
  every: 2s
  profiles: [{type: cpu, seconds: 1, hz: 100}, {type: heap}, {type: goroutine}, {type: mutex}, {type: block}]
forward:
  - {name: pyro, type: pyroscope, url: "http://localhost:$port"}
  - {name: parca, type: parca, url: "http://127.0.0.1:$port"}
  - {name: otel, type: otlp, url: "http://127.0.0.1:$port"}
  - {name: nobody, type: pyroscope, url: "http://127.0.0.1:1"}
  - {name: files, type: directory, path: $TMP/files}
spool: {dir: $TMP/state/of/pillion/spool, max_size: 8MiB}
history: {dir: $TMP/state/of/pillion/history, max_size: 16MiB}
log: {level: info, format: json}
YAML
start_target
READY_SECONDS=60 start_pillion --config "$TMP/conf/pillion.yaml"
TOKEN=soak-token-0123456789
echo "the log: $LOG"

ask() { curl -sk -m 60 -o "$1" -w '%{http_code}\n' -H "Authorization: Bearer $TOKEN" "${@:3}" "$URL$2" >>"$TMP/codes"; }
until_end() { # NAME COMMAND: again and again, a process of its own
    (while [ "$SECONDS" -lt "$end" ]; do "$1"; done) &
    PIDS+=("$!")
}
cpu() { ask "$TMP/o1" "/debug/pprof/profile?seconds=2&hz=200"; }
kinds() {
    local k
    for k in goroutine heap allocs block mutex threadcreate delta_heap "goroutine?debug=2" "heap?seconds=1" "goroutine?labels=detail"; do
        ask "$TMP/o2" "/debug/pprof/$k"
    done
}
pages() {
    local p
    for p in / /debug/pprof/ "/debug/pprof/?format=json" /api/v1/status /api/v1/targets /metrics /livez "/api/v1/profiles?limit=5" \
        "/api/v1/profiles/merge?type=goroutine&from=-1h" "/api/v1/profiles/merge?type=cpu&from=-1h"; do
        ask "$TMP/o3" "$p"
    done
    sleep 0.2
}
strangers() {
    curl -sk -m 20 -o /dev/null -H "Authorization: Bearer wrong" "$URL/debug/pprof/"
    curl -sk -m 20 -o /dev/null -u "a:b" "$URL/debug/pprof/profile?seconds=1"
    curl -s -m 5 -o /dev/null "http://$ADDRESS/"
    sleep 0.5
}
leavers() {
    curl -sk -m 0.7 -o /dev/null -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/profile?seconds=3"
    curl -sk -m 0.05 -o /dev/null -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/goroutine?debug=2"
    sleep 0.3
}
noise() {
    python3 - "${ADDRESS%:*}" "${ADDRESS##*:}" <<'PY'
import os, random, socket, ssl, sys, time
at = (sys.argv[1], int(sys.argv[2]))
context = ssl._create_unverified_context()
for _ in range(20):
    try:
        raw = socket.create_connection(at, 5)
        raw.settimeout(5)
        kind = random.randrange(4)
        if kind == 0:
            raw.sendall(os.urandom(random.randrange(1, 2000)))
        elif kind == 1:
            raw.sendall(b"\x16\x03\x01")
        else:
            tls = context.wrap_socket(raw)
            tls.sendall(random.choice([b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n",
                                       os.urandom(300), b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n"]))
            if kind == 3:
                tls.recv(1000)
            tls.close()
        raw.close()
    except OSError:
        pass
    time.sleep(0.1)
PY
}
trouble() { # reloads, a certificate that changes, a sampler that dies
    sleep 7
    kill -HUP "$PID"
    printf '%s\n' "$TOKEN" >"$TMP/conf/token.new" && mv "$TMP/conf/token.new" "$TMP/conf/token"
    sleep 8
    kill -9 "$(pgrep -P "$PID" -f pillion-sampler)" 2>/dev/null
    echo >>"$TMP/killed"
}
for what in cpu kinds kinds pages strangers leavers noise trouble; do until_end "$what"; done

bad=""
while [ "$SECONDS" -lt "$end" ]; do
    sleep 5
    kill -0 "$PID" 2>/dev/null || { bad="the guard is gone"; break; }
    if grep -qE 'ERROR: (Address|Undefined)|runtime error:|WARNING: ThreadSanitizer' "$LOG"; then
        bad="a sanitizer reports"
        [ -n "${KEEP_GOING:-}" ] || break
    fi
done
stop_pillion
cp "$LOG" "${SOAK_LOG:-/dev/null}" 2>/dev/null
count() { sort "$TMP/codes" | uniq -c | tr -s ' \n' ' '; }
echo "answers:$(count)"
echo "sampler killed: $(wc -l <"$TMP/killed" 2>/dev/null || echo 0), peak memory is not judged under a sanitizer"
if grep -qE 'WARNING: ThreadSanitizer|runtime error:|ERROR: AddressSanitizer' "$LOG"; then
    grep -E 'SUMMARY|runtime error:' "$LOG" | sort | uniq -c
    bad=${bad:-a sanitizer reports}
fi
ends=$(grep '"msg":"child ended"' "$LOG" | grep -vc '"signal":"KILL"')
[ "$ends" = 0 ] || bad="${bad:-a program died: $(grep '"msg":"child ended"' "$LOG" | grep -v '"signal":"KILL"' | head -n 1)}"
[ "$(grep -c '^200$' "$TMP/codes")" -gt $((minutes * 20)) ] || bad="${bad:-hardly anything was served}"
[ "$EXIT" = 0 ] || bad="${bad:-exit $EXIT}"
[ -z "$bad" ] || fail "$bad"
ok "$minutes minutes"
