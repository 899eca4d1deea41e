#!/bin/bash
# Every scope on every endpoint by every kind of credential: each cell of one table, which is the
# endpoint's own.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl openssl python3
# shellcheck source=tests/e2e/credentials.sh
. "$(dirname "$0")/credentials.sh"
routes=$BUILD/tools/routes
[ -x "$routes" ] || skip "the tool that lists the endpoint's table is not built (make tools)"
issue_begin
"$routes" >"$ISSUE/routes" || fail "no table"
jwt e '{"exp": now + 3000}' >"$ISSUE/jwt"
echo "me:$(hash_of sha256 'a password')" >"$ISSUE/htpasswd"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=matrix \
    -keyout "$ISSUE/client.key" -out "$ISSUE/client.crt" 2>/dev/null || fail "no client certificate"
chmod 644 "$ISSUE"/*
issue_server
start_target sleep 1000
python3 "$ROOT/tests/e2e/matrix.py" "$ISSUE" https://x:1 0 /dev/null "$API" "$ISSUE/routes" --configure ||
    fail "no configuration"
start_pillion --config "$ISSUE/pillion.yaml"
python3 "$ROOT/tests/e2e/matrix.py" "$ISSUE" "$URL" "$PID" "$LOG" "$API" "$ISSUE/routes" || fail "a cell is wrong"
ok "all cells"
no_secret token-of-the-matrix-0123456789 "$(cut -d. -f3 "$ISSUE/jwt")" good-token-0000000001 "a password"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT after SIGTERM"
echo "$CHECKS checks"
