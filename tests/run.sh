#!/bin/bash
# run.sh BUILD TEST...: run each test on its own; a cmocka program counts each of its tests. The last
# line is "N passed, N failed" (", N skipped"). A test exits 0, 1 or 77: passed, failed, skipped.
#
# JOBS tests (default: as many as processors, 4 at most) run side by side. So a test has no fixed
# port, no file outside its own folder, and looks for its target by a name that nobody else has (with
# $$ in it), never by `auto`. It should need 20 s and 10 s of CPU time on a calm machine, and no Go
# release that others do not build anyway. A comment line in the first 20 of its source tells more:
#   alone: WHY   it measures the machine, or changes what all share (a sysctl, a mount): runs by itself
#   long: N s    it takes longer than 30 s: begins before the others, the longest first
#
# A test that failed is given one second look, at the end and alone, and the summary names it: many
# ask a busy machine for samples, sockets and time, and a bug shows again. What a sanitizer has
# reported gets none, nor fuzzing, which comes last; it is built (`short.sh prepare`) meanwhile.
#
# TEST_TIMEOUT (400) is what one may take, in seconds, and a long one six times what it says. SUITE_DEADLINE: so many minutes after
# SUITE_BEGAN (seconds since 1970; default: now) what has not run counts as failed, so that there is
# a last line even then. Without it there is no end.
set -u
build=$1
shift
unset MAKEFLAGS MFLAGS MAKELEVEL # a make below is none of the one above
export PILLION_BUILD=$build CMOCKA_MESSAGE_OUTPUT=tap
logs=$build/logs
mkdir -p "$logs"
ok=0 bad=0 skip=0 skipped="" again="" cpu=0 look=1 left=0 times=""
declare -A running=() began=()
second=()
zero=${SUITE_BEGAN:-$EPOCHSECONDS}
end=0
[ -z "${SUITE_DEADLINE:-}" ] || end=$((zero + SUITE_DEADLINE * 60))
processors=$(nproc)
jobs=${JOBS:-$((processors < 4 ? processors : 4))}
pulse="" preparing=""

at() { # since the suite began
    printf '%d:%02d' $(((EPOCHSECONDS - zero) / 60)) $(((EPOCHSECONDS - zero) % 60))
}

stop() {
    for p in "${!running[@]}"; do pkill -P "$p"; done
    [ -z "$preparing" ] || pkill -P "$preparing"
    [ -z "$pulse" ] || kill "$pulse" 2>/dev/null
}
trap stop EXIT
trap 'exit 130' INT TERM

# the marker's text, "" when the test has none
marked() { # TEST WORD
    local source=$1
    case $1 in */unit/*) source=tests/unit/${1##*/}.c ;; esac
    sed -n "1,20s|^[#/* ]*$2: *||p" "$source" 2>/dev/null | head -n 1
}

# Counts what the test has said, and prints it.
judge() { # TEST EXIT SECONDS
    local t=$1 rc=$2 log=$logs/${1##*/}.log p f
    case $t in
    */unit/*)
        p=$(grep -c '^ok ' "$log")
        f=$(grep -c '^not ok ' "$log")
        ok=$((ok + p))
        bad=$((bad + f))
        [ "$rc" = 0 ] || [ "$f" -gt 0 ] || bad=$((bad + 1)) # died outside a test
        [ "$p" -gt 0 ] || [ "$f" -gt 0 ] || [ "$rc" != 0 ] || bad=$((bad + 1)) # tested nothing
        ;;
    *)
        case $rc in
        0) ok=$((ok + 1)) ;;
        77)
            skip=$((skip + 1))
            skipped="$skipped"$'\n'"skipped ${t##*/}: $(tail -n 1 "$log")"
            ;;
        *) bad=$((bad + 1)) ;;
        esac
        ;;
    esac
    if [ "$rc" != 0 ] && [ "$rc" != 77 ]; then
        echo "FAIL $t (exit $rc, $3 s, at $(at))"
        tail -n 60 "$log"
    else
        if [ "$look" = 2 ]; then again="$again ${t##*/}"; fi
        echo "ok   $t ($3 s, at $(at))"
    fi
}

# May a failed test be looked at again?
forgiven() { # TEST EXIT
    [ "$look" = 1 ] || return 1
    case $1:$2 in */fuzz/* | *:0 | *:77) return 1 ;; esac
    ! grep -q 'ERROR: AddressSanitizer\|runtime error: \|WARNING: ThreadSanitizer' "$logs/${1##*/}.log"
}

start() { # TEST
    local limit=${TEST_TIMEOUT:-400} log=$logs/${1##*/}.log long
    long=$(marked "$1" long)
    long=$((6 * ${long%% *} + 0))
    [ "$long" -le "$limit" ] || limit=$long
    if [ "$end" != 0 ] && [ $((end - EPOCHSECONDS)) -lt "$limit" ]; then limit=$((end - EPOCHSECONDS)); fi
    if [ "$limit" -le 0 ]; then
        echo "FAIL $1: not run: out of time (at $(at))"
        bad=$((bad + 1))
        return
    fi
    (
        TIMEFORMAT='%0U %0S'
        { time timeout -k 10 "$limit" "$1" >"$log" 2>&1 </dev/null; } 2>"$log.times"
    ) &
    running[$!]=$1
    began[$!]=$EPOCHSECONDS
}

# Waits for one test to end; tells every minute what is being waited for.
reap() {
    local pid="" rc t took user=0 system=0
    [ -n "$pulse" ] || { sleep 60 & pulse=$!; }
    wait -n -p pid "${!running[@]}" "$pulse"
    rc=$?
    if [ "$pid" = "$pulse" ]; then
        pulse=""
        echo "...  at $(at): $left to begin, under way: $(for p in "${!running[@]}"; do printf '%s (%d s) ' "${running[$p]##*/}" $((EPOCHSECONDS - began[$p])); done)"
        return
    fi
    t=${running[$pid]} took=$((EPOCHSECONDS - began[$pid]))
    unset "running[$pid]" "began[$pid]"
    read -r user system < <(tail -n 1 "$logs/${t##*/}.log.times")
    cpu=$((cpu + user + system))
    times="$times$took s, CPU $((user + system)) s: ${t##*/}"$'\n'
    rm -f "$logs/${t##*/}.log.times"
    if forgiven "$t" "$rc"; then
        echo "look $t (exit $rc, $took s, at $(at)): again at the end"
        tail -n 60 "$logs/${t##*/}.log"
        mv "$logs/${t##*/}.log" "$logs/${t##*/}.log.first"
        second+=("$t")
    else
        judge "$t" "$rc" "$took"
    fi
}

run_all() { # JOBS TEST...
    local jobs=$1 t
    shift
    left=$#
    for t; do
        while [ "${#running[@]}" -ge "$jobs" ]; do reap; done
        left=$((left - 1))
        start "$t"
    done
    while [ "${#running[@]}" -gt 0 ]; do reap; done
}

long=() some=() alone=() last=()
for t; do
    case $t in */fuzz/*) last+=("$t") && continue ;; esac
    seconds=$(marked "$t" long)
    if [ -n "$(marked "$t" alone)" ]; then
        alone+=("$t")
    elif [ -n "$seconds" ]; then
        long+=("${seconds%% *} $t")
    else
        some+=("$t")
    fi
done
if [ "${#long[@]}" -gt 0 ]; then
    mapfile -t long < <(printf '%s\n' "${long[@]}" | sort -rn | cut -d ' ' -f 2-)
fi
echo "$# tests, $jobs at a time, ${#alone[@]} of them alone; $(df -h --output=avail . | tail -n 1 | tr -d ' ') of disk free"
if [ "${#last[@]}" -gt 0 ]; then
    (nice -n 10 "${last[0]}" prepare >"$logs/prepare.log" 2>&1 </dev/null) &
    preparing=$!
fi
run_all "$jobs" "${long[@]}" "${some[@]}"
run_all 1 "${alone[@]}"
look=2
run_all 1 "${second[@]}"
[ -z "$preparing" ] || wait "$preparing" || tail -n 20 "$logs/prepare.log"
look=0
run_all 1 "${last[@]}"

[ -z "$skipped" ] || echo "$skipped"
[ -z "$again" ] || echo "passed at the second look only:$again"
echo "took $(at), $cpu s of CPU time in the tests; the longest:"
sort -rn <<<"$times" | head -n 12
if [ "$skip" -gt 0 ]; then echo "$ok passed, $bad failed, $skip skipped"; else echo "$ok passed, $bad failed"; fi
[ "$bad" = 0 ]
