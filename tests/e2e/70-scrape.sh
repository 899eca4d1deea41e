#!/bin/bash
# The target's own pprof endpoint: collected on a schedule and served through our door, over each
# way in which people protect it; real Go programs, and one server that misbehaves in every way.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/pki.sh
. "$(dirname "$0")/pki.sh"
need curl python3 go openssl
go_target local goscrape goscrape-local '-ldflags=-s -w'
new=$GO_TARGET
go_target 1.22.12 goscrape goscrape-1.22.12 '-ldflags=-s -w'
old=$GO_TARGET
TRACES="go tool trace -d=parsed"
$TRACES /dev/null 2>&1 | grep -q 'invalid value' && TRACES=""

hash_of() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }

start_endpoint() { # PROGRAM ARG...: sets TARGET_PID, WHERE
    rm -f "$TMP/endpoint" # of the one before, which is ready already
    "$@" >"$TMP/endpoint" 2>"$TMP/endpoint.err" &
    TARGET_PID=$!
    PIDS+=("$TARGET_PID")
    wait_for 20 grep -q ready "$TMP/endpoint" || fail "the endpoint does not begin: $(cat "$TMP/endpoint.err")"
    WHERE=$(awk '/ready/ {print $2}' "$TMP/endpoint")
}

configure() { # SCRAPE [LINE...]
    {
        echo 'admin: {listen: ["127.0.0.1:0"], tls: off}'
        echo 'auth:'
        echo '  tokens:'
        echo "    - {name: all, sha256: \"$(hash_of all-token)\", scopes: [all]}"
        echo "    - {name: alloy, sha256: \"$(hash_of scrape-token)\", scopes: [scrape]}"
        echo "    - {name: heap, sha256: \"$(hash_of heap-token)\", scopes: [heap]}"
        echo "collect:"
        echo "  every: ${EVERY:-0s}"
        echo "  profiles: [{type: threadcreate, every: 1h}]"
        echo "  scrape: $1"
        shift
        printf '%s\n' "$@"
    } >"$TMP/pillion.yaml"
    TOKEN=all-token
}

begin() {
    start_pillion --config "$TMP/pillion.yaml" --listen 127.0.0.1:0
    URL=http://$ADDRESS
}

end() {
    stop_pillion
    kill "$TARGET_PID" 2>/dev/null
    wait "$TARGET_PID" 2>/dev/null
}

is_trace() { # GO-VERSION
    wants 200 "a trace"
    [ "$(header Content-Type)" = application/octet-stream ] || fail "its type: $(header Content-Type)"
    [ "$(header Content-Disposition)" = 'attachment; filename="trace"' ] || fail "its name"
    [ "$(header Pillion-Source)" = scrape ] || fail "it does not say where it is from"
    [ "$(head -c 13 "$BODY")" = "go $1 trace" ] || fail "it is no trace of Go $1"
    [ -z "$TRACES" ] || $TRACES "$BODY" >"$TMP/events" 2>"$TMP/events.err" || fail "go tool trace: $(tail -n 1 "$TMP/events.err")"
    [ -z "$TRACES" ] || [ "$(wc -l <"$TMP/events")" -gt 100 ] || fail "hardly an event in it"
}

# the sum of the first value of all samples
total() { # FILE
    go tool pprof -raw "$1" 2>/dev/null | awk '/^Locations/ {exit} /^Samples:/ {on=1} on && /^ *[0-9]+[ :]/ {sub(":", "", $1); n += $1} END {print n + 0}'
}

collected() { # TYPE: sets FILE
    FILE=$(find "$TMP/profiles" -name "*-$1-*" -o -name "*$1*" | sort | tail -n 1)
    [ -n "$FILE" ]
}

both_ways() { # what GO-VERSION
    get '/debug/pprof/open_connections' && wants 200 "open_connections over $1"
    [ "$(total "$BODY")" = 7 ] || fail "$(total "$BODY") connections instead of 7"
    get '/debug/pprof/trace?seconds=1' && is_trace "$2"
    wait_for 30 collected open_connections || fail "nothing was collected"
    [ "$(total "$FILE")" = 7 ] || fail "$(total "$FILE") connections instead of 7 in $FILE"
    rm -rf "$TMP/profiles"/*
    ok "the same is collected over $1"
}

mkdir -p "$TMP/profiles"
files="forward: [{name: files, type: directory, path: $TMP/profiles}]"
EVERY=2s
types="types: [open_connections]"

start_endpoint "$new"
configure "{url: \"http://$WHERE/debug/pprof\", $types}" "$files" 'limits: {min_interval: 0s}'
begin
both_ways http 1.26
get '/debug/pprof/open_connections?debug=1' && wants 200 "its text"
[ "$(header Content-Type)" = "text/plain; charset=utf-8" ] || fail "the text's type"
says "open_connections profile: total 7"
get '/debug/pprof/open_connections?seconds=1&debug=1' && wants 400 "seconds and debug"
get '/debug/pprof/open_connections?seconds=1' && wants 400 "seconds of a profile that has none"
says "the target's endpoint says: "
get '/debug/pprof/trace?seconds=0' && wants 400 "no seconds"
get '/debug/pprof/trace?seconds=0.2' && is_trace 1.26
[ "$(header Pillion-Seconds)" = 0.200 ] || fail "it was not a fifth of a second"
get '/debug/pprof/trace?seconds=1' -I && wants 200 "HEAD"
get '/debug/pprof/nothing' && wants 404 "a name that the target has not either"
for path in '..' '.' 'a/b' '%2e%2e' 'a%2Fb' 'a;b' '-?x=%0d%0a' ''; do
    get "/debug/pprof/trace/$path" && [ "$STATUS" = 404 ] || fail "trace/$path: $STATUS"
done
get '/debug/pprof/../../etc/passwd' && wants 404 "another folder"
get '/debug/pprof/%6fpen_connections' && wants 404 "another spelling"
get '/debug/pprof/?format=json' && wants 200 "the index"
python3 - "$BODY" <<'PY' || fail "the index: $(cat "$BODY")"
import json, sys
rows = {r["name"]: r for r in json.load(open(sys.argv[1]))["profiles"]}
assert rows["trace"]["available"] and rows["trace"]["source"] == "scrape"
assert rows["open_connections"]["source"] == "scrape"
assert not rows["offcpu"]["available"] and "source" not in rows["goroutine"]
PY
get /debug/pprof/offcpu && wants 501 "what neither can make"
TOKEN=scrape-token
get '/debug/pprof/trace' && wants 403 "a scraper's trace"
get '/debug/pprof/open_connections' && wants 200 "a scraper's open_connections"
TOKEN=heap-token
get '/debug/pprof/open_connections' && wants 403 "one who may have the heap only"
TOKEN=nobody
get '/debug/pprof/open_connections' && wants 401 "a stranger"
TOKEN=all-token
get /metrics
grep -q '^pillion_profiles_total{type="trace",result="ok"} [1-9]' "$BODY" || fail "traces are not counted"
grep -q '^pillion_profiles_total{type="custom",result="ok"} [1-9]' "$BODY" || fail "custom profiles are not counted"
# who leaves ends it there too: the next one can begin at once
curl -s -m 1 -o /dev/null -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/trace?seconds=9"
trace_again() { get '/debug/pprof/trace?seconds=1' && [ "$STATUS" = 200 ]; }
wait_for 5 trace_again || fail "the trace of one who left goes on"
ok "the trace of one who left ends in the target"
end

pki_make
start_endpoint "$old" -cert "$PKI/server.pem" -key "$PKI/server.key" -client-ca "$PKI/root.pem"
port=${WHERE##*:}
configure "{url: \"https://localhost:$port/debug/pprof\", $types, tls: {ca: $PKI/root.pem, certificate: $PKI/valid.pem, key: $PKI/valid.key}}" "$files" 'limits: {min_interval: 0s}'
begin
both_ways "https with a client certificate" 1.22
end

start_endpoint "$old" -listen "unix:$TMP/pprof.sock" -bearer open-sesame
echo open-sesame >"$TMP/bearer"
configure "{url: \"unix:$TMP/pprof.sock:/debug/pprof\", $types, token_file: $TMP/bearer}" "$files" 'limits: {min_interval: 0s}'
begin
both_ways "a unix socket with a token" 1.22
no_secret open-sesame
end

# Go 1.22 refuses what its server's WriteTimeout would cut: half of it, and half again
start_endpoint "$old" -basic me:hush -write-timeout 3500ms
echo hush >"$TMP/password"
configure "{url: \"http://$WHERE/debug/pprof\", types: [open_connections, profile], basic: {user: me, password_file: $TMP/password}}" "$files"
begin
both_ways "http with a password" 1.22
no_secret hush
get '/debug/pprof/trace?seconds=1' && wants 429 "a second trace within min_interval"
[ -n "$(header Retry-After)" ] || fail "no Retry-After"
wait_for 40 collected cpu || fail "no CPU profile was collected"
go tool pprof -raw "$FILE" 2>/dev/null | grep -q '^Duration: 2\.' || fail "not two seconds: $(go tool pprof -raw "$FILE" | grep Duration)"
ok "a CPU profile of a target with a short WriteTimeout"
end

EVERY=0s
start_endpoint "$old" -write-timeout 3500ms
configure "{url: \"http://$WHERE/debug/pprof\"}" 'limits: {min_interval: 0s}'
begin
get '/debug/pprof/trace?seconds=8' && is_trace 1.22
[ "$(header Pillion-Seconds)" = 2.000 ] || fail "the trace took $(header Pillion-Seconds) s"
kill "$TARGET_PID"
wait "$TARGET_PID" 2>/dev/null
get '/debug/pprof/trace?seconds=1' && wants 503 "an endpoint that is gone"
is_error "an endpoint that is gone"
end

# --- one that misbehaves. The target itself is no Go program: what it cannot give goes through
python3 "$ROOT/tests/e2e/servers/rogue.py" "$TMP/rogue.log" >"$TMP/rogue" &
PIDS+=("$!")
wait_for 20 test -s "$TMP/rogue" || fail "no rogue"
sleep 600 &
TARGET_PID=$!
PIDS+=("$TARGET_PID")
rogue=http://127.0.0.1:$(cat "$TMP/rogue")
configure "{url: \"$rogue/debug/pprof\", timeout: 1s}" 'limits: {min_interval: 0s, per_address: 32}'
begin
sidecar=$(pgrep -P "$PID" -f pillion-sidecar | head -n 1)
pss() { awk '/^Pss:/ {print $2}' "/proc/$sidecar/smaps_rollup"; }

get '/debug/pprof/fixed?seconds=2&gc=1&x=%0d%0aEvil:1&debug=0' && wants 200 "a whole answer"
python3 -c "import gzip,sys; sys.exit(open('$BODY','rb').read() != gzip.compress(b'\x0a\x00' * 5000, mtime=0))" || fail "it was changed on the way"
grep -qx 'GET /debug/pprof/fixed?seconds=2&gc=1' "$TMP/rogue.log" || fail "the query: $(cat "$TMP/rogue.log")"
[ "$(header Content-Disposition)" = 'attachment; filename="fixed-delta"' ] || fail "its name: $(header Content-Disposition)"
[ -z "$(header Set-Cookie)$(header X-Secret)" ] || fail "the target's headers come through"
ok "of the query and the headers only what is ours goes through"
while read -r name status text; do
    get "/debug/pprof/$name" && wants "$status" "$name"
    is_error "$name"
    [ -z "$text" ] || says "$text"
done <<'T'
silent 504 nothing for 1 s
garbage 502 no profile
page 502 text/html
empty 502 an empty answer
zipped 502 coding
elsewhere 502 answers 302
busy 503 tracing already enabled
locked 502 answers 401: who?[31m are? you?
chatty 503 sorry sorry
liar 502
nothing 404 has no nothing
T
get /debug/pprof/tiny && wants 200 "a tiny file"
[ "$(wc -c <"$BODY")" = 3 ] || fail "not three bytes"
get '/debug/pprof/page?debug=1' && wants 502 "a page for a text"
for name in stops cut; do
    curl -s -m 30 -o "$BODY" -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/$name"
    [ $? = 18 ] || fail "$name: the client does not see that it is not whole"
    [ "$(wc -c <"$BODY")" -ge 1000 ] || fail "$name: what there was did not come"
    ok "$name: broken off, and the client sees it"
done
get /debug/pprof/heap && wants 404 "the heap of what is no Go program is asked for there"
grep -qx "GET /debug/pprof/heap" "$TMP/rogue.log" || fail "it was not"

# --- memory: 500 MB to a quick client, to a slow one that leaves, and one without end
before=$(pss)
most=0
curl -s -m 120 -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/trace?seconds=5" | wc -c >"$TMP/bytes" &
stream=$!
while kill -0 "$stream" 2>/dev/null; do
    now=$(pss)
    [ "$now" -le "$most" ] || most=$now
    sleep 0.2
done
[ "$(cat "$TMP/bytes")" = $((16 + 5 * 1600 * 65536)) ] || fail "$(cat "$TMP/bytes") bytes came"
[ "$((most - before))" -lt 8192 ] || fail "the memory grew by $((most - before)) KB"
ok "500 MiB went through, the memory grew by $((most - before)) KB"
curl -s -m 3 --limit-rate 200k -o /dev/null -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/trace?seconds=5"
[ "$(($(pss) - before))" -lt 8192 ] || fail "a slow client costs memory"
wait_for 10 grep -qx 'gone trace' "$TMP/rogue.log" || fail "the trace of one who left is still being sent"
ok "one who left: the endpoint is let go"
curl -s -m 120 -o /dev/null -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/endless"
[ $? = 18 ] || fail "a profile without end: the client does not see that it was cut"
wait_for 10 grep -qx 'gone endless' "$TMP/rogue.log" || fail "the endless one goes on"
ok "a profile without end is cut"

# as many as are allowed, and one above
for _ in 1 2 3 4 5 6 7 8; do
    curl -s -m 30 -o /dev/null --limit-rate 1k -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/endless" &
    PIDS+=("$!") many+=("$!")
    sleep 0.1
done
crowded() { get /debug/pprof/fixed && [ "$STATUS" = 429 ]; }
wait_for 10 crowded || fail "a ninth stream: $STATUS"
kill "${many[@]}"
served() { get /debug/pprof/fixed && [ "$STATUS" = 200 ]; }
wait_for 10 served || fail "the places of those who left are not free: $STATUS"
ok "eight streams and no more"
end

# without a path beside it everything of an application would lie: only what is named
configure "{url: \"$rogue\", types: [fixed]}"
sleep 600 &
TARGET_PID=$!
PIDS+=("$TARGET_PID")
begin
get /debug/pprof/fixed && wants 200 "a name from the configuration"
get /debug/pprof/empty && wants 404 "another"
grep -qx 'GET /fixed' "$TMP/rogue.log" || fail "not asked for"
end
configure "{}"
sed -i '/scrape/d' "$TMP/pillion.yaml"
sleep 600 &
TARGET_PID=$!
PIDS+=("$TARGET_PID")
begin
get /debug/pprof/fixed && wants 404 "no endpoint: no such profile"
get /debug/pprof/trace && wants 501 "no endpoint: no trace"
says collect.scrape.url
end
echo "$CHECKS checks"
