#!/bin/bash
# The guard with file capabilities, started by an ordinary user: what it keeps, what its children
# do not, and whose programs it starts beside itself.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need setcap setpriv capsh python3 sleep
[ "$(id -u)" = 0 ] || skip "needs root to give capabilities away"

chmod 755 "$TMP"
uid=12345 caps=cap_perfmon,cap_sys_ptrace
make_folder() { # NAME OWNER
    mkdir -m 755 "$TMP/$1"
    for p in pillion pillion-guard pillion-sampler pillion-sidecar; do
        cp "$(readlink -f "$BUILD/$p")" "$TMP/$1/" && chmod 755 "$TMP/$1/$p"
    done
    chown "$2" "$TMP/$1"
}
make_folder good 0
setcap $caps+p "$TMP/good/pillion-guard" 2>/dev/null || skip "no file capabilities on this file system"
user() { exec setpriv --reuid $uid --regid $uid --clear-groups "$@"; }
field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

start_target sleep 1000 # root's
run() { # COMMAND...: until it is ready; PID is the guard
    LOG=$TMP/log.$RANDOM
    "$@" run --pid "$TARGET_PID" --listen 127.0.0.1:0 >"$TMP/out" 2>"$LOG" &
    PID=$!
    PIDS+=("$PID")
    wait_for 20 is_ready || fail "no ready line"
}
holds() { # CAPS MODE
    [ "$(sed -n 's/.*"confined","program":"guard".*"capabilities":"\([^"]*\)".*/\1/p' "$LOG")" = "$1" ] ||
        fail "the guard holds something else: $(grep confined "$LOG" | head -n 1)"
    [ "$(log_field ready mode)" = "$2" ] || fail "mode $(log_field ready mode)"
    for p in $(pgrep -P "$PID"); do
        [ "$(field "$p" CapPrm)$(field "$p" CapEff)$(field "$p" CapInh)" = 000000000000000000000000000000000000000000000000 ] || fail "a child holds capabilities"
        [ "$(field "$p" NoNewPrivs)" = 1 ] || fail "a child has no no_new_privs"
    done
    stop_pillion
    [ "$EXIT" = 0 ] || fail "exit $EXIT"
}

run user "$TMP/good/pillion-guard"
holds PERFMON,SYS_PTRACE full
ok "file capabilities: used, and not handed on"

# as in a container with allowPrivilegeEscalation: false, whose runtime fills the permitted set
run capsh --keep=1 --uid=$uid --caps=$caps+p --no-new-privs --shell="$TMP/good/pillion-guard" --
holds PERFMON,SYS_PTRACE full
ok "under no_new_privs, permitted before the first exec"

run user --no-new-privs env "$TMP/good/pillion-guard" # setpriv keeps what it has, env has nothing
holds none none
ok "under no_new_privs, not permitted before: none, and it says so"

# ---- another folder: who starts it must not choose what it starts
refuses() { # FOLDER WHAT
    timeout 20 setpriv --reuid $uid --regid $uid --clear-groups "$TMP/$1/pillion-guard" run \
        --pid "$TARGET_PID" --listen 127.0.0.1:0 >"$TMP/out" 2>"$TMP/err"
    rc=$?
    [ "$rc" = 2 ] || fail "$2: exit $rc"
    grep -q 'could be replaced' "$TMP/err" || fail "$2: $(cat "$TMP/err")"
    ok "$2: $(cat "$TMP/err")"
}
make_folder theirs $uid
rm "$TMP/theirs/pillion-guard"
ln "$TMP/good/pillion-guard" "$TMP/theirs/pillion-guard" || fail "no hard link"
refuses theirs "a hard link in a folder of the user's"

make_folder open 0
setcap $caps+p "$TMP/open/pillion-guard"
chmod 777 "$TMP/open"
refuses open "a folder that all may write"
chmod 755 "$TMP/open"
chown $uid "$TMP/open/pillion"
refuses open "a program of the user's beside it"

# without capabilities gained there is nothing to protect: anybody's build works
setcap -r "$TMP/open/pillion-guard"
run "$TMP/open/pillion-guard"
stop_pillion
ok "the same folder without file capabilities"
