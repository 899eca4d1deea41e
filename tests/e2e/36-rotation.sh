#!/bin/bash
# Tokens, the server's certificate, the clients' CA and a revocation list are exchanged by the ..data
# symlink, as the kubelet does it, while fifty clients work: five seconds later the new ones are
# taken, each time and by everybody, and the old ones are not, on open connections neither; a broken
# set changes nothing and is visible in the metrics.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl openssl python3
# shellcheck source=tests/e2e/pki.sh
. "$(dirname "$0")/pki.sh"

start_target sleep 1000
chmod 755 "$TMP"
mkdir -p "$PKI"
client='keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nsubjectAltName=URI:spiffe://td.example/ns/prod/sa/'
for ca in first next; do pki_root $ca; done
pki_sign old first "${client}old\n"
pki_sign new next "${client}new\n"
pki_sign gone next "${client}gone\n"
LIVE=$TMP/live
for v in v1 v2 v3 broken; do
    mkdir -p "$LIVE/$v"
    pki_key "server-$v"
    openssl req -x509 -new -key "$PKI/server-$v.key" -days 30 -subj "/CN=$v" -out "$LIVE/$v/tls.crt" || fail "openssl"
    cp "$PKI/server-$v.key" "$LIVE/$v/tls.key"
    cp "$PKI/next.pem" "$LIVE/$v/ca.crt"
    echo "token-of-v2-0123456789abcdef" >"$LIVE/$v/token"
done
pki_crl first >"$LIVE/v1/crl.pem"
pki_crl next >"$LIVE/v2/crl.pem"
openssl ca -config "$PKI/next.cnf" -revoke "$PKI/gone.pem" 2>/dev/null || fail "cannot revoke"
pki_crl next | tee "$LIVE/broken/crl.pem" >"$LIVE/v3/crl.pem"
cp "$PKI/first.pem" "$LIVE/v1/ca.crt"
for v in v1 broken; do echo "token-of-$v-0123456789abcdef" >"$LIVE/$v/token"; done
head -c 60 "$LIVE/v1/tls.key" >"$LIVE/broken/tls.key"
chmod 644 "$LIVE"/*/*
ln -s v1 "$LIVE/..data"
for f in token tls.crt tls.key ca.crt crl.pem; do ln -s "..data/$f" "$LIVE/$f"; done
cat >"$TMP/pillion.yaml" <<YAML
admin: {tls: {certificate: $LIVE/tls.crt, key: $LIVE/tls.key, client_ca: $LIVE/ca.crt, crl: [$LIVE/crl.pem]}}
auth:
  tokens: [{name: robot, file: $LIVE/token, scopes: [all]}]
  certificates: [{name: machine, uri: "spiffe://td.example/ns/prod/*", scopes: [all]}]
health: {listen: ["127.0.0.1:0"]}
limits: {connections: 512, per_address: 512, unauthenticated: 256, handshakes: 1000}
YAML
start_pillion --config "$TMP/pillion.yaml"
[ "$(curl -s "http://$HEALTH/metrics" | sed -n 's/^pillion_config_last_reload_successful //p')" = 1 ] ||
    fail "not well to begin with"
python3 "$ROOT/tests/e2e/rotate.py" "${ADDRESS##*:}" "$HEALTH" "$LIVE" "$PKI" "${CLIENTS:-50}" || fail "the rotation"
ok "tokens, certificates, CA, revocation list"
TOKEN=token-of-broken-0123456789abcdef
get /api/v1/status
[ "$STATUS" != 200 ] || fail "half of a broken set was taken"
ok "no half of a broken set is taken"
no_secret token-of-v1-0123456789abcdef token-of-v2-0123456789abcdef token-of-broken-0123456789abcdef
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
echo "$CHECKS checks"
