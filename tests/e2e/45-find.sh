#!/bin/bash
# Every way to name a target, what is ambiguous, what is not there, and a target that is restarted.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 go unshare
need_perf

"$ROOT/tests/targets/build_c.sh" "$ROOT/tests/targets/bin" || skip "no C compiler"
cp "$ROOT/tests/targets/bin/threads" "$TMP/findme-server"
record() { "$BUILD/pillion" record "$@" --seconds 1 -o "$TMP/p.pb.gz" 2>"$TMP/err"; }
found() { # WHAT OPTION...: it finds a busy thread
    local what=$1
    shift
    record "$@" || fail "$what: $(cat "$TMP/err")"
    python3 - "$TMP/p.pb.gz" <<'PY' || fail "$what: nothing was sampled"
import sys
sys.path.insert(0, "tests/e2e")
import pprof
sys.exit(0 if sum(s["values"][0] for s in pprof.read(sys.argv[1]).samples) > 3 else 1)
PY
    ok "$what"
}

FINDME_MARK=blue "$TMP/findme-server" busy 60 >/dev/null &
one=$!
PIDS+=("$one")
sleep 0.3
found "--pid" --pid "$one"
found "--process, base name of the executable" --process findme-server
found "--pid=N" "--pid=$one"
found "--cmdline, a regular expression over argv" --cmdline 'findme-ser[v]er busy 6[0-9]$'
found "--env" --env FINDME_MARK=blue
python3 -u -c '
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
print(s.getsockname()[1])
while True: sum(range(10000))
' >"$TMP/port" &
PIDS+=("$!")
wait_for 5 test -s "$TMP/port" || fail "no port"
found "--port" --port "$(cat "$TMP/port")"

# --- several match: all are listed, nothing is chosen, exit 2
FINDME_MARK=red "$TMP/findme-server" busy 60 >/dev/null &
two=$!
PIDS+=("$two")
sleep 0.3
record --process findme-server
[ $? = 2 ] || fail "ambiguous: not exit 2"
grep -q "pid $one " "$TMP/err" && grep -q "pid $two " "$TMP/err" || fail "not both are listed: $(cat "$TMP/err")"
ok "two match: both are listed, exit 2"
found "--env tells them apart" --env FINDME_MARK=red

# --- nothing matches
record --process no-such-thing
[ $? = 2 ] || fail "not there: not exit 2"
[ "$(wc -l <"$TMP/err")" = 1 ] || fail "not one line: $(cat "$TMP/err")"
ok "not there: $(cat "$TMP/err")"
record --port 1
[ $? = 2 ] || fail "no listener: not exit 2"
record --cmdline '(' && fail "a broken expression is taken"
ok "a broken expression: $(cat "$TMP/err")"
kill "$two" "$one"

# --- auto: the only other application in this PID namespace
if [ "$(id -u)" = 0 ]; then
    # shellcheck disable=SC2016
    unshare -p -f --mount-proc bash -c '
        "$1" busy 20 >/dev/null & sleep 0.5
        "$2" record --seconds 1 -o "$3"' _ "$TMP/findme-server" "$BUILD/pillion" "$TMP/auto.pb.gz" 2>"$TMP/err" ||
        fail "auto: $(cat "$TMP/err")"
    [ -s "$TMP/auto.pb.gz" ] || fail "auto: nothing was recorded"
    ok "auto: the only other application"
fi

# --- a target that is not there yet is waited for; one that is restarted is followed
status_has() { get /api/v1/status && grep -q "$1" "$BODY"; }
start_pillion --process findme-server
get /readyz && wants 503 "not there yet"
says "findme-server"
get '/debug/pprof/profile?seconds=1' && wants 503 "a profile of nothing"
"$TMP/findme-server" busy 60 >/dev/null &
one=$!
PIDS+=("$one")
wait_for 5 status_has "\"pid\":$one," || fail "it was not found"
get /readyz && wants 200 "found"
kill -9 "$one"
wait_for 5 status_has '"state":"waiting"' || fail "its death was not seen: $(cat "$BODY")"
"$TMP/findme-server" busy 60 >/dev/null &
two=$!
PIDS+=("$two")
wait_for 5 status_has "\"pid\":$two," || fail "the new one was not found"
get '/debug/pprof/profile?seconds=1' && wants 200 "a profile of the new one"
ok "a restarted target is followed"
