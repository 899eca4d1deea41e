#!/bin/bash
# What each program holds: descriptors, capabilities, environment; and starts that are not as usual:
# closed standard descriptors, an ignored SIGCHLD, PID 1, a wrong --client-fd.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3 sleep

child() { pgrep -P "$PID" -f "pillion-$1"; }
field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
link() { readlink "/proc/$1/fd/$2"; }
other() { local c; c=$(child "$1"); [ -n "$c" ] && [ "$c" != "$2" ]; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
gone() { ! kill -0 "$1" 2>/dev/null; }

token=border-token-0123456789
cat >"$TMP/pillion.yaml" <<YAML
auth: {tokens: [{name: t, sha256: "$(printf %s $token | sha256sum | cut -d' ' -f1)", scopes: [all]}]}
YAML
TOKEN=$token

# ---- descriptors, capabilities, environment
start_target sleep 1000
exec 7</etc/passwd 8<>"$TMP/left-open"
start_pillion --config "$TMP/pillion.yaml"
exec 7<&- 8<&-
sampler=$(child sampler) sidecar=$(child sidecar)
for p in $PID $sampler $sidecar; do
    [ "$(field "$p" NoNewPrivs)" = 1 ] || fail "$p: no_new_privs is not set"
    [ "$(field "$p" CapInh)$(field "$p" CapAmb)" = 00000000000000000000000000000000 ] || fail "$p: inheritable or ambient capabilities"
    [ "$(awk '/Max core file size/ { print $5 $6 }' "/proc/$p/limits")" = 00 ] || fail "$p may dump core"
done
limit() { awk -v n="$2" 'index($0, n) == 1 { $0 = substr($0, length(n) + 1); print $1 }' "/proc/$1/limits"; }
for p in $sampler $sidecar; do
    [ "$(limit "$p" "Max processes")" = 0 ] || fail "$p may start processes: $(limit "$p" "Max processes")"
    [ "$(limit "$p" "Max open files")" -le 4096 ] || fail "$p: $(limit "$p" "Max open files") descriptors"
    case $BUILD in *asan* | *tsan*) ;; *) [ "$(limit "$p" "Max address space")" = 4294967296 ] || fail "$p: address space" ;; esac
    [ "$(field "$p" CapPrm)$(field "$p" CapEff)" = 00000000000000000000000000000000 ] || fail "$p holds capabilities"
    [ "$(id -u)" != 0 ] || [ "$(field "$p" CapBnd)" = 0000000000000000 ] || fail "$p: its bounding set is not empty"
    ! grep -q '"seccomp":"[0-9]' "$LOG" || [ "$(field "$p" Seccomp)" = 2 ] || fail "$p has no filter"
done
[ "$(grep -c '"dumpable":false' "$LOG")" = 3 ] || fail "somebody is dumpable"
ok "no capability in the children, none inherited in the guard, no_new_privs, no cores"
if link "$PID" 0 >/dev/null; then # only root may look
    for p in $PID $sampler $sidecar; do
        for fd in "/proc/$p/fd"/*; do
            case $(readlink "$fd") in
            /etc/passwd | "$TMP/left-open") fail "$p holds what was left open" ;;
            esac
        done
    done
    [ "$(link "$sampler" 0) $(link "$sampler" 1) $(link "$sidecar" 0)" = "/dev/null /dev/null /dev/null" ] ||
        fail "the children hold our input or output"
    [ -z "$(tr -d '\0' <"/proc/$sampler/environ")" ] || fail "the sampler has an environment"
    ok "descriptors: nothing left open, no input, no environment in the sampler"
fi
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"

# ---- standard descriptors closed: nothing of ours may take their places
port=$(free_port)
"$BUILD/pillion" run --config "$TMP/pillion.yaml" --pid "$TARGET_PID" --listen "127.0.0.1:$port" 0<&- 1>&- 2>&- &
PID=$!
PIDS+=("$PID")
URL=https://127.0.0.1:$port
answers() { get /livez; [ "$STATUS" = 200 ]; }
wait_for 20 answers || fail "does not serve with its standard descriptors closed"
if link "$PID" 4 >/dev/null; then
    for p in $PID $(child sampler) $(child sidecar); do
        for fd in 0 1 2; do [ "$(link "$p" $fd)" = /dev/null ] || fail "$p: $fd is $(link "$p" $fd)"; done
    done
fi
stop_pillion
[ "$EXIT" = 0 ] || fail "closed descriptors: exit $EXIT"
ok "with descriptors 0 to 2 closed"

# ---- who starts us ignores SIGCHLD: a dead child must still be seen
LOG=$TMP/log.ignored OUT=$TMP/out.ignored
python3 -c 'import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])' \
    "$BUILD/pillion" run --config "$TMP/pillion.yaml" --pid "$TARGET_PID" --listen 127.0.0.1:0 >"$OUT" 2>"$LOG" &
PID=$!
PIDS+=("$PID")
wait_for 20 is_ready || fail "no ready line"
victim=$(child sampler)
kill -9 "$victim"
wait_for 10 other sampler "$victim" || fail "SIGCHLD ignored: the sampler did not come back"
stop_pillion
ok "with SIGCHLD ignored by the parent"

# ---- no pipe of its front: said, and no wait
for fd in 77 0 abc; do
    timeout 10 "$BUILD/pillion-guard" --client-fd $fd record --pid "$TARGET_PID" </dev/null >"$TMP/client" 2>&1
    rc=$?
    [ "$rc" = 2 ] || fail "--client-fd $fd: exit $rc"
    grep -q client-fd "$TMP/client" || fail "--client-fd $fd: $(cat "$TMP/client")"
done
timeout 10 "$BUILD/pillion-guard" --client-fd 5 record --pid "$TARGET_PID" 5<"$0" >"$TMP/client" 2>&1
[ $? = 2 ] || fail "a file as --client-fd"
ok "a wrong --client-fd is refused"

# ---- a name that is not ASCII is waited for without a line at each look
LOG=$TMP/log.name OUT=$TMP/out.name
"$BUILD/pillion" run --config "$TMP/pillion.yaml" --process 'nö-such' --listen 127.0.0.1:0 >"$OUT" 2>"$LOG" &
PID=$!
PIDS+=("$PID")
sleep 3
[ "$(grep -c 'target not there' "$LOG")" = 1 ] || fail "waits loudly: $(grep -c 'target not there' "$LOG") lines"
stop_pillion
ok "waits for a name in silence"

# ---- PID 1 of a container
if unshare --pid --fork --mount-proc true 2>/dev/null; then
    LOG=$TMP/log.one OUT=$TMP/out.one
    # shellcheck disable=SC2016
    unshare --pid --fork --mount-proc sh -c 'sleep 1077 & (sleep 0.5 &) ; exec "$@"' sh \
        "$BUILD/pillion" run --config "$TMP/pillion.yaml" --cmdline '^sleep 1077' --listen 127.0.0.1:0 >"$OUT" 2>"$LOG" &
    outer=$!
    PIDS+=("$outer")
    inner() { PID=$(pgrep -P "$outer"); [ -n "$PID" ]; }
    wait_for 10 inner || fail "PID 1 does not start"
    wait_for 20 is_ready || fail "no ready line"
    sleep 1
    no_zombies() { [ -z "$(pgrep -P "$PID" -r Z)" ]; }
    wait_for 10 no_zombies || fail "PID 1 leaves zombies"
    kill -TERM "$PID"
    wait_for 10 gone "$outer" || fail "PID 1 ignores SIGTERM"
    wait "$outer"
    rc=$?
    [ "$rc" = 0 ] || fail "PID 1: exit $rc"
    ok "as PID 1: reaps orphans, SIGTERM ends it"
fi
