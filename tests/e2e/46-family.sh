#!/bin/bash
# target.all: one CPU profile over a tree of processes, C and Go, with pid and process as labels;
# one that is forked, one that ends and one that execs meanwhile; more than the limit; a fork storm.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 go cc
need_perf
[ "$(uname -m)" = x86_64 ] || skip "frame pointers are looked at on x86-64"

N=fam$$ # a name of its own: this test finds its targets by name
cc -O1 -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -fno-optimize-sibling-calls \
    -o "$TMP/$N" "$ROOT/tests/targets/native/family.c" || skip "no C compiler"
go_target local demo demo -trimpath '-ldflags=-s -w'
cp "$GO_TARGET" "$TMP/go$$"

family() { # ARG...
    : >"$TMP/family.out" # the one before was ready too
    "$TMP/$N" "$@" >"$TMP/family.out" 2>&1 &
    FAMILY=$!
    PIDS+=("$FAMILY")
    wait_for 10 grep -q ready "$TMP/family.out" || fail "the family did not start"
}
child_of() { # PARENT COMM: its pid
    local d
    for d in $(pgrep -P "$1"); do
        [ "$(cat "/proc/$d/comm" 2>/dev/null)" != "$2" ] || echo "$d"
    done
}
has_child() { [ -n "$(child_of "$FAMILY" "$1")" ]; }
check() { python3 "$ROOT/tests/e2e/check_family.py" "$@" || fail "the profile is not right: $(go tool pprof -comments "$TMP/p.pb.gz" 2>&1)"; }
record() { "$BUILD/pillion" record --process "$N" "$@" -o "$TMP/p.pb.gz" >/dev/null 2>"$TMP/err"; }

# --- several match: without --all none is chosen, and the text says what there is
family workers "$TMP/go$$"
wait_for 5 has_child worker-before || fail "no workers"
wait_for 5 has_child "go$$" || fail "no Go child"
record --seconds 1
[ $? = 2 ] || fail "ambiguous: not exit 2"
grep -q -- --all "$TMP/err" || fail "--all is not offered: $(cat "$TMP/err")"
ok "ambiguous without --all: exit 2"

# --- one profile of all; one comes, one goes, one becomes another program meanwhile
busy=$(child_of "$FAMILY" worker-busy) half=$(child_of "$FAMILY" worker-half)
python3 "$ROOT/tests/e2e/check_family.py" cpu "$busy" "$half" >"$TMP/cpu.0" || fail "no CPU times"
record --all --seconds 5 --hz 250 &
recording=$!
sleep 1.5
kill -USR1 "$FAMILY"
wait_for 5 has_child worker-late || fail "nobody was forked"
late=$(child_of "$FAMILY" worker-late)
kill -USR2 "$FAMILY"
wait_for 5 has_child after || fail "nobody called exec"
sleep 1.5
kill -9 "$(child_of "$FAMILY" after)"
wait "$recording" || fail "record --all: $(cat "$TMP/err")"
python3 "$ROOT/tests/e2e/check_family.py" cpu "$busy" "$half" >"$TMP/cpu.1" || fail "no CPU times"
check profile "$TMP/p.pb.gz" "$FAMILY" "$N" "go$$" "$busy" "$half" "$late"
ok "one profile of all processes"
python3 "$ROOT/tests/e2e/check_family.py" shares "$TMP/p.pb.gz" "$TMP/cpu.0" "$TMP/cpu.1" "$busy" "$half" ||
    fail "shares"
ok "the shares of two workers are those of the kernel"
go tool pprof -tags "$TMP/p.pb.gz" >"$TMP/tags" 2>/dev/null
grep -q "^ *pid: Total" "$TMP/tags" && grep -q "^ *process: Total" "$TMP/tags" && grep -q ": worker-busy" "$TMP/tags" ||
    fail "go tool pprof -tags: $(cat "$TMP/tags")"
go tool pprof -top -tagfocus "pid=$late" "$TMP/p.pb.gz" >"$TMP/top" 2>/dev/null
grep -q work_late "$TMP/top" && ! grep -q "work_busy\|work_half" "$TMP/top" || fail "-tagfocus pid: $(cat "$TMP/top")"
ok "go tool pprof takes the labels"

# --- the endpoint: who belongs to it, and how many they are
targets() { # FILTER: a count of the listed targets
    get /api/v1/targets && python3 -c 'import json, sys; t = json.load(open(sys.argv[1]))["targets"]; print(eval(sys.argv[2]))' "$BODY" "$1"
}
are() { [ "$(targets 'sum(x["state"] == "up" for x in t)')" = "$1" ]; }
metric_is() { get /metrics && grep -q "^pillion_target_processes $1\$" "$BODY"; }
printf 'target: {process: %s, all: true}\nlimits: {min_interval: 0s}\nlog: {format: json}\n' "$N" >"$TMP/c.yaml"
start_pillion --config "$TMP/c.yaml" --process "$N"
wait_for 15 are 5 || fail "not five of them: $(cat "$BODY")"
[ "$(targets 't[0]["pid"]')" = "$FAMILY" ] || fail "the eldest is not the first: $(cat "$BODY")"
[ "$(targets 'len(set(x["generation"] for x in t))')" = 5 ] || fail "generations: $(cat "$BODY")"
[ "$(targets 'all(x["rights"]["perf"] for x in t)')" = True ] || fail "rights: $(cat "$BODY")"
metric_is 5 || fail "pillion_target_processes is not 5"
get '/debug/pprof/profile?seconds=1' && wants 200 "a profile of all by the endpoint"
check labels "$BODY" pid process
kill -9 "$busy"
wait_for 15 metric_is 4 || fail "one that ended is still counted"
ok "the endpoint lists who there is"
kill -9 "$FAMILY"
wait_for 15 metric_is 0 || fail "the target is gone, and has processes"
stop_pillion

# --- at the limit and beyond it
family many 40
record --all --seconds 1 || fail "beyond the limit: $(cat "$TMP/err")"
check comment "$TMP/p.pb.gz" "processes: 32 now" "left out beyond 32: 9"
ok "more than the limit: counted and said"
kill -9 "$FAMILY"
wait "$FAMILY" 2>/dev/null

# --- a storm of forks: what cannot be looked at is shown, and nothing grows
family churn
record --all --seconds 2 || fail "a fork storm: $(cat "$TMP/err")"
check storm "$TMP/p.pb.gz"
ok "a storm of short processes"
echo "$CHECKS checks"
