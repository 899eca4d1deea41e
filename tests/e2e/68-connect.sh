#!/bin/bash
# `pillion check --connect`: each backend gets one profile, and what it says is printed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3

PORT=""
listening() { [ -s "$TMP/$1.port" ]; }
receiver() { # NAME ARG...: backend.py; sets PORT
    local name=$1
    shift
    mkdir -p "$TMP/$name.bodies"
    mkfifo "$TMP/$name.in"
    python3 "$ROOT/tests/e2e/servers/backend.py" --log "$TMP/$name.log" --bodies "$TMP/$name.bodies" "$@" \
        <"$TMP/$name.in" >"$TMP/$name.port" 2>"$TMP/$name.err" &
    PIDS+=($!)
    # shellcheck disable=SC2034
    exec {FD}>"$TMP/$name.in" # it ends when we do
    wait_for 30 listening "$name" || fail "$name: no receiver"
    PORT=$(sed -n 's/^port //p' "$TMP/$name.port")
}
try() { # EXIT: of the configuration on standard input
    cat >"$TMP/pillion.yaml"
    "$BUILD/pillion" check --connect --config "$TMP/pillion.yaml" >"$TMP/said" 2>"$TMP/err"
    EXIT=$?
    [ "$EXIT" = "$1" ] || fail "exit $EXIT instead of $1: $(cat "$TMP/said" "$TMP/err")"
}
line() { grep -qxF -- "$1" "$TMP/said" || fail "it does not say \"$1\" but: $(cat "$TMP/said")"; }

receiver good
good=$PORT
receiver locked 'status=401&body=who are you?'
locked=$PORT
receiver grpc 'mode=raw&raw=HTTP/1.1 200 OK%0D%0AContent-Type: application/grpc-web%2Bproto%0D%0AContent-Length: 21%0D%0A%0D%0A%2580%2500%2500%2500%2510grpc-status: 0%0D%0A'
grpc=$PORT
receiver slow 'mode=silent'
slow=$PORT
mkdir "$TMP/folder"
printf 'c2VjcmV0LWNoZWNr' >"$TMP/bearer"
chmod 600 "$TMP/bearer"

try 1 <<EOF
labels: {service_name: shop}
forward:
  - {name: one, type: pyroscope, url: "http://127.0.0.1:$good", bearer_file: bearer}
  - {name: two, type: pyroscope, url: "http://127.0.0.1:$locked", bearer_file: bearer}
  - {name: three, type: parca, url: "http://127.0.0.1:$grpc"}
  - {name: four, type: datadog, url: "http://127.0.0.1:$good"}
  - {name: five, type: otlp, url: "http://127.0.0.1:$good"}
  - {name: six, type: directory, path: folder}
  - {name: seven, type: otlp, url: "http://127.0.0.1:$slow", timeout: 1s}
  - {name: eight, type: directory, path: /proc/self/no/such}
  - {name: nine, type: pyroscope, url: "http://127.0.0.1:$good", bearer_file: $TMP/gone}
  - {name: ten, type: pyroscope, url: "http://127.0.0.1:$good", types: [heap]}
spool: {dir: $TMP/spool}
EOF
line 'one (pyroscope): ok'
line 'two (pyroscope): no: HTTP 401: who are you?'
line 'three (parca): ok'
line 'four (datadog): ok'
line 'five (otlp): ok'
line 'six (directory): ok'
grep -q '^seven (otlp): no: .' "$TMP/said" || fail "seven: $(cat "$TMP/said")"
grep -q '^eight (directory): no: /proc/self/no/such' "$TMP/said" || fail "eight: $(cat "$TMP/said")"
grep -q "^nine (pyroscope): no: .*gone" "$TMP/said" || fail "nine: $(cat "$TMP/said")"
line 'ten (pyroscope): ok'
[ "$(wc -l <"$TMP/said")" = 10 ] || fail "more was said: $(cat "$TMP/said")"
[ "$(wc -l <"$TMP/locked.log")" = 1 ] || fail "it tried more than once"
[ ! -e "$TMP/spool" ] || fail "the spool was made"
! grep -q c2VjcmV0LWNoZWNr "$TMP/said" "$TMP/err" || fail "the secret is told"
ok "each backend is tried once and its words are printed"

# what was sent: no samples, or one, and a label that says so
cat "$TMP"/good.bodies/* | grep -aq pillion_check || fail "it is not labelled as a check"
file=$(echo "$TMP"/folder/*.pb.gz)
python3 - "$file" <<'PY' || fail "the folder's file is not an empty profile"
import gzip, sys
raw = gzip.open(sys.argv[1]).read()
assert b"pillion check --connect" in raw and b"samples" in raw and b"[pillion check]" not in raw
PY
ok "an empty profile, labelled pillion_check"

try 0 <<EOF
forward: [{name: one, type: pyroscope, url: "http://127.0.0.1:$good"}]
EOF
try 0 <<<'labels: {service_name: shop}'
[ ! -s "$TMP/said" ] || fail "without backends it says $(cat "$TMP/said")"
try 1 <<<'forward: [{name: one, type: nothing}]'
grep -q 'pillion.yaml:1:' "$TMP/err" || fail "no place of the error"
ok "exit codes"
