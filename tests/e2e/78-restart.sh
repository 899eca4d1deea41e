#!/bin/bash
# A restarted container: a new process in a new control group with a new id. It is followed where it
# was chosen by the beginning of its id, by the name of its program, or by nothing at all. The control
# groups are made here, as a container runtime makes them.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 curl unshare sleep
[ "$(id -u)" = 0 ] || skip "needs root to make control groups"

name=srv$$
cp "$(command -v sleep)" "$TMP/$name"
head=$(printf '%012x' "$$")
first=$head$(printf 'a%.0s' {1..52}) second=$head$(printf 'b%.0s' {1..52})
folder=""
for f in /sys/fs/cgroup/pids /sys/fs/cgroup/freezer /sys/fs/cgroup; do
    if [ -e "$f/cgroup.procs" ] && mkdir "$f/$first" 2>/dev/null; then
        folder=$f
        break
    fi
done
[ -n "$folder" ] || skip "no control group can be made here"
remove() {
    cleanup
    rmdir "$folder/$first" "$folder/$second" 2>/dev/null
}
trap remove EXIT
mkdir "$folder/$second" || fail "a second control group"
sh -c "echo \$\$ >$folder/$first/cgroup.procs" 2>/dev/null || skip "no process can be put into a control group here"

in_group() { # ID: the server in it; sets TARGET_PID
    # shellcheck disable=SC2016
    sh -c 'echo $$ >"$1/cgroup.procs" && exec "$2" 120' _ "$folder/$1" "$TMP/$name" >/dev/null &
    TARGET_PID=$!
    PIDS+=("$TARGET_PID")
}
is_target() { # ID
    get /api/v1/status && grep -q "\"pid\":$TARGET_PID," "$BODY" && grep -q "\"container\":\"$1\"" "$BODY"
}
restart() { # WHAT
    in_group "$first"
    wait_for 20 is_target "$first" || fail "$1: not found: $(head -c 400 "$BODY")"
    kill -9 "$TARGET_PID"
    in_group "$second"
    wait_for 20 is_target "$second" || fail "$1: the restarted one is not followed: $(head -c 400 "$BODY")"
    kill -9 "$TARGET_PID"
    stop_pillion
    ok "$1: followed into its new container"
}
start_pillion --container "$head"
restart "by the beginning of the id"
start_pillion --process "$name"
restart "by the program's name"

# --- by nothing: the only other application of a Pod, in a PID namespace of its own
# shellcheck disable=SC2016
(exec unshare -p -f --mount-proc --kill-child sh -c '
    found() { grep "\"target found\"" "$4/auto.log" | grep -c "\"name\":\"$6\""; }
    : >"$4/auto.log"
    wanted=1
    for group in "$1" "$2"; do
        sh -c "echo 0 >$group/cgroup.procs && exec \"$3\" 120" >/dev/null &
        server=$!
        if [ "$wanted" = 1 ]; then # before, there may be several others: those of this script
            until grep -q "$6" "/proc/$server/comm"; do sleep 0.1; done
            "$5" run --listen 127.0.0.1:0 >"$4/auto.out" 2>"$4/auto.log" &
        fi
        until [ "$(found "$@")" -ge "$wanted" ]; do sleep 0.1; done
        kill -9 "$server"
        wanted=2
    done
    touch "$4/done"
' _ "$folder/$first" "$folder/$second" "$TMP/$name" "$TMP" "$BUILD/pillion" "$name") &
PIDS+=("$!")
wait_for 40 test -e "$TMP/done" || fail "auto: not followed: $(tail -n 5 "$TMP/auto.log")"
ok "the only other application: followed into its new container"
echo "$CHECKS checks"
