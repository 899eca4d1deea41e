#!/bin/bash
# Handshakes that cost: chains of certificates that are dear to verify hold nobody else up, and an
# address whose handshakes come to nothing, or whose certificates are refused, has to wait.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl openssl python3
# shellcheck source=tests/e2e/pki.sh
. "$(dirname "$0")/pki.sh"

TOKEN=token-of-oncall-0123456789
start_target sleep 1000
mkdir -p "$PKI"
pki_root root
pki_sign valid root 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nsubjectAltName=URI:spiffe://td.example/ns/prod/sa/ci\n'
python3 "$ROOT/tests/e2e/dear.py" make "$TMP/dear" || fail "no dear chains"
configure() { # ADMIN
    cat >"$TMP/pillion.yaml" <<YAML
admin: {tls: {client_ca: $PKI/root.pem, client_auth: optional}$1}
auth:
  tokens: [{name: oncall, sha256: "$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)", scopes: [all]}]
  certificates: [{name: prod, uri: "spiffe://td.example/ns/prod/*", scopes: [all]}]
health: {listen: ["127.0.0.1:0"]}
YAML
}
metric() { # NAME
    curl -s -m 20 "http://$HEALTH/metrics" | grep -F "$1" | sed -n 's/.* //p' | tail -n 1
}

# --- what is dear is refused before it is verified
configure ""
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-of-oncall-0123456789
for kind in exponent wide above least many; do
    read -r longest shown <<<"$(python3 "$ROOT/tests/e2e/dear.py" hold "${ADDRESS##*:}" "$HEALTH" 1.2 "$TMP/dear" $kind)"
    # unverified it takes 3 ms; verified, "exponent" takes 4 s of nothing else
    [ "${longest:-9999}" -le 1000 ] || fail "$kind: others waited for $longest ms"
    ok "$kind: shown $shown times, others waited for $longest ms"
done
refused=$(metric pillion_client_certificates_refused_total)
[ "$refused" -ge 20 ] || fail "not refused: $refused"
grep -q '"msg":"client certificate refused".*too dear to check' "$LOG" || fail "the log does not say why"
valid() {
    raw /debug/pprof/ --cert "$PKI/valid.pem" --key "$PKI/valid.key"
    [ "$STATUS" = 200 ]
}
wait_for 10 valid || fail "a good one is not served afterwards: $STATUS" # loopback waits a second
ok "a good one is served afterwards"
stop_pillion

# --- penalties, of addresses that a PROXY header names: loopback itself bears with nearly all
configure ', proxy_protocol: true, trusted_proxies: [127.0.0.1/32]'
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-of-oncall-0123456789
from() { python3 "$ROOT/tests/e2e/dear.py" from "${ADDRESS##*:}" "$1" "$TOKEN" "${@:2}"; }
[ "$(from 203.0.113.1 broken:30 token:1)" = "30 1 " ] || fail "thirty broken handshakes already cost something"
ok "thirty broken handshakes cost nothing"
read -r broken served <<<"$(from 203.0.113.2 broken:40 token:1)"
[ "$broken" -ge 31 ] && [ "$broken" -le 36 ] && [ "$served" = 0 ] || fail "forty broken ones: $broken taken, then $served"
ok "more than thirty do: $broken of 40 were looked at, then nobody"
read -r left served <<<"$(from 203.0.113.3 left:40 token:1)"
[ "$left" -ge 31 ] && [ "$left" -le 38 ] && [ "$served" = 0 ] || fail "forty given up: $left taken, then $served"
ok "given up in their middle: $left of 40 were looked at, then nobody"
read -r shown served <<<"$(from 203.0.113.4 "shown:6:$TMP/dear/above" token:1)"
[ "$shown" = 4 ] && [ "$served" = 0 ] || fail "six refused certificates: $shown looked at, then $served"
ok "refused certificates: as wrong credentials, four were looked at, then nobody"
[ "$(from 203.0.113.5 broken:25 token:1 broken:25 token:1 "shown:9:$TMP/dear/above" broken:20 token:1)" = "25 1 25 1 9 20 1 " ] ||
    fail "an address from which others work is locked"
ok "an address from which others work is not locked"
[ "$(from 203.0.113.6 token:1)" = "1 " ] || fail "a neighbour is locked"
[ "$(metric 'pillion_connections_refused_total{reason="penalty"}')" -ge 4 ] || fail "not counted"
ok "counted, and neighbours are not held up"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
echo "$CHECKS checks"
