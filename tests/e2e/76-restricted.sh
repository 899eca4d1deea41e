#!/bin/bash
# As an ordinary user without a capability, where a seccomp filter refuses perf as containers' own
# do: what is refused says what would grant it; wall-clock profiles; CPU profiles by ptrace stops,
# with shares that are right, once the key is there.
# long: 25 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need setpriv curl python3 go
[ "$(id -u)" = 0 ] || skip "needs root to become somebody else"
[ -x "$BUILD/tools/noperf" ] || skip "make tools has not been run"
go_target local goshares goshares-local-stripped '-ldflags=-s -w'
bin=$GO_TARGET
chmod 755 "$TMP"
mkdir "$TMP/bin"
for p in pillion pillion-guard pillion-sampler pillion-sidecar tools/noperf; do
    cp "$(readlink -f "$BUILD/$p")" "$TMP/bin/"
done
cp "$bin" "$TMP/bin/shares$$"
cd "$TMP" || exit 1
as() {
    local uid=$1
    shift
    exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --bounding-set=-all --inh-caps=-all \
        --no-new-privs "$@"
}
mkdir -m 777 "$TMP/out"
start_as() { # UID: the sidecar; sets what start_pillion does
    PILLIONS=$((PILLIONS + 1))
    LOG=$TMP/log.$PILLIONS OUT=$TMP/out.$PILLIONS
    (as "$1" "$TMP/bin/noperf" "$TMP/bin/pillion" run --pid "$TARGET_PID" --config "$TMP/pillion.yaml") >"$OUT" 2>"$LOG" &
    PID=$!
    PIDS+=("$PID")
    wait_for 30 is_ready || fail "no ready line"
    URL=https://$(log_field ready admin)
    TOKEN=$(sed -n 's|.*any:\([^@]*\)@.*|\1|p' "$OUT" | head -n 1)
}
config() { # UNSAFE
    printf 'admin: {listen: ["127.0.0.1:0"]}\nlimits: {min_interval: 0s, hz: 500}\ntarget: {process: shares, unsafe: {%s}}\n' "$1" >"$TMP/pillion.yaml"
    printf 'collect: {every: 2s, profiles: [{type: wall, seconds: 1}]}\nforward: [{name: f, type: directory, path: "%s"}]\nspool: {dir: "%s/spool"}\n' "$TMP/out" "$TMP/out" >>"$TMP/pillion.yaml"
    chmod 644 "$TMP/pillion.yaml"
}
comments() { go tool pprof -comments "$BODY" 2>"$TMP/err" || fail "no profile: $(cat "$TMP/err")"; }

(as 12345 "$TMP/bin/shares$$" -seconds 600) >"$TMP/target.out" 2>&1 &
TARGET_PID=$!
PIDS+=("$TARGET_PID")
wait_for 20 grep -q ready "$TMP/target.out" || fail "the target did not start"

# --- without the key
config ""
start_as 12345
get /api/v1/status && wants 200 status
grep -q '"mode": *"restricted"' "$BODY" || fail "the mode is not restricted: $(head -c 300 "$BODY")"
get "/debug/pprof/profile?seconds=1" && wants 501 "a CPU profile without perf"
is_error "profile"
says "seccompProfile"
says "ptrace_sampling: true"

get "/debug/pprof/wall?seconds=1&hz=1000" && wants 200 "a wall-clock profile"
[ "$(header Pillion-Hz)" = 100 ] || fail "hz is not clamped: $(header Pillion-Hz)"
is_gzip
comments >"$TMP/comments"
grep -q "without stopping any" "$TMP/comments" || fail "it does not say how it was taken"
cp "$BODY" "$TMP/wall.pb.gz"
python3 - "$TMP/wall.pb.gz" "$ROOT/tests/e2e" <<'PY' || fail "what is in it is wrong"
import sys
sys.path.insert(0, sys.argv[2])
import pprof
p = pprof.read(sys.argv[1])
states, whole, leafs = {}, 0, 0
for s in p.samples:
    labels = {k: v for k, v in s["labels"].items()}
    states[labels["state"]] = states.get(labels["state"], 0) + s["values"][1]
    assert int(labels["thread"]) > 0 and labels["thread_name"], labels
    if labels["state"] == "running":
        assert s["stack"] == ["[running]"], s
    elif s["stack"][-1] in ("runtime.mcall", "runtime.mstart", "runtime.goexit", "runtime.rt0_go"):
        whole += s["values"][0]
    else:
        leafs += s["values"][0]
print(states, "whole", whole, "not whole", leafs)
assert whole > 20 * leafs, "stacks do not reach their end"
assert states["running"] > 0 and states["blocked"] > 0
PY
ok "threads that wait have whole stacks, those that run are marked"
curl -sk -m 30 -o /dev/null -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/wall?seconds=2" &
other=$!
running() { get /metrics && grep -q '^pillion_in_flight 1$' "$BODY"; }
wait_for 10 running || fail "the first one does not begin"
get "/debug/fgprof?seconds=1" && wants 429 "a second one at the same time"
wait "$other"
get "/debug/pprof/wall?seconds=0" && wants 400 "no seconds"
collected() { find "$TMP/out" -path "$TMP/out/spool" -prune -o -name '*wall*' -print | grep -q .; }
wait_for 20 collected || fail "no wall-clock profile was collected"
ok "wall-clock profiles are collected"

# --- with it
config "ptrace_sampling: true"
kill -HUP "$PID"
may() { get "/debug/pprof/profile?seconds=1&hz=500" && [ "$STATUS" = 200 ]; }
wait_for 20 may || fail "the key is not taken on SIGHUP: $STATUS"
[ "$(header Pillion-Source)" = ptrace ] || fail "it does not say where it is from"
[ "$(header Pillion-Hz)" = 100 ] || fail "hz is not clamped: $(header Pillion-Hz)"
[ "$(header Pillion-Mode)" = restricted ] || fail "the mode: $(header Pillion-Mode)"
comments >"$TMP/comments"
grep -q "^sampled by ptrace" "$TMP/comments" || fail "it does not say how it was taken"
ok "CPU profiles by ptrace stops"

# a target that job control has stopped stays so, and is not woken
kill -STOP "$TARGET_PID"
get "/debug/pprof/profile?seconds=1" && wants 200 "of a stopped target"
state() { sed -n 's/.*) \([A-Za-z]\) .*/\1/p' "/proc/$TARGET_PID/stat"; }
[ "$(state)" = T ] || fail "it was woken: $(state)"
kill -CONT "$TARGET_PID"
not_stopped() { [ "$(state)" != T ] && [ "$(state)" != t ]; }
wait_for 10 not_stopped || fail "it does not go on: $(state)"
ok "a stopped target stays stopped until it is continued"

# somebody else traces it: said so (PTRACE_SEIZE is 0x4206)
python3 - "$TARGET_PID" <<'PY' &
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
sys.exit(1) if libc.ptrace(0x4206, int(sys.argv[1]), None, None) else time.sleep(600)
PY
tracer=$!
PIDS+=("$tracer")
traced() { grep -q "^TracerPid:[[:space:]]*$tracer$" "/proc/$TARGET_PID/status"; }
wait_for 10 traced || fail "the other tracer does not begin"
get "/debug/pprof/profile?seconds=1" && wants 501 "while somebody else traces it"
says "traces the target"
kill "$tracer"
stop_pillion

# --- shares, and the same by `pillion record`
(as 12345 "$TMP/bin/noperf" "$TMP/bin/pillion" record --pid "$TARGET_PID" --seconds 1 -o "$TMP/out/x") >"$TMP/said" 2>&1 &&
    fail "record: a profile without perf"
grep -q -- "or --ptrace" "$TMP/said" || fail "record does not name --ptrace: $(cat "$TMP/said")"
kill "$TARGET_PID"
one() {
    (as 12345 "$TMP/bin/shares$$" -seconds 5) >"$TMP/truth.out" &
    local pid=$!
    PIDS+=("$pid")
    wait_for 20 grep -q ready "$TMP/truth.out" || fail "the target did not start"
    pid=$(pgrep -n -x -U 12345 "shares$$" || echo "$pid")
    (as 12345 "$TMP/bin/noperf" "$TMP/bin/pillion" record --ptrace --pid "$pid" --seconds 4 -o "$TMP/out/cpu.pb.gz") || fail "record: $?"
    wait_for 30 grep -q leafHalf "$TMP/truth.out" || fail "the target does not end"
    tail -n 1 "$TMP/truth.out" >"$TMP/truth.json"
    python3 - "$TMP/out/cpu.pb.gz" "$TMP/truth.json" "$ROOT/tests/e2e" <<'PY'
import json, math, sys
sys.path.insert(0, sys.argv[3])
import pprof
truth = json.load(open(sys.argv[2]))
leaves = ["main.leafHalf", "main.leafQuarter", "main.leafSeventh", "main.leafTenth"]
weight, count, orphans = dict.fromkeys(leaves, 0), 0, 0
for s in pprof.read(sys.argv[1]).samples:
    if "main.hot" in s["stack"]:
        at = s["stack"].index("main.hot")
        orphans += s["stack"][at + 1:at + 2] not in (["main.callerMost"], ["main.callerFew"])
    for name in s["stack"]:
        if name in weight:
            weight[name] += s["values"][1]
            count += s["values"][0]
all_of = sum(truth[n] for n in leaves)
bad = count < 80 or orphans
for name in leaves:
    p, seen = truth[name] / all_of, weight[name] / sum(weight.values())
    z = (seen - p) / math.sqrt(1.5 * p * (1 - p) / count)  # weights differ: some more than of equal ones
    print("%-18s %.3f truth %.3f z %+.1f" % (name, seen, p, z))
    bad = bad or abs(z) > 3.3
print("samples", count, "wrong callers", orphans)
sys.exit(1 if bad else 0)
PY
}
one >"$TMP/first" || one || { cat "$TMP/first"; fail "the shares are wrong"; }
cat "$TMP/first"
ok "the shares of the CPU time are right"
echo "$CHECKS checks"
