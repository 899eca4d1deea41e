#!/bin/bash
# A target that exits, execs, forks, starts 1,000 threads a second or stands still while it is
# profiled: a right answer or a clear error, nothing left behind. RUNS (default 21) short profiles in
# a row over all of them; RUNS=200 for the long form.
# long: 80 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 curl
need_perf
"$ROOT/tests/targets/build_c.sh" "$ROOT/tests/targets/bin" || skip "no C compiler"
name=thr$$ # of its own: another run of this test may be under way
threads=$TMP/$name
cp "$ROOT/tests/targets/bin/threads" "$threads"

target() { # ARGS...: start the target, sets TARGET_PID
    start_target "$threads" "$@"
}
record() { # SECONDS FILE ARGS...
    local seconds=$1 file=$2
    shift 2
    "$BUILD/pillion" record --pid "$TARGET_PID" --seconds "$seconds" -o "$file" "$@" 2>"$TMP/record.err"
}
comments() { python3 -c 'import sys; sys.path.insert(0, "tests/e2e"); import pprof; print("\n".join(pprof.read(sys.argv[1]).comments))' "$1"; }
cpu_s() { python3 -c 'import sys; sys.path.insert(0, "tests/e2e"); import pprof; print(sum(s["values"][1] for s in pprof.read(sys.argv[1]).samples) / 1e9)' "$1"; }

# --- exits in the middle: what there is, and why
target exit 2
record 6 "$TMP/exit.pb.gz" || fail "a target that exits: $(cat "$TMP/record.err")"
comments "$TMP/exit.pb.gz" | grep -q 'ended early: target-exit' || fail "it does not say that the target exited"
ok "exit: a profile of what there was"

# --- execs in the middle
target exec 4
record 6 "$TMP/exec.pb.gz" || fail "a target that execs: $(cat "$TMP/record.err")"
comments "$TMP/exec.pb.gz" | grep -q 'ended early: target-exec' || fail "it does not say that the target called exec"
ok "exec: a profile of the first program"

# --- forks: the child's time is not the target's
target fork 6
record 4 "$TMP/fork.pb.gz" || fail "a target that forks: $(cat "$TMP/record.err")"
t=$(cpu_s "$TMP/fork.pb.gz")
python3 -c "import sys; sys.exit(0 if $t <= 4.4 else 1)" || fail "fork: $t s sampled of one thread in 4 s"
ok "fork: $t s sampled, the child's are not among them"
target forks 6
record 4 "$TMP/forks.pb.gz" || fail "a target that goes on forking: $(cat "$TMP/record.err")"
t=$(cpu_s "$TMP/forks.pb.gz")
python3 -c "import sys; sys.exit(0 if $t <= 4.4 else 1)" || fail "forks: $t s sampled of one thread in 4 s"
ok "forks: $t s sampled"

# --- 1,000 threads a second
target short 8 1000 300
record 5 "$TMP/short.pb.gz" || fail "short threads: $(cat "$TMP/record.err")"
comments "$TMP/short.pb.gz" | grep 'cpu time\|samples'
ok "1,000 threads a second"

# --- stopped: an empty profile, and it is still stopped
target busy 30
kill -STOP "$TARGET_PID"
record 2 "$TMP/stop.pb.gz" || fail "a stopped target: $(cat "$TMP/record.err")"
t=$(cpu_s "$TMP/stop.pb.gz")
python3 -c "import sys; sys.exit(0 if $t < 0.1 else 1)" || fail "stopped: $t s sampled"
grep -q '^State:.*T' "/proc/$TARGET_PID/status" || fail "it does not stand still any more"
kill -CONT "$TARGET_PID"
kill "$TARGET_PID"
ok "a stopped target gives an empty profile and stays stopped"

# --- the same again and again at one endpoint that follows the target by name
printf 'limits: {min_interval: 0s}\nadmin: {tls: off}\n' >"$TMP/pillion.yaml"
target busy 1
PLAIN=1 start_pillion --config "$TMP/pillion.yaml" --process "$name"
fds() { find "/proc/$1/fd" 2>/dev/null | wc -l; }
rss() { awk '/VmRSS/ {print $2}' "/proc/$1/status"; }
guard=$PID
sampler=$(pgrep -P "$guard" -f pillion-sampler)
sees() { curl -s -m 2 -H "Authorization: Bearer $TOKEN" "$URL/api/v1/status" | grep -q "\"pid\":$1,"; }
modes=("exit 2" "exec 3" "forks 3" "short 3 1000 200" "race 3 1 200" "busy 4" "leader 3 200000")
served=0 refused=0 first_fds="" first_rss=""
for i in $(seq "${RUNS:-21}"); do
    read -r -a mode <<<"${modes[i % ${#modes[@]}]}"
    "$threads" "${mode[@]}" >/dev/null 2>&1 &
    t=$!
    wait_for 3 sees "$t" || echo "note: run $i (${mode[*]}) was not found in time"
    get '/debug/pprof/profile?seconds=1&hz=500' -m 20
    case $STATUS in
    200) served=$((served + 1)) ;;
    503) refused=$((refused + 1)) ;; # between two targets, or two of them at once
    501) # its first thread was dead when it was found: by its pid the kernel shows it no more
        [ "${mode[0]}" = leader ] || fail "run $i (${mode[*]}): 501"
        says 'the target is gone'
        refused=$((refused + 1))
        ;;
    *) fail "run $i (${mode[*]}): $STATUS" ;;
    esac
    kill "$t" 2>/dev/null
    wait "$t" 2>/dev/null
    pkill -x -P 1 "$name" 2>/dev/null
    if [ "$i" = 7 ]; then first_fds=$(fds "$guard") first_rss=$(rss "$guard"); fi
done
[ "$served" -gt $((${RUNS:-21} / 3)) ] || fail "only $served of ${RUNS:-21} profiles were served ($refused refused)"
[ "$(pgrep -P "$guard" -f pillion-sampler)" = "$sampler" ] || fail "the sampler died on the way"
now_fds=$(fds "$guard") now_rss=$(rss "$guard")
[ "$now_fds" -le $((first_fds + 4)) ] || fail "the guard's descriptors grow: $first_fds, then $now_fds"
case $BUILD in *asan*) room=65536 ;; *) room=4096 ;; esac # ASan keeps freed memory for a while
[ "$now_rss" -le $((first_rss + room)) ] || fail "the guard grows: $first_rss KiB, then $now_rss KiB"
[ "$(fds "$sampler")" -le 16 ] || fail "the sampler keeps descriptors: $(fds "$sampler")"
ok "${RUNS:-21} runs: $served served, $refused refused, guard $first_rss → $now_rss KiB, sampler $(rss "$sampler") KiB"
