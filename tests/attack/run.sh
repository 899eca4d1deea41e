#!/bin/bash
# run.sh [short]: known attack tools against a server of ours. What they find is compared with
# expected.txt, where each finding that we accept stands with its reason: a new one fails. A tool that
# is not installed is named and left out; short (under a minute) leaves out the long ones as well.
#
# All of them: apt-get install testssl.sh sslscan slowhttptest apache2-utils hey; sslyze comes into an
# environment of its own in build/attack when pip can have it.
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
good_client() { # served within three seconds, from another address than the attackers'
    curl -sk -m 3 --interface 127.0.0.2 -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/"
}
rss() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$sidecar/status"; }
still_there() { # WHO: nothing died, memory within its bounds
    [ "$(pgrep -P "$PID" -f pillion-sidecar)" = "$sidecar" ] || fail "$1: the sidecar died"
    case $BUILD in *asan* | *tsan*) ;; *) [ "$(rss)" -le $MAX_RSS_KB ] || fail "$1: $(rss) kB resident" ;; esac
    ! grep -qE 'ERROR: AddressSanitizer|runtime error:|ThreadSanitizer' "$LOG" || fail "$1: a sanitizer reports"
}

cat >"$TMP/pillion.yaml" <<YAML
auth: {tokens: [{name: t, sha256: "$(printf attack-token-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [all]}]}
limits: {handshakes: 500, min_interval: 0s}
YAML
TOKEN=attack-token-0123456789
start_target sleep 100000
start_pillion --config "$TMP/pillion.yaml"
sidecar=$(pgrep -P "$PID" -f pillion-sidecar)

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
    if has ab; then
        timeout 100 ab -q -n 2000 -c 20 -k -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/" >"$TMP/ab" 2>&1
        still_there ab
        ok "ab: $(grep -E 'Complete requests|Non-2xx|Failed requests' "$TMP/ab" | tr -s ' \n' ' ')"
    fi
    if has hey; then
        timeout 100 hey -n 2000 -c 40 -disable-keepalive -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/" >"$TMP/hey" 2>&1
        still_there hey
        ok "hey: $(grep -E '\[[0-9]+\]' "$TMP/hey" | tr -s ' \n\t' ' ')"
    fi
fi
served() { [ "$(good_client)" = 200 ]; }
wait_for 15 served || fail "it does not serve afterwards"
still_there "at the end"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"

# ---- what is new, and what is expected no more
sort -u "$found" >"$TMP/sorted"
sed -n 's/ *#.*//; /./p' "$here/expected.txt" | sort -u >"$TMP/expected"
comm -13 "$TMP/sorted" "$TMP/expected" | while read -r line; do
    tool=${line%%:*}
    ! grep -q "^$tool:" "$TMP/sorted" || echo "not found any more: $line"
done
new=$(comm -23 "$TMP/sorted" "$TMP/expected")
[ -z "$new" ] || fail "new findings:"$'\n'"$new"
ok "$(wc -l <"$TMP/sorted") findings, each expected"
