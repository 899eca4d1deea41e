#!/bin/bash
# Smuggling and parser differentials: requests that two readers could take for one or for two, over
# plain TCP and TLS. One answer or a close, never two, and nothing strange is let in.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3

TOKEN=token-of-oncall-0123456789
start_target sleep 1000
configure() { # ADMIN
    cat >"$TMP/pillion.yaml" <<YAML
admin: {$1}
auth: {tokens: [{name: oncall, sha256: "$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)", scopes: [all]}]}
limits: {handshakes: 1000}
YAML
}
configure 'tls: off'
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-of-oncall-0123456789
python3 "$ROOT/tests/e2e/smuggle.py" plain "${ADDRESS##*:}" "$TOKEN" || fail "plain"
URL=http://$ADDRESS
get /api/v1/status && wants 200 "and it serves on"
stop_pillion
configure ''
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-of-oncall-0123456789
python3 "$ROOT/tests/e2e/smuggle.py" tls "${ADDRESS##*:}" "$TOKEN" || fail "TLS"
get /api/v1/status && wants 200 "and it serves on"
no_secret "$TOKEN"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
echo "$CHECKS checks"
