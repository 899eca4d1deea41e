#!/bin/bash
# Without any right to the target its own endpoint answers in our place; and a reload in the middle
# of a stream cuts nothing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3 go setpriv
[ "$(id -u)" = 0 ] || skip "needs root to become somebody else"
go_target 1.22.12 goscrape goscrape-1.22.12 '-ldflags=-s -w'
old=$GO_TARGET
chmod 755 "$TMP"
mkdir "$TMP/bin"
for p in pillion pillion-guard pillion-sampler pillion-sidecar; do cp "$(readlink -f "$BUILD/$p")" "$TMP/bin/"; done
"$old" -write-timeout 3500ms >"$TMP/endpoint" 2>&1 &
TARGET_PID=$!
PIDS+=("$TARGET_PID")
wait_for 20 grep -q ready "$TMP/endpoint" || fail "the endpoint does not begin"
cat >"$TMP/pillion.yaml" <<Y
admin: {listen: ["127.0.0.1:0"]}
limits: {min_interval: 0s}
collect: {scrape: {url: "http://$(awk '{print $2}' "$TMP/endpoint")/debug/pprof", types: [open_connections]}}
Y
chmod 644 "$TMP/pillion.yaml"
cd "$TMP" || exit 1
LOG=$TMP/log OUT=$TMP/out
(exec setpriv --reuid 12346 --regid 12346 --clear-groups --bounding-set=-all "$TMP/bin/pillion" run \
    --pid "$TARGET_PID" --config "$TMP/pillion.yaml" --listen 127.0.0.1:0) >"$OUT" 2>"$LOG" &
PID=$!
PIDS+=("$PID")
wait_for 30 is_ready || fail "no ready line"
URL=https://$(log_field ready admin)
TOKEN=$(sed -n 's|.*any:\([^@]*\)@.*|\1|p' "$OUT")

for path in 'profile?seconds=4' heap 'mutex?seconds=1' 'goroutine?debug=2'; do
    get "/debug/pprof/$path" && wants 200 "$path"
    [ "$(header Pillion-Source)" = scrape ] || fail "$path: it does not say where it is from"
    case $path in
    *debug*) says "goroutine 1 [" ;;
    *) go tool pprof -raw "$BODY" >/dev/null 2>"$TMP/err" || fail "$path: $(cat "$TMP/err")" ;;
    esac
    # its WriteTimeout allows no four seconds
    [ "$path" != 'profile?seconds=4' ] || [ "$(header Pillion-Seconds)" = 2.000 ] || fail "not two seconds"
done
get /debug/pprof/delta_heap && wants 501 "what its endpoint cannot know"

curl -sk -m 30 -o "$TMP/trace" -w '%{http_code}' -H "Authorization: Bearer $TOKEN" \
    "$URL/debug/pprof/trace?seconds=2" >"$TMP/code" &
stream=$!
running() { get /metrics && grep -q '^pillion_in_flight 1$' "$BODY"; }
wait_for 10 running || fail "the trace does not begin"
sed -i 's/open_connections/other/' "$TMP/pillion.yaml"
kill -HUP "$PID"
wait "$stream" || fail "the trace was cut by a reload"
[ "$(cat "$TMP/code")" = 200 ] && [ "$(head -c 13 "$TMP/trace")" = "go 1.22 trace" ] || fail "no trace"
ok "a reload in the middle of a trace"
get /debug/pprof/open_connections && wants 200 "the endpoint after it"
echo "$CHECKS checks"
