#!/bin/bash
# Who may come in: allow_from, X-Forwarded-For from trusted proxies alone, PROXY v2, penalties for
# wrong credentials, the callers of a unix socket, and what the audit log says of all of them.
# Linux answers for all of 127.0.0.0/8, so one machine has as many addresses as the test needs.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3

TOKEN=token-of-oncall-0123456789
hash=$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)
start_target sleep 1000
chmod 755 "$TMP"

configure() { # ADMIN LOG
    cat >"$TMP/pillion.yaml" <<YAML
admin: {$1}
auth: {tokens: [{name: oncall, sha256: "$hash", scopes: [all]}]}
health: {listen: ["127.0.0.1:0"]}
log: {level: warn$2}
YAML
}

from() { # ADDRESS PATH [CURL ARG...]
    local address=$1 path=$2
    shift 2
    raw "$path" --interface "$address" -H "Authorization: Bearer $TOKEN" "$@"
}

count() { # REASON: how many connections were refused for it
    curl -s -m 20 "http://$HEALTH/metrics" | sed -n "s/^pillion_connections_refused_total{reason=\"$1\"} //p"
}

restart() { # log.level is warn, so there is no ready line to wait for: a reload sets it
    configure "$1" ""
    sed -i 's/^log: .*/log: {level: info}/' "$TMP/pillion.yaml"
    start_pillion --config "$TMP/pillion.yaml"
    TOKEN=token-of-oncall-0123456789
}

RELOADS=0
reload() { # after the file has been changed: a Host that is new tells when it is taken
    RELOADS=$((RELOADS + 1))
    sed -i "s/^admin: {/admin: {hosts: [s$RELOADS.example], /" "$TMP/pillion.yaml"
    kill -HUP "$PID"
    reloaded() { raw / -H "Host: s$RELOADS.example" "$@" && [ "$STATUS" = 401 ]; }
    wait_for 15 reloaded "$@" || fail "no reload"
}

audits() {
    grep -c '^{.*"audit":true' "$LOG"
}

# --- allow_from: before TLS, and by the address alone
restart 'allow_from: [127.0.0.0/29]'
from 127.0.0.7 /debug/pprof/ && wants 200 "an address of the range"
from 127.0.0.8 /debug/pprof/ && wants 000 "one behind it"
from 127.0.0.8 /debug/pprof/ -H "X-Forwarded-For: 127.0.0.1" && wants 000 "which says that it is another"
[ "$(count address)" = 2 ] || fail "refused: $(count address) instead of 2"
[ "$(grep -c '"msg":"connection refused"' "$LOG")" = 1 ] || fail "not one line for both"
grep '"msg":"connection refused"' "$LOG" | grep -q '"address":"127.0.0.8:' || fail "the line names no address"
ok "counted, and said once"
from 127.0.0.7 /debug/pprof/ -H "X-Forwarded-For: 127.0.0.1, nonsense,," && wants 200 "X-Forwarded-For of a stranger"
grep '"audit":true' "$LOG" | tail -n 1 | grep -q '"address":"127.0.0.7:' || fail "the header was believed"
! grep '"audit":true' "$LOG" | grep -q '"via"' || fail "a proxy without one"
ok "and it is ignored"

# --- penalties: loopback bears with more; what an address gets is below, behind a proxy
for i in 1 2 3 4; do raw /debug/pprof/ --interface 127.0.0.2 -H "X-Pprof-Token: wrong$i" && wants 401 "wrong $i"; done
from 127.0.0.2 /debug/pprof/ && wants 200 "loopback is not locked out by four failures"
stop_pillion

# --- X-Forwarded-For from a trusted proxy
restart 'tls: off, trusted_proxies: [127.0.0.16/28], allow_from: [203.0.113.0/24, 127.0.0.1/32]'
URL=http://$ADDRESS
via() { from 127.0.0.17 /debug/pprof/ -H "X-Forwarded-For: $1" "${@:2}"; }
via 203.0.113.9 && wants 200 "a client behind a proxy"
grep '"audit":true' "$LOG" | tail -n 1 | grep -q '"address":"203.0.113.9","via":"127.0.0.17:' || fail "the audit log does not name both"
via 203.0.113.9 -H "X-Forwarded-For: 127.0.0.18" && wants 200 "two headers, the last proxy's"
via "198.51.100.7, 203.0.113.9" && wants 200 "what the client said before is not asked"
via "203.0.113.9, 198.51.100.7" && wants 403 "nor can it name one that may"
is_error 403
via "203.0.113.9,,127.0.0.18" && wants 400 "a malformed list"
via "$(printf '203.0.113.9,%.0s' {1..32})203.0.113.9" && wants 400 "a list of 33"
from 127.0.0.17 /debug/pprof/ && wants 403 "the proxy for itself"
from 127.0.0.1 /debug/pprof/ -H "X-Forwarded-For: 203.0.113.9" && wants 200 "one that is no proxy"
from 127.0.0.17 /debug/pprof/ -H "Forwarded: for=203.0.113.9" && wants 403 "Forwarded is not read"
for i in 1 2 3 4; do raw /debug/pprof/ --interface 127.0.0.17 -H "X-Forwarded-For: 203.0.113.60" -H "X-Pprof-Token: wrong" && wants 401 "wrong $i"; done
via 203.0.113.60 && wants 429 "a client of a proxy that guesses has to wait"
[ "$(header Retry-After)" -ge 1 ] && [ "$(header Retry-After)" -le 5 ] || fail "Retry-After: $(header Retry-After)"
via 203.0.113.61 && wants 200 "its neighbour has not"
stop_pillion

# --- the PROXY protocol
restart 'tls: off, proxy_protocol: true, trusted_proxies: [127.0.0.1/32], allow_from: [203.0.113.0/24, "2001:db8::/32", 127.0.0.1/32]'
python3 "$ROOT/tests/e2e/doors.py" proxy "${ADDRESS##*:}" "$TOKEN" || fail "the PROXY protocol"
[ "$(count address)" = 1 ] || fail "a client that may not: $(count address)"
[ "$(count proxy_header)" = 7 ] || fail "bad headers: $(count proxy_header) instead of 7"
grep '"audit":true' "$LOG" | grep -q '"address":"203.0.113.9:4711","via":"127.0.0.1:' || fail "the audit log does not name both"
grep '"audit":true' "$LOG" | grep -q '"address":"\[2001:db8::7\]:4711"' || fail "no IPv6 client in the audit log"
ok "counted by reason, and in the audit log"
stop_pillion

# --- the audit log: which lines, at which level, in which form
restart 'tls: off'
URL=http://$ADDRESS
configure 'tls: off' ", audit: denied, format: text"
reload
before=$(audits)
from 127.0.0.1 /debug/pprof/ && wants 200 "a good one"
raw "/debug/pprof/x?seconds=5" && wants 401 "one that is turned away"
[ "$(audits)" = $((before + 1)) ] || fail "audit: denied has not one line: $(grep audit "$LOG")"
python3 - "$LOG" <<'PY' || fail "the audit line"
import json, sys
row = [json.loads(l) for l in open(sys.argv[1]) if '"audit":true' in l][-1]
want = {"identity", "method", "address", "path", "with", "status", "bytes", "duration_ms", "request_id"}
assert want <= set(row), want - set(row)
import re
assert re.fullmatch(r"/debug/pprof/\{1:[0-9a-f]{8}\}", row["path"]) and row["status"] == 401 and row["method"] == "GET", row
PY
ok "audit: denied, as JSON among text, at log.level warn"
configure 'tls: off' ", audit: off"
sed -i 's/level: warn/level: info/' "$TMP/pillion.yaml"
reload
before=$(audits)
raw / && wants 401 "turned away again"
[ "$(audits)" = "$before" ] || fail "audit: off has lines"
ok "audit: off"
stop_pillion

# --- a unix socket
me=$(id -u)
configure "tls: off, listen: [\"unix:$TMP/p.sock\"], unix_peers: {uids: [$((me + 1))]}" ""
sed -i 's/level: warn/level: info/' "$TMP/pillion.yaml"
start_pillion --config "$TMP/pillion.yaml" --listen "unix:$TMP/p.sock"
TOKEN=token-of-oncall-0123456789
URL=http://localhost
[ "$(stat -c %a "$TMP/p.sock")" = 666 ] || fail "the socket's mode: $(stat -c %a "$TMP/p.sock")"
get / --unix-socket "$TMP/p.sock"
wants 000 "a caller who is none of unix_peers"
[ "$(count unix_peer)" = 1 ] || fail "not counted: $(count unix_peer)"
if [ "$me" = 0 ]; then
    [ "$(setpriv --reuid 1 --regid 1 --clear-groups curl -s -m 20 -o /dev/null -w '%{http_code}' \
        --unix-socket "$TMP/p.sock" -H "Authorization: Bearer $TOKEN" http://localhost/debug/pprof/)" = 200 ] ||
        fail "a caller who is one"
    ok "a caller who is one"
fi
sed -i "s/uids: \[[0-9]*\]/gids: [$(id -g)]/" "$TMP/pillion.yaml"
reload --unix-socket "$TMP/p.sock"
get /debug/pprof/ --unix-socket "$TMP/p.sock" && wants 200 "a caller of the group"
as_groups() { # LIST or --clear-groups: a caller with these supplementary groups; its status in $STATUS
    STATUS=$(setpriv --reuid 1 --regid 1 "$@" curl -s -m 20 -o /dev/null -w '%{http_code}' \
        --unix-socket "$TMP/p.sock" -H "Authorization: Bearer $TOKEN" http://localhost/debug/pprof/)
}
if [ "$me" = 0 ]; then
    sed -i "s/hosts: [^]]*\], //; s/gids: \[[0-9]*\]/gids: [4711, 0]/" "$TMP/pillion.yaml"
    reload --unix-socket "$TMP/p.sock"
    as_groups --groups 20,4711 && wants 200 "a supplementary group of the caller"
    as_groups --groups 20,4712
    wants 000 "another one"
    as_groups --clear-groups
    wants 000 "none of them"
fi
stop_pillion
echo "$CHECKS checks"
