#!/bin/bash
# pprof labels of samples: right for spans of 10 ms and 1 ms, never those of a goroutine that was
# born after the sample, and off when asked.
# long: 40 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 go curl
need_perf

# BINARY SPAN SHARE ARGS...: at least SHARE of the labelled samples are right. A busy machine gives
# few samples: a second, longer look decides.
spans() {
    spans_in 4 "$@" || spans_in 20 "$@" || { go tool pprof -comments "$TMP/cpu.pb.gz"; fail "$2 ${*:4}: $(cat "$TMP/shares")"; }
    ok "spans of $2 ${*:4}: $(cat "$TMP/shares")"
}
spans_in() { # SECONDS and what spans() has
    local seconds=$1 bin=$2 span=$3 want=$4 pid
    shift 4
    : >"$TMP/ready"
    "$bin" -span "$span" -for 30s "$@" >"$TMP/ready" &
    pid=$!
    PIDS+=("$pid")
    wait_for 10 grep -q ready "$TMP/ready" || fail "gospans did not start"
    "$BUILD/pillion" record --pid "$pid" --seconds "$seconds" --hz 250 -o "$TMP/cpu.pb.gz" || fail "record: $?"
    kill "$pid"
    python3 "$ROOT/tests/e2e/check_labels.py" "$TMP/cpu.pb.gz" >"$TMP/shares" || fail "no profile"
    python3 - "$TMP/shares" "$want" "$*" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
few = 20 if "churn" in sys.argv[3] else 200
if "churn" in sys.argv[3] and r["labelled"] == 0:
    sys.exit(0 if r["unlabelled"] > 100 else 1)
sys.exit(0 if r["labelled"] + r["unlabelled"] > 100 and r["share_right"] is not None and
         (r["labelled"] < few or r["share_right"] >= float(sys.argv[2])) else 1)
PY
}

for v in 1.22.12 local; do # labels are a map before 1.24, a list since
    bin=$("$ROOT/tests/targets/build_go.sh" "$v" gospans "gospans-$v" '-ldflags=-s -w')
    case $? in
    0) ;;
    77) echo "note: no Go $v here"; continue ;;
    *) fail "gospans does not build with $v" ;;
    esac
    spans "$bin" 10ms 0.99
    spans "$bin" 1ms 0.95
    # each span a goroutine of its own: a wrong label could only come from a younger one
    spans "$bin" 10ms 1.0 -churn
    spans "$bin" 300us 1.0 -churn
done

start_target "$bin" -span 10ms -for 60s
printf 'limits: {min_interval: 0s}\n' >"$TMP/pillion.yaml"
start_pillion --config "$TMP/pillion.yaml"
get '/debug/pprof/profile?seconds=2' && wants 200 "with labels"
cp "$BODY" "$TMP/with.pb.gz"
get '/debug/pprof/profile?seconds=2&labels=0' && wants 200 "labels=0"
cp "$BODY" "$TMP/without.pb.gz"
python3 - "$TMP" <<'PY' || fail "labels=0 does not decide"
import sys
sys.path.insert(0, "tests/e2e")
import pprof
count = lambda f: sum(1 for s in pprof.read(f).samples if "phase" in s["labels"])
sys.exit(0 if count(sys.argv[1] + "/with.pb.gz") > 0 and count(sys.argv[1] + "/without.pb.gz") == 0 else 1)
PY
ok "labels=0 leaves them out"
