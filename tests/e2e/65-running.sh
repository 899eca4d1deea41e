#!/bin/bash
# Running goroutines: without a stack as a rule, with their thread's last CPU sample's while a CPU
# profile is being taken.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3
need_perf

go_target local goruntime goruntime-local-s '-ldflags=-s -w'
bin=$GO_TARGET
start_target "$bin" -busy 1 -kinds 1
wait_for 20 grep -q ready "$TMP/target.out" || fail "goruntime did not start"
printf 'limits: {min_interval: 0s}\nleak_watch: {every: 0s}\n' >"$TMP/pillion.yaml"
start_pillion --config "$TMP/pillion.yaml"

# --- nobody watches its threads
ran() {
    get '/debug/pprof/goroutine?debug=2' && wants 200 "nobody watches"
    [ "$(header Pillion-Running-Sampled)" = 0 ] || fail "sampled by nobody: $(header Pillion-Running-Sampled)"
    [ "$(header Pillion-Running)" -ge 1 ]
}
wait_for 10 ran || fail "the busy goroutine is not running"
grep -A1 '^goroutine [0-9]* \[running\]:$' "$BODY" | grep -q 'stack unavailable' || fail "no word of the missing stack"
! grep -q 'main.churnBusy\|main.compute' "$BODY" || fail "a stack from nowhere"

# --- a CPU profile does
curl -sk -m 60 -o "$TMP/cpu.pb.gz" -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/profile?seconds=12&hz=100" &
PIDS+=("$!")
paired() {
    get '/debug/pprof/goroutine?debug=2' && [ "$STATUS" = 200 ] && [ "$(header Pillion-Running-Sampled)" -ge 1 ]
}
wait_for 11 paired || fail "never paired with a sample"
python3 - "$BODY" <<'PY' || fail "the busy goroutine has no stack: $(grep -A12 '\[running\]' "$BODY")"
import re, sys
blocks = open(sys.argv[1]).read().split("\n\n")
running = [b for b in blocks if re.match(r"goroutine \d+ \[running\]:\n", b) and "unavailable" not in b]
assert running, "none"
busy = [b for b in running if "created by main." in b]
for b in busy:
    assert re.search(r"^main\.\S+\(\.\.\.\)\n\t\S+churn\.go:\d+", b, re.M), b
assert busy
PY
ok "the running goroutine has its stack"
pb() { get '/debug/pprof/goroutine' && [ "$STATUS" = 200 ] && [ "$(header Pillion-Running-Sampled)" -ge 1 ]; }
wait_for 8 pb || fail "never paired in pprof's form"
if command -v go >/dev/null; then
    go tool pprof -comments "$BODY" 2>/dev/null | grep -q "last CPU sample, at most" || fail "the comments do not say it"
    ok "the comments say it"
fi

# --- without labels nobody knows whose goroutine a sample was
wait 2>/dev/null "${PIDS[-1]}"
curl -sk -m 60 -o /dev/null -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/profile?seconds=3&labels=0" &
PIDS+=("$!")
for _ in 1 2 3 4 5; do
    sleep 0.3
    get '/debug/pprof/goroutine' && wants 200 "while a profile without labels is taken"
    [ "$(header Pillion-Running-Sampled)" = 0 ] || fail "paired without a proof"
done
echo "$CHECKS checks"
