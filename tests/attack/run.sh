#!/bin/bash
# run.sh [short]: known attack tools against a server of ours. What they find is compared with
# expected.txt, where each finding that we accept stands with its reason: a new one fails. A tool that
# is not installed is named and left out; short (under a minute) leaves out the long ones as well.
#
# All of them: apt-get install testssl.sh sslscan slowhttptest apache2-utils hey nghttp2-client; sslyze
# comes into an environment of its own in build/attack when pip can have it.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
need curl openssl python3
short=${1:-}
here=$ROOT/tests/attack
found=$TMP/found
: >"$found"
MAX_RSS_KB=65536

has() { command -v "$1" >/dev/null || { echo "left out: $1 is not installed"; return 1; }; }
finding() { printf '%s: %s\n' "$1" "$2" >>"$found"; }
good_client() { # served within five seconds, from another address than the attackers'
    curl -sk -m 5 --interface 127.0.0.2 -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/"
}
rss() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$sidecar/status"; }
still_there() { # WHO: nothing died, memory within its bounds
    [ "$(pgrep -P "$PID" -f pillion-sidecar)" = "$sidecar" ] || fail "$1: the sidecar died"
    case $BUILD in *asan* | *tsan*) ;; *) [ "$(rss)" -le $MAX_RSS_KB ] || fail "$1: $(rss) kB resident" ;; esac
    ! grep -qE 'ERROR: AddressSanitizer|runtime error:|ThreadSanitizer' "$LOG" || fail "$1: a sanitizer reports"
}

cat >"$TMP/pillion.yaml" <<YAML
auth: {tokens: [{name: t, sha256: "$(printf attack-token-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [all]}]}
health: {listen: ["127.0.0.1:0"]}
limits: {handshakes: 500, min_interval: 0s, connections: 128, per_address: 64, unauthenticated: 48}
YAML
TOKEN=attack-token-0123456789
start_target sleep 100000
start_pillion --config "$TMP/pillion.yaml"
sidecar=$(pgrep -P "$PID" -f pillion-sidecar)

# who has been served is known (docs/limits.md), and so served through a flood as well
[ "$(good_client)" = 200 ] || fail "it does not serve"

# ---- what TLS speaks
if has sslscan; then
    timeout 100 sslscan --no-colour "$ADDRESS" >"$TMP/sslscan"
    grep -q 'TLSv1.3   enabled' "$TMP/sslscan" || fail "sslscan saw nothing: $(tail -n 3 "$TMP/sslscan")"
    awk '/^(SSL|TLS)v[0-9.]+ +enabled/ { print "sslscan: protocol " $1 }
        /^(Preferred|Accepted) / { print "sslscan: " $2 " " $5 }
        /^TLSv1.[23] +[0-9]+ bits  [a-z]/ { print "sslscan: group " $4 }
        /does not support TLS Fallback/ { print "sslscan: no fallback SCSV" }
        /[Rr]enegotiation/ && !/not supported|renegotiation:/ { print "sslscan: " $0 }
        /vulnerable/ && !/not vulnerable/ { print "sslscan: " $0 }
        /ompression enabled|^(DH|RSA).*(512|1024)|md5|sha1/ { print "sslscan: " $0 }' "$TMP/sslscan" | sort -u >>"$found"
fi
# each must end without a handshake
for old in "-tls1 -cipher DEFAULT@SECLEVEL=0" "-tls1_1 -cipher DEFAULT@SECLEVEL=0" "-tls1_2 -cipher AES128-SHA" \
    "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256" "-tls1_2 -cipher aNULL" "-tls1_2 -cipher PSK" \
    "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA" "-tls1_3 -curves secp521r1" "-alpn h2 -tls1_3 -ciphersuites TLS_AES_128_CCM_8_SHA256"; do
    # shellcheck disable=SC2086
    timeout 10 openssl s_client -connect "$ADDRESS" $old </dev/null >"$TMP/s_client" 2>&1
    ! grep -qE '^New, [A-Za-z0-9.]+, Cipher is [A-Z]' "$TMP/s_client" || finding openssl "handshake with $old"
done
timeout 10 openssl s_client -connect "$ADDRESS" </dev/null 2>/dev/null | grep -qE '^New, [A-Za-z0-9.]+, Cipher is [A-Z]' ||
    fail "openssl s_client cannot connect at all"
printf 'R\n' | timeout 10 openssl s_client -connect "$ADDRESS" -tls1_2 >"$TMP/reneg" 2>&1
! grep -q 'RENEGOTIATING' "$TMP/reneg" || grep -qE 'no renegotiation|error|alert|closed' "$TMP/reneg" || finding openssl "renegotiates"
timeout 10 openssl s_client -connect "$ADDRESS" </dev/null 2>/dev/null | grep -q 'Server sent fatal\|Post-Handshake New Session' && finding openssl "session ticket"
still_there "TLS scans"
if [ -z "$short" ] && has testssl; then
    (cd "$TMP" && nice timeout 400 testssl --quiet --color 0 --warnings batch --openssl-timeout 10 --severity LOW \
        --jsonfile "$TMP/testssl.json" "$ADDRESS" >"$TMP/testssl" 2>&1)
    [ -s "$TMP/testssl.json" ] || fail "testssl saw nothing: $(tail -n 3 "$TMP/testssl")"
    python3 - "$TMP/testssl.json" >>"$found" <<'PY'
import json, sys
for row in json.load(open(sys.argv[1])):
    if row.get("severity") in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL"):
        print("testssl: %s %s" % (row["severity"], row["id"]))
PY
    still_there testssl
fi
if [ -z "$short" ]; then
    venv=$ROOT/build/attack/venv
    [ -x "$venv/bin/sslyze" ] || (mkdir -p "$ROOT/build/attack" && python3 -m venv "$venv" &&
        timeout 300 "$venv/bin/pip" -q install sslyze) >"$TMP/pip" 2>&1
    if [ -x "$venv/bin/sslyze" ]; then
        timeout 200 "$venv/bin/sslyze" --mozilla_config intermediate --json_out "$TMP/sslyze.json" "$ADDRESS" >"$TMP/sslyze" 2>&1
        grep -q 'Compliance\|COMPLIANCE' "$TMP/sslyze" || fail "sslyze saw nothing: $(tail -n 3 "$TMP/sslyze")"
        sed -n 's/^ *\* \([a-z_]*\): .*/sslyze: intermediate: \1/p' "$TMP/sslyze" | sort -u >>"$found"
        grep -iE 'VULNERABLE' "$TMP/sslyze" | grep -viE 'not vulnerable|OK -' | sed 's/^ */sslyze: /' >>"$found"
        still_there sslyze
    else
        echo "left out: sslyze: $(tail -n 1 "$TMP/pip")"
    fi
fi

# ---- slow clients, and many
slow() { # NAME SECONDS ARG...
    local name=$1 seconds=$2 status worst=200
    shift 2
    timeout $((seconds + 60)) slowhttptest -c 200 -r 100 -l "$seconds" -u "$URL/debug/pprof/" "$@" >"$TMP/slow" 2>&1 &
    local tool=$!
    PIDS+=("$tool")
    sleep 2
    while kill -0 "$tool" 2>/dev/null; do
        status=$(good_client)
        [ "$status" = 200 ] || worst=$status
        sleep 0.5
    done
    [ "$worst" = 200 ] || finding slowhttptest "$name locks a good client out ($worst)"
    still_there "slowhttptest $name"
    ok "slowhttptest $name: $(grep -E 'closed:|connected:' "$TMP/slow" | tail -n 2 | sed 's/\x1b\[[0-9;]*m//g' | tr -s ' \n' ' ')"
}
if has slowhttptest; then
    seconds=${short:+6}
    slow headers "${seconds:-30}" -H -i 2 -x 24
    if [ -z "$short" ]; then
        slow body 30 -B -i 2 -s 4000
        slow reading 40 -X -w 1 -y 2 -n 5 -z 32 -k 3
    fi
fi
gone() { [ "$(ss -Htn state established "( sport = :${ADDRESS##*:} )" 2>/dev/null | wc -l)" -le 2 ]; }
if [ -z "$short" ]; then
    wait_for 60 gone || finding connections "are left after slow clients"
    # each of these many good requests is to be served: whatever is not is a finding
    page=/livez
    if has ab; then
        timeout 100 ab -q -n 2000 -c 20 -k -H "Authorization: Bearer $TOKEN" "$URL$page" >"$TMP/ab" 2>&1
        grep -q '^Complete requests: *2000$' "$TMP/ab" || finding ab "not all requests are answered"
        grep -q '^Failed requests: *0$' "$TMP/ab" || finding ab "failed requests"
        ! grep -q '^Non-2xx' "$TMP/ab" || finding ab "refused requests"
        still_there ab
        ok "ab: $(sed -n 's/^Requests per second: *//p' "$TMP/ab")"
    fi
    if has hey; then
        timeout 100 hey -n 1000 -c 20 -disable-keepalive -H "Authorization: Bearer $TOKEN" "$URL$page" >"$TMP/hey" 2>&1
        grep -qE '\[200\][[:space:]]+1000 responses' "$TMP/hey" || finding hey "new connections are not all served"
        still_there hey
        ok "hey: $(grep -E 'Requests/sec' "$TMP/hey" | tr -s ' \t' ' '), a handshake each"
    fi
    if has h2load; then # it speaks HTTP/1.1 too; HTTP/2 must not be agreed on
        timeout 100 h2load --h1 -n 2000 -c 20 -H "Authorization: Bearer $TOKEN" "$URL$page" >"$TMP/h2load" 2>&1
        grep -q '2000 succeeded, 0 failed, 0 errored, 0 timeout' "$TMP/h2load" || finding h2load "not all requests are served"
        timeout 20 h2load -n 10 -c 1 --npn-list=h2 -H "Authorization: Bearer $TOKEN" "$URL$page" >"$TMP/h2" 2>&1
        ! grep -qE ' [1-9][0-9]* succeeded' "$TMP/h2" || finding h2load "speaks HTTP/2"
        still_there h2load
        ok "h2load: $(sed -n 's/^finished in //p' "$TMP/h2load")"
    fi
    for version in -tls1_2 -tls1_3; do
        timeout 30 openssl s_time -connect "$ADDRESS" -new -time 3 "$version" 2>&1
    done >"$TMP/s_time"
    [ "$(grep -cE '^[1-9][0-9]* connections in .* real seconds' "$TMP/s_time")" = 2 ] || finding openssl "s_time: $(tail -n 1 "$TMP/s_time")"
    still_there s_time
    ok "s_time: $(sed -n 's/^\([0-9]* connections in [0-9]* real seconds\).*/\1/p' "$TMP/s_time" | tr '\n' ' ')"

    # ---- our own: requests that two parsers take differently, floods from many addresses
    python3 "$ROOT/tests/e2e/smuggle.py" tls "${ADDRESS##*:}" "$TOKEN" >"$TMP/own" 2>&1 || finding smuggle "$(tail -n 1 "$TMP/own")"
    still_there smuggle
    case $BUILD in *asan* | *tsan*) memory=1500 ;; *) memory=64 ;; esac
    python3 "$ROOT/tests/e2e/flood.py" "${ADDRESS##*:}" "$TOKEN" "${HEALTH##*:}" 2000 "$memory" >"$TMP/own" 2>&1 ||
        finding flood "$(tail -n 1 "$TMP/own")"
    still_there flood
    sed 's/^ok: /ok: flood: /' "$TMP/own"
fi
served() { [ "$(good_client)" = 200 ]; }
wait_for 15 served || fail "it does not serve afterwards"
still_there "at the end"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"

# ---- what is new, and what is expected no more
sed -n 's/ *#.*//; /./p' "$here/expected.txt" | sort -u >"$TMP/expected"
new_in() { # FILE of findings, one a line
    sort -u "$1" | comm -23 - "$TMP/expected"
}
sort -u "$found" >"$TMP/sorted"
comm -13 "$TMP/sorted" "$TMP/expected" | while read -r line; do
    tool=${line%%:*}
    ! grep -q "^$tool:" "$TMP/sorted" || echo "not found any more: $line"
done
# what would be missed if the comparison were blind
{ cat "$found" && echo "planted: a finding that nobody expects"; } >"$TMP/planted"
new_in "$TMP/planted" | grep -q '^planted: ' || fail "a planted finding is not seen: the comparison is blind"
! grep -q -v '#' "$here/expected.txt" || fail "without a reason: $(grep -v '#' "$here/expected.txt" | head -n 1)"
new=$(new_in "$found")
[ -z "$new" ] || fail "new findings:"$'\n'"$new"
ok "$(wc -l <"$TMP/sorted") findings, each expected; a planted one is seen"
