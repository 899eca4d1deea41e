#!/bin/bash
# Targets that are not quite usual: one that loads code during the profile, one that ends during
# it, one with more threads than descriptors allow, one that is half C and half Go.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3
need_perf

bin=$ROOT/tests/targets/bin
"$ROOT/tests/targets/build_c.sh" "$bin" || skip "no C compiler"
P=$BUILD/pillion
W=$TMP/work
mkdir -p "$W"

record() { # FILE ARGS...: what was said is in $TMP/said
    local file=$1
    shift
    timeout 60 "$P" record -o "$file" "$@" >"$TMP/said" 2>&1 ||
        { cat "$TMP/said"; fail "record $*: exit $?"; }
}
folded() { python3 "$ROOT/tests/e2e/pprof.py" "$1" >"$W/p.json" || fail "$1 is no profile"; }

# --- code that is mapped while the profile runs has names, and callers beyond it
start_target "$bin/loads" "$bin/loads.so" 1300
record "$W/loads.pb" --pid "$TARGET_PID" --seconds 3 --hz 250
kill "$TARGET_PID"
grep -q loaded "$TMP/target.out" || fail "the target has not loaded its library in time"
folded "$W/loads.pb"
python3 - "$W/p.json" <<'PY' || fail "the late library"
import json, sys
n = {"early": 0, "late": 0, "late from main": 0, "nameless": 0}
for s in json.load(open(sys.argv[1]))["samples"]:
    k, stack = s["values"][0], s["stack"]
    if "early_work" in stack:
        n["early"] += k
    elif "late_leaf" in stack:
        n["late"] += k
        # late_work itself may be hidden: gcc gives a leaf no frame, whatever its flags say
        if "main" in stack[stack.index("late_leaf") + 1:]:
            n["late from main"] += k
    elif stack and not stack[0]:
        n["nameless"] += k
print(n)
assert n["early"] > 10 and n["late"] > 10
# what one draining found before it came to the record of the mapping may be cut
assert n["late from main"] >= 0.9 * n["late"] and n["nameless"] <= 2
PY
ok "a library that was loaded during the profile"

# --- a target that ends: its name and the mode are those it had
start_target "$bin/threads" exit 2
record "$W/exit.pb" --pid "$TARGET_PID" --seconds 20
folded "$W/exit.pb"
python3 - "$W/p.json" <<'PY' || fail "the comments of a target that ended"
import json, sys
c = json.load(open(sys.argv[1]))["comments"]
print(c)
assert "target: threads native" in c
assert any(x.startswith("mode: ") and not x.startswith("mode: none") for x in c)
assert "ended early: target-exit" in c
PY
ok "a target that ended is still named"

# --- few descriptors: fewer threads, and it says so; never a sampler that cannot start
start_target "$bin/threads" many 100 200
for limit in 128 1024; do
    (
        ulimit -n "$limit" || exit 1
        record "$W/few.pb" --pid "$TARGET_PID" --seconds 1
        folded "$W/few.pb"
    ) || exit 1
    ok "a limit of $limit open files"
done
(
    ulimit -n 24
    timeout 60 "$P" record -o "$W/none.pb" --pid "$TARGET_PID" --seconds 1 >"$TMP/said" 2>&1
    [ $? = 2 ] || fail "24 open files are enough?"
    grep -q 'raise the limit of open files' "$TMP/said" || { cat "$TMP/said"; fail "no reason"; }
    [ "$(wc -l <"$TMP/said")" = 1 ] || { cat "$TMP/said"; fail "more than one line"; }
) || exit 1
ok "too few open files at all: says so in one line"

# --- a stripped cgo program: names for Go, none for C, and pprof leaves both as they are, although
# it finds the same file on its disk
if command -v go >/dev/null &&
    cgo=$(CGO_ENABLED=1 "$ROOT/tests/targets/build_go.sh" local gocgo gocgo-stripped '-ldflags=-s'); then
    start_target "$cgo"
    record "$W/cgo.pb" --pid "$TARGET_PID" --seconds 2 --hz 250
    kill "$TARGET_PID"
    go tool pprof -traces "$W/cgo.pb" >"$W/traces" 2>/dev/null || fail "pprof -traces"
    python3 - "$W/traces" <<'PY' || { head -n 40 "$W/traces"; fail "names of a stripped cgo program"; }
import re, sys
n = {"go": 0, "c": 0, "other": 0}
for trace in open(sys.argv[1]).read().split("-----------+")[1:]:
    frames = [re.sub(r"^ *[0-9.]+m?s +", "", x).strip() for x in trace.split("\n")[1:] if x.strip()]
    frames = [f.replace(" (inline)", "") for f in frames if f != "[kernel]"]
    if frames[:1] == ["main.goWork"]:
        n["go"] += 1
        assert "main.main" in frames or "main.goBack" in frames, frames
    elif "runtime.asmcgocall" in frames and "main.main.func1" in frames:
        n["c"] += 1
        assert all(f.startswith("[gocgo") for f in frames[:frames.index("runtime.asmcgocall")]), frames
    else:
        n["other"] += 1
print(n)
assert n["go"] > 2 and n["c"] > 2
PY
    ok "a stripped cgo program"
fi
echo "$CHECKS checks"
