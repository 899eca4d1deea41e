#!/bin/bash
# A token and a certificate are exchanged by the ..data symlink, as the kubelet does it, while fifty
# clients work: the new ones are taken, the old token is refused, a broken set changes nothing and is
# visible in the metrics.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl openssl python3

start_target sleep 1000
chmod 755 "$TMP"
LIVE=$TMP/live
for v in v1 v2 broken; do
    mkdir -p "$LIVE/$v"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$v" \
        -keyout "$LIVE/$v/tls.key" -out "$LIVE/$v/tls.crt" 2>/dev/null || fail "openssl"
    echo "token-of-$v-0123456789abcdef" >"$LIVE/$v/token"
    chmod 644 "$LIVE/$v"/*
done
head -c 60 "$LIVE/v1/tls.key" >"$LIVE/broken/tls.key"
ln -s v1 "$LIVE/..data"
for f in token tls.crt tls.key; do ln -s "..data/$f" "$LIVE/$f"; done
cat >"$TMP/pillion.yaml" <<YAML
admin: {tls: {certificate: $LIVE/tls.crt, key: $LIVE/tls.key}}
auth: {tokens: [{name: robot, file: $LIVE/token, scopes: [all]}]}
health: {listen: ["127.0.0.1:0"]}
limits: {connections: 256, per_address: 256, unauthenticated: 128, handshakes: 1000}
YAML
start_pillion --config "$TMP/pillion.yaml"
[ "$(curl -s "http://$HEALTH/metrics" | sed -n 's/^pillion_config_last_reload_successful //p')" = 1 ] ||
    fail "not well to begin with"
python3 "$ROOT/tests/e2e/rotate.py" "${ADDRESS##*:}" "$LIVE" "${CLIENTS:-50}" || fail "the rotation"
[ "$(curl -s "http://$HEALTH/metrics" | sed -n 's/^pillion_config_last_reload_successful //p')" = 0 ] ||
    fail "a broken set is not in the metrics"
ok "a broken set is in the metrics"
TOKEN=token-of-broken-0123456789abcdef
get /api/v1/status
[ "$STATUS" != 200 ] || fail "half of a broken set was taken"
ok "and no half of it is taken"
no_secret token-of-v1-0123456789abcdef token-of-v2-0123456789abcdef token-of-broken-0123456789abcdef
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
echo "$CHECKS checks"
