#!/bin/bash
# run.sh SECONDS BIN...: run each fuzz target for so long, JOBS (default 1) at a time. It starts from
# its checked-in corpus; what it finds new goes to build/fuzz/corpus/NAME, a crash to
# build/fuzz/crash/NAME-*. Exit 1 when any target crashed, hung or leaked.
set -u
cd "$(dirname "$0")/../.." || exit 2
seconds=${1:?seconds}
shift
jobs=${JOBS:-1}
mkdir -p build/fuzz/crash build/fuzz/log

one() { # BIN
    local name found seeds rc
    local -a words=()
    name=$(basename "$1")
    found=build/fuzz/corpus/$name
    seeds=tests/fuzz/corpus/$name
    mkdir -p "$found"
    if [ ! -d "$seeds" ]; then
        echo "FAIL $name: no corpus in $seeds"
        return 1
    fi
    [ ! -f "tests/fuzz/$name.dict" ] || words=("-dict=tests/fuzz/$name.dict")
    # a single input may take 10 s (under the sanitizers, on a busy machine) and 2 GB
    ASAN_OPTIONS=detect_leaks=1 "$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="build/fuzz/crash/$name-" "${words[@]}" \
        "$found" "$seeds" >"build/fuzz/log/$name" 2>&1 </dev/null
    rc=$?
    if [ "$rc" != 0 ]; then
        echo "FAIL $name (exit $rc)"
        tail -n 40 "build/fuzz/log/$name"
        return 1
    fi
    echo "ok   $name $(sed -n 's/^stat::number_of_executed_units: */runs /p' "build/fuzz/log/$name")"
}

bad=0
running=0
for bin; do
    one "$bin" &
    running=$((running + 1))
    if [ "$running" -ge "$jobs" ]; then
        wait -n || bad=1
        running=$((running - 1))
    fi
done
while [ "$running" -gt 0 ]; do
    wait -n || bad=1
    running=$((running - 1))
done
exit $bad
