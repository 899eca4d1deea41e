#!/bin/bash
# The window that runs when the target ends or SIGTERM comes is closed, kept and sent within `drain`,
# with the time that it really covers; a backend that is down gets it after the next start. And while
# the schedule takes a profile, a client gets one too.
# long: 50 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 curl
need_perf

# one after the other of 15 s, whose beat is where this host's name puts it
config() { # EVERY
    cat >"$TMP/pillion.yaml" <<YAML
admin: {tls: off}
auth: {anonymous: {scopes: [all]}}
leak_watch: {every: 0s}
collect: {every: $1, profiles: [{type: cpu, seconds: 15}, {type: goroutine, every: 1h}]}
spool: {dir: $TMP/spool}
forward:
  - {name: folder, type: directory, path: $TMP/out}
  - {name: dog, type: datadog, url: "unix:$TMP/dog.sock"}
drain: 20s
YAML
}
start() {
    PLAIN=1 start_pillion --config "$TMP/pillion.yaml"
    [ "${1:-}" = idle ] && return
    wait_for 40 window_runs || fail "the schedule does not begin"
    sleep 1.5
}
window_runs() { # due, and busy with it
    raw /api/v1/status
    [ "$STATUS" = 200 ] || return
    python3 -c 'import json, sys; sys.exit(json.load(open(sys.argv[1]))["collect"][0]["next_ms"] != 0)' "$BODY"
}
receive() { # the other backend, down or up
    rm -f "$TMP/dog.sock" "$TMP/dog.log"
    [ "$1" = up ] || return 0
    mkfifo "$TMP/dog.in" 2>/dev/null
    python3 "$ROOT/tests/e2e/servers/backend.py" --unix "$TMP/dog.sock" --log "$TMP/dog.log" 'status=200' \
        <"$TMP/dog.in" >/dev/null 2>&1 &
    PIDS+=("$!")
    exec 8>"$TMP/dog.in"
    wait_for 20 test -S "$TMP/dog.sock" || fail "the receiver does not listen"
}
files() { find "$TMP/out" -name "*-$1-*.pb.gz" 2>/dev/null | wc -l; }
cpu_came() { [ "$(files cpu)" = "$1" ]; }
waits() { find "$TMP/spool/$1" -name '*.plsp' 2>/dev/null | wc -l; }
nothing_waits() { [ "$(waits folder)" = 0 ] && [ "$(waits dog)" = 0 ]; }
# the newest CPU profile: the seconds that it covers, and why it ended
check() { # WHY
    python3 - "$TMP/out" "$1" <<'PY' || fail "$1: not the profile of a part of the window"
import glob, os, sys
sys.path.insert(0, "tests/e2e")
import pprof
path = max(glob.glob(sys.argv[1] + "/*-cpu-*.pb.gz"), key=os.path.getmtime)
p = pprof.read(path)
seconds = p.duration_ns / 1e9
assert 0.5 < seconds < 14.5, seconds
assert sum(s["values"][1] for s in p.samples) > 0, "empty"
assert sys.argv[2] == "shutdown" or any("ended early: " + sys.argv[2] in c for c in p.comments), p.comments
print("%.1f s, %d samples" % (seconds, len(p.samples)))
PY
}
came_to_dog() { # as many different ids as there are files
    [ "$(grep -o 'boundary=[0-9a-f]\{32\}' "$TMP/dog.log" | sort -u | wc -l)" = "$1" ]
}
cd "$ROOT" || exit 1
config 15s

# --- the target ends; a client's profile beside the schedule's
receive up
start_target
start
raw '/debug/pprof/profile?seconds=1'
wants 200 "a client while the schedule's window runs"
kill "$TARGET_PID"
wait_for 30 cpu_came 1 || fail "the target ended, and its last window never came"
check target-exit
ok "the target ended: its last window is kept"
wait_for 20 nothing_waits || fail "something still waits"
stop_pillion
[ "$EXIT" = 0 ] || fail "it ended with $EXIT"

# --- SIGTERM to the guard alone, then to all of its group
start_target
start
stop_pillion
[ "$EXIT" = 0 ] || fail "SIGTERM: it ended with $EXIT"
cpu_came 2 || fail "SIGTERM: $(files cpu) CPU profiles"
check shutdown
nothing_waits || fail "SIGTERM: something was left in the spool"
ok "SIGTERM to the guard: the window is kept and sent"

set -m
start
set +m
kill -TERM -- "-$PID"
wait "$PID"
EXIT=$?
[ "$EXIT" = 0 ] || fail "SIGTERM to the group: it ended with $EXIT"
cpu_came 3 || fail "SIGTERM to the group: $(files cpu) CPU profiles"
check shutdown
nothing_waits || fail "SIGTERM to the group: something was left in the spool"
sent=$(grep -c . "$TMP/dog.log")
came_to_dog "$sent" || fail "something was sent twice"
ok "SIGTERM to the group: the same"

# --- a backend that is down: it waits, the other does not, and after the restart it is sent
exec 8>&-
receive down
start
began=$SECONDS
stop_pillion
[ "$EXIT" = 0 ] || fail "a backend is down: it ended with $EXIT"
[ $((SECONDS - began)) -lt 25 ] || fail "a backend that is down held the end up for $((SECONDS - began)) s"
cpu_came 4 || fail "a backend is down: the other one has $(files cpu) CPU profiles"
check shutdown
[ "$(waits dog)" -ge 1 ] && [ "$(waits folder)" = 0 ] || fail "$(waits dog) and $(waits folder) wait"
find "$TMP/spool/dog" -name '*.plsp' | sed 's/.*-\([0-9a-f]*\).plsp/\1/' | sort >"$TMP/ids"
ok "a backend is down: $(waits dog) wait for it, none for the other"
receive up
config 0s
start idle
wait_for 30 nothing_waits || fail "after the restart $(waits dog) still wait"
grep -o 'boundary=[0-9a-f]\{32\}' "$TMP/dog.log" | sed 's/.*=//' | sort -u | cmp -s - "$TMP/ids" ||
    fail "not the ones that waited"
stop_pillion
ok "after the restart it has them, under the same ids"
