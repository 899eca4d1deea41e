#!/bin/bash
# Backends that misbehave, each in its own way, all in one run beside two that do not: nothing is
# lost, nothing is sent twice where the first was acknowledged, the good ones get everything in
# time, status and metrics tell the truth.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 openssl curl
command -v go >/dev/null || skip "no go in PATH"
need_perf

PORT=""
listening() { [ -s "$TMP/$1.port" ]; }
receiver() { # NAME ARG...: backend.py; sets PORT
    local name=$1
    shift
    mkdir -p "$TMP/$name.bodies"
    : >"$TMP/$name.log"
    mkfifo "$TMP/$name.in"
    python3 "$ROOT/tests/e2e/servers/backend.py" --log "$TMP/$name.log" --bodies "$TMP/$name.bodies" "$@" \
        <"$TMP/$name.in" >"$TMP/$name.port" 2>"$TMP/$name.err" &
    PIDS+=($!)
    # shellcheck disable=SC2034
    exec {FD}>"$TMP/$name.in" # it ends when we do
    wait_for 30 listening "$name" || fail "$name: no receiver"
    PORT=$(sed -n 's/^port //p' "$TMP/$name.port")
}
FORWARD=""
backend() { # NAME TYPE KEYS ARG...: a receiver and its line of the configuration
    local name=$1 type=$2 keys=$3
    shift 3
    receiver "$name" "$@"
    FORWARD+="  - {name: $name, type: $type, url: \"http://127.0.0.1:$PORT\"$keys}"$'\n'
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=elsewhere \
    -addext subjectAltName=DNS:localhost -keyout "$TMP/other.key" -out "$TMP/other.crt" 2>/dev/null ||
    fail "no certificate"
mkdir "$TMP/conf" "$TMP/store"
printf 'Zm9yd2FyZC1zZWNyZXQ' >"$TMP/conf/bearer"
printf 'aws-Secret-KEY' >"$TMP/conf/s3"
chmod 600 "$TMP/conf/bearer" "$TMP/conf/s3"
BEARER=", bearer_file: $TMP/conf/bearer"

backend good pyroscope "$BEARER"
backend html parca "" 'type=text/html&body=<html>login</html>'
backend limited pyroscope "" 'status=429&times=2' 'status=200'
backend later datadog "" 'status=429&header=Retry-After:+3' 'status=200'
backend large pyroscope "" 'status=413'
backend broken pyroscope "" 'status=500&body=boom'
backend mended s3 ", bucket: b, region: r, access_key_id: AK, secret_access_key_file: $TMP/conf/s3" \
    'status=500&times=2' 'status=200'
backend cut otlp "" 'mode=cut&bytes=100' 'status=200&type=application/x-protobuf'
backend drip pyroscope ", timeout: 2s" 'mode=drip&bytes=60' 'status=200'
backend huge pyroscope "" 'mode=hugechunk'
backend hangup pyroscope "" 'mode=hangup' 'mode=reset' 'status=200'
receiver cert --tls "$TMP/other.crt" "$TMP/other.key"
FORWARD+="  - {name: cert, type: pyroscope, url: \"https://localhost:$PORT\"$BEARER}"$'\n'
receiver elsewhere
backend moved pyroscope "$BEARER" "status=307&header=Location:+http://127.0.0.1:$PORT/push.v1.PusherService/Push"
FORWARD+="  - {name: nowhere, type: pyroscope, url: \"http://no-such-host.invalid:$PORT\"}"$'\n'
FORWARD+="  - {name: files, type: directory, path: $TMP/store/files}"$'\n'
mkdir "$TMP/store/files"

config() { # COLLECT
    cat >"$TMP/conf/new" <<EOF
admin: {tls: off}
labels: {service_name: shop}
$1
forward:
${FORWARD}spool: {dir: $TMP/store/spool}
EOF
    mv "$TMP/conf/new" "$TMP/conf/pillion.yaml"
}
config "collect:
  every: 2s
  profiles:
    - {type: cpu, seconds: 1}
    - {type: heap}
    - {type: goroutine}"

start_target
PLAIN=1 start_pillion --config "$TMP/conf/pillion.yaml"
SIDECAR=$(pgrep -P "$PID" -f pillion-sidecar | head -n 1)

check() { python3 "$ROOT/tests/e2e/check_receivers.py" "$TMP" "$@"; }
status() { get /api/v1/status && [ "$STATUS" = 200 ] && cp "$BODY" "$TMP/status.json"; }
enough() { status && check enough; }
wait_for 60 enough || fail "not everything has come to its end: $(check enough why)"
check prompt || fail "a good backend had to wait"
ok "the good ones get each profile in time"

# no more profiles; what is under way may end
config ""
kill -HUP "$PID"
rests() { status && check rests; }
wait_for 30 rests || fail "it does not come to rest: $(check rests why)"
get /metrics
cp "$BODY" "$TMP/metrics.txt"
check counts || fail "what came and what is told differ"
ok "what each backend got, status and metrics agree"

[ ! -s "$TMP/elsewhere.log" ] || fail "a redirect was followed"
[ ! -s "$TMP/cert.log" ] || fail "a wrong certificate was believed"
ok "no redirect is followed, no wrong certificate believed"
no_secret Zm9yd2FyZC1zZWNyZXQ aws-Secret-KEY
peak=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$SIDECAR/status")
case $BUILD in
*/release) [ "$peak" -lt 150000 ] || fail "10 GB of answer cost $peak KiB of memory" ;;
esac
ok "10 GB of answer are not read: at most $peak KiB in memory"

stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
check kept || fail "something is neither taken, nor dropped and counted, nor in the spool"
ok "nothing is lost"
