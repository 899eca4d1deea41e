#!/bin/bash
# Parameters, headers and limits of the CPU profile; what `go tool pprof` makes of answers.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3
need_perf

start_target
cat >"$TMP/pillion.yaml" <<YAML
auth:
  tokens:
    - {name: a, sha256: "$(printf %s token-a-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [all]}
    - {name: b, sha256: "$(printf %s token-b-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [all]}
limits: {profile_seconds: 3, default_seconds: 2, hz: 500, min_interval: 0s}
YAML
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-a-0123456789

# --- refused values
for q in seconds=0 seconds=-1 seconds=abc seconds=1.5 seconds=1e9 seconds=+1 seconds=0x10 \
    seconds=9223372036854775808 seconds=99999999999999999999999999 'seconds=x&seconds=1' seconds=%zz; do
    get "/debug/pprof/profile?$q" && wants 400 "$q"
    is_error "$q"
    says 'invalid value for "seconds" - must be a positive integer'
done
for q in hz=0 hz=-5 hz=abc labels=2 kernel=yes; do
    get "/debug/pprof/profile?$q" && wants 400 "$q"
    says "invalid value for \"${q%%=*}\""
done

seconds_were() { # low high, in milliseconds
    local ms
    ms=$(header Pillion-Seconds | awk '{ printf "%d", $1 * 1000 }')
    [ "$ms" -ge "$1" ] && [ "$ms" -le "$2" ] || fail "Pillion-Seconds: $(header Pillion-Seconds)"
}

# --- one that is whole
began=$(date +%s%N)
get '/debug/pprof/profile?seconds=1&seconds=3&debug=1&unknown=x' && wants 200 "the first value counts"
took=$((($(date +%s%N) - began) / 1000000))
seconds_were 950 1200
[ "$took" -lt 4000 ] || fail "a profile of 1 s took $took ms"
[ "$(header Content-Type)" = application/octet-stream ] || fail "Content-Type: $(header Content-Type)"
[ "$(header Content-Disposition)" = 'attachment; filename="profile"' ] || fail "Content-Disposition"
[ -z "$(header Content-Encoding)" ] || fail "Content-Encoding: $(header Content-Encoding)"
[ "$(header Cache-Control)" = no-store ] || fail "Cache-Control: $(header Cache-Control)"
[ "$(header X-Content-Type-Options)" = nosniff ] || fail "no nosniff"
[ -n "$(header Pillion-Mode)" ] && [ -n "$(header Pillion-Samples)" ] && [ -n "$(header Pillion-Lost)" ] ||
    fail "a Pillion header is missing"
[ -z "$(header Pillion-Ended)" ] || fail "it did not end early"
is_gzip || fail "not gzip"
python3 "$ROOT/tests/e2e/pprof.py" "$BODY" >"$TMP/p.json" || fail "no pprof"
python3 - "$TMP/p.json" "$(header Pillion-Samples)" <<'PY' || fail "the profile does not fit its headers"
import json, sys
p = json.load(open(sys.argv[1]))
n = sum(s["values"][0] for s in p["samples"])
assert n > 0 and n == int(sys.argv[2]), (n, sys.argv[2])
PY
ok "headers and body of a profile"
get '/debug/pprof/profile?seconds=1000000000' && wants 200 "a long one is clamped"
seconds_were 2900 3300
get /debug/pprof/profile && wants 200 "the default"
seconds_were 1900 2300
get '/debug/pprof/profile?seconds=&hz=999999&labels=0&kernel=0' && wants 200 "empty is absent, hz is clamped"
seconds_were 1900 2300
grep -q '"seconds_asked":1000000000,"seconds_granted":3' "$LOG" || fail "the audit log does not tell seconds"
ok "the audit log tells seconds asked and granted"

# --- HEAD never samples
began=$(date +%s%N)
get '/debug/pprof/profile?seconds=3' -I && wants 200 "HEAD"
took=$((($(date +%s%N) - began) / 1000000))
[ "$took" -lt 1500 ] || fail "HEAD took $took ms"
get '/debug/pprof/profile?seconds=0' -I && wants 400 "HEAD checks its parameters"

# --- cmdline and symbol
get /debug/pprof/cmdline && wants 200 cmdline
tr '\0' '\n' <"/proc/$TARGET_PID/cmdline" >"$TMP/argv"
{ cat "$BODY"; printf '\0'; } | tr '\0' '\n' | cmp -s - "$TMP/argv" || fail "cmdline is not argv without its last NUL"
[ "$(header Content-Type)" = "text/plain; charset=utf-8" ] || fail "cmdline: Content-Type"
get /debug/pprof/symbol && wants 200 "symbol without addresses"
[ "$(cat "$BODY")" = "num_symbols: 1" ] || fail "symbol: $(cat "$BODY")"
get '/debug/pprof/symbol?0x1' && wants 200 "symbol of an unknown address"
[ "$(cat "$BODY")" = "num_symbols: 1" ] || fail "symbol: $(cat "$BODY")"
get '/debug/pprof/profile?seconds=1' && wants 200 "a profile for its addresses"
pc=$(python3 - "$BODY" "$ROOT/tests/e2e" <<'PY'
import gzip, sys
sys.path.insert(0, sys.argv[2])
import pprof
b = gzip.decompress(open(sys.argv[1], "rb").read())
for n, v in pprof.fields(b):
    if n == 4:  # Location: address = 3, line = 4
        f = dict((k, x) for k, x in pprof.fields(v))
        if f.get(3) and 4 in f and f[3] < 1 << 62:
            print(hex(f[3]))
            break
PY
)
[ -n "$pc" ] || fail "no address in the profile"
get "/debug/pprof/symbol?$pc" && wants 200 "symbol by GET"
grep -qE "^$pc [^ ]" "$BODY" || fail "symbol does not know $pc: $(cat "$BODY")"
cp "$BODY" "$TMP/by-get"
get /debug/pprof/symbol -X POST --data-binary "$pc+0x1" && wants 200 "symbol by POST"
cmp -s "$BODY" "$TMP/by-get" || fail "POST and GET differ"
ok "symbol gives the same by GET and POST"

# --- what is not there yet
get /debug/pprof/offcpu && wants 501 offcpu
is_error offcpu
says "cannot give"
get /api/v1/profiles && wants 501 history

# --- methods
for method in POST PUT DELETE PATCH; do
    get '/debug/pprof/profile?seconds=1' -X $method && wants 405 "$method on profile"
    [ "$(header Allow)" = "GET, HEAD" ] || fail "Allow: $(header Allow)"
    is_error "405"
done
get /debug/pprof/symbol -X PUT && wants 405 "PUT on symbol"
[ "$(header Allow)" = "GET, HEAD, POST" ] || fail "Allow: $(header Allow)"

# --- the index, JSON, status, metrics
get /debug/pprof && wants 307 "no slash"
[ "$(header Location)" = /debug/pprof/ ] || fail "Location: $(header Location)"
get /debug/pprof/ && wants 200 index
[ "$(header Content-Type)" = "text/html; charset=utf-8" ] || fail "index: $(header Content-Type)"
grep -q "<a href='profile?debug=1'>profile</a>" "$BODY" || fail "the index does not link profile"
get '/debug/pprof/?format=json' && wants 200 "index as JSON"
python3 - "$BODY" <<'PY' || fail "the index as JSON"
import json, sys
rows = {r["name"]: r for r in json.load(open(sys.argv[1]))["profiles"]}
assert rows["profile"]["available"] and not rows["trace"]["available"] and rows["trace"]["reason"], rows
PY
get /api/v1/status && wants 200 status
python3 - "$BODY" "$TARGET_PID" <<'PY' || fail "the status"
import json, sys
s = json.load(open(sys.argv[1]))
assert s["ready"] and s["target"]["pid"] == int(sys.argv[2]) and s["mode"] in ("full", "perf"), s
assert s["target"]["language"] == "go" and s["target"]["version"].startswith("go1."), s["target"]
PY
get /metrics && wants 200 metrics
for line in 'pillion_target_up 1' 'pillion_in_flight 0' 'pillion_config_last_reload_successful 1' \
    'pillion_http_requests_total{handler="profile",code="400"} 17' \
    'pillion_profiles_total{type="cpu",result="ok"} 5'; do
    grep -qF "$line" "$BODY" || fail "/metrics has no \"$line\": $(grep -F "${line%% *}" "$BODY")"
done
ok "metrics count what was done"

# --- go tool pprof
if command -v go >/dev/null; then
    export PPROF_TMPDIR=$TMP PPROF_BINARY_PATH=$TMP
    insecure=https+insecure://any:$TOKEN@$ADDRESS
    go tool pprof -top "$insecure/debug/pprof/profile?seconds=1" >"$TMP/top" 2>"$TMP/top.err" ||
        fail "go tool pprof: $(cat "$TMP/top.err")"
    grep -q '^Type: cpu' "$TMP/top" || fail "go tool pprof shows no cpu profile: $(head "$TMP/top")"
    grep -qE 'main\.' "$TMP/top" || fail "go tool pprof shows no function of the target: $(head -20 "$TMP/top")"
    ok "go tool pprof shows the target's functions"
    go tool pprof -top "https+insecure://any:wrong@$ADDRESS/debug/pprof/profile?seconds=1" >/dev/null 2>"$TMP/top.err" &&
        fail "go tool pprof is happy with a wrong token"
    grep -q "401 Unauthorized - " "$TMP/top.err" || fail "go tool pprof does not show the reason: $(cat "$TMP/top.err")"
    go tool pprof -top "$insecure/debug/pprof/offcpu" >/dev/null 2>"$TMP/top.err" && fail "an off-CPU profile is there?"
    grep -q "501 Not Implemented - .*cannot give" "$TMP/top.err" || fail "pprof on offcpu: $(cat "$TMP/top.err")"
    ok "go tool pprof prints our reasons"
fi

# --- a reload cannot raise what the guard was started with
sed -i 's/hz: 500/hz: 5000/' "$TMP/pillion.yaml"
kill -HUP "$PID"
wait_for 10 grep -q 'limits.hz is above' "$LOG" || fail "the higher hz is not warned of"
get '/debug/pprof/profile?seconds=1&hz=4000' && wants 200 "hz is clamped to what it was at the start"
echo "$CHECKS checks"
