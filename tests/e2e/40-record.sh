#!/bin/bash
# `pillion record` against a real Go server: every format, read by go tool pprof; named files,
# Ctrl-C, targets that are not there or end, and what is said where.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

need_perf
need go python3
start_target
P=$BUILD/pillion
W=$TMP/work
ERR=$TMP/stderr
mkdir -p "$W" && cd "$W" || exit 1

# record WANTED-EXIT ARGS...: standard output in $TMP/stdout, standard error in $ERR
record() {
    local want=$1 rc
    shift
    timeout 120 "$P" record "$@" >"$TMP/stdout" 2>"$ERR" </dev/null
    rc=$?
    [ "$rc" = "$want" ] || { cat "$ERR"; fail "record $*: exit $rc instead of $want"; }
}
top() { go tool pprof -top "$1" >"$TMP/top" 2>&1 || { cat "$TMP/top"; fail "pprof cannot read $1"; }; }
quiet() { [ ! -s "$ERR" ] || { cat "$ERR"; fail "$1: something on standard error"; }; }

# --- pprof into a file that is named after the target, and the name is printed
record 0 --pid "$TARGET_PID" --seconds 2
name=$(cat "$TMP/stdout")
[ "$name" = "pillion.cpu.$(basename "$(readlink /proc/"$TARGET_PID"/exe)").pb.gz" ] || fail "named $name"
quiet "no terminal"
top "$name"
grep -q '^Type: cpu' "$TMP/top" || fail "no cpu profile"
grep -q 'main\.' "$TMP/top" || { cat "$TMP/top"; fail "no function of the target"; }
go tool pprof -raw "$name" >"$TMP/raw" 2>&1 || fail "pprof -raw"
grep -q 'samples/count cpu/nanoseconds' "$TMP/raw" || fail "not the sample types of Go"
ok "pprof, named after the target"

# --- the other formats
record 0 --process "$(basename "$(readlink /proc/"$TARGET_PID"/exe)")" --seconds 2 --format folded -o out.folded
quiet "folded"
[ ! -s "$TMP/stdout" ] || fail "-o FILE prints something"
grep -qE '^[^ ].*;.* [0-9]+$' out.folded || fail "no folded stack"
! grep -qvE ' [0-9]+$' out.folded || fail "a folded line without a count"
record 0 --pid="$TARGET_PID" --seconds=1 --format=speedscope -o -
python3 - "$TMP/stdout" <<'PY' || fail "no speedscope file"
import json, sys
f = json.load(open(sys.argv[1]))
p = f["profiles"][0]
assert f["$schema"].startswith("https://www.speedscope.app/") and p["type"] == "sampled"
assert len(p["samples"]) == len(p["weights"]) > 0 and p["unit"] == "nanoseconds"
n = len(f["shared"]["frames"])
assert all(0 <= i < n for s in p["samples"] for i in s)
PY
record 0 --pid "$TARGET_PID" --seconds 1 --format text
[ "$(cat "$TMP/stdout")" = "${name%.pb.gz}.txt" ] || fail "text is named $(cat "$TMP/stdout")"
grep -q 'flat%' "${name%.pb.gz}.txt" || fail "no table"
record 0 --pid "$TARGET_PID" --seconds 1 -o -
top "$TMP/stdout"
ok "folded, speedscope, text, standard output"

# --- an old file is replaced by a shorter one, and left alone by a failure
head -c 1000000 /dev/zero >old.pb.gz
record 0 --pid "$TARGET_PID" --seconds 1 -o old.pb.gz
top old.pb.gz
[ "$(wc -c <old.pb.gz)" -lt 900000 ] || fail "the old content stayed"
cp old.pb.gz kept.pb.gz
record 2 --pid 4194303 --seconds 1 -o kept.pb.gz
cmp -s old.pb.gz kept.pb.gz || fail "a failure took the old file"
record 2 --pid 4194303 --seconds 1 -o new.pb.gz
[ ! -e new.pb.gz ] || fail "a failure left an empty file"
record 2 --pid "$TARGET_PID" --seconds 1 -o /nonexistent/x
grep -q '^pillion: /nonexistent/x: cannot be written: No such file' "$ERR" || fail "no reason"
record 2 --pid "$TARGET_PID" --seconds 1 -o /dev/full
grep -q 'No space left' "$ERR" || fail "a full disk is not said"
ok "files"

# --- Ctrl-C ends early and keeps what there is
"$P" record --pid "$TARGET_PID" --seconds 60 -o early.pb.gz 2>"$ERR" &
rp=$!
PIDS+=("$rp")
sleep 3
kill -INT "$rp"
SECONDS=0
wait "$rp" || fail "Ctrl-C: exit $?"
[ "$SECONDS" -lt 20 ] || fail "Ctrl-C took $SECONDS s"
grep -q '^pillion: interrupted after ' "$ERR" || { cat "$ERR"; fail "it is not said"; }
top early.pb.gz
ok "Ctrl-C keeps what there is"

# --- a terminal's Ctrl-C goes to the whole process group; and progress is shown there only
python3 - "$P" "$TARGET_PID" >"$TMP/pty" <<'PY' || { cat "$TMP/pty"; fail "on a terminal"; }
import os, pty, sys, time, select
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], ["pillion", "record", "--pid", sys.argv[2], "--seconds", "60", "-o", "tty.pb.gz"])
out, start, sent = b"", time.time(), False
while time.time() - start < 40:
    if not sent and time.time() - start > 3:
        os.write(fd, b"\x03")
        sent = True
    if select.select([fd], [], [], 0.1)[0]:
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        out += data
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(code, out)
assert code == 0 and b"/60 s" in out and b"samples in" in out, "exit or text"
PY
top tty.pb.gz
ok "progress on a terminal"

# --- the endpoint's limits.hz is none of ours
for hz in 1 1001 10000; do
    record 0 --pid "$TARGET_PID" --seconds 1 --hz "$hz" -o hz.pb.gz
done
ok "from 1 to 10000 samples a second"

# --- targets that are not there, or are several, or end
record 2 --process no-such-program-here --seconds 1
[ "$(wc -l <"$ERR")" = 1 ] || { cat "$ERR"; fail "not one line"; }
cp "$(command -v sleep)" "$W/twin$$"
"$W/twin$$" 60 &
PIDS+=("$!")
"$W/twin$$" 60 &
PIDS+=("$!")
sleep 0.2
record 2 --process "twin$$" --seconds 1
[ "$(grep -c twin "$ERR")" -ge 2 ] || { cat "$ERR"; fail "the candidates are not listed"; }
sh -c "while :; do :; done # $$" &
busy=$!
PIDS+=("$busy")
(sleep 4 && kill -9 "$busy") &
sleep 0.3
SECONDS=0
record 0 --cmdline "while :; do :; done # $$\$" --seconds 60 -o ended.pb.gz
[ "$SECONDS" -lt 30 ] || fail "an ended target was waited for"
grep -qE '^pillion: the target (ended|became)' "$ERR" || { cat "$ERR"; fail "the end is not said"; }
top ended.pb.gz
record 0 --pid "$TARGET_PID" --seconds 1 -o /dev/null
ok "targets that are not there, several, ended"

# --- nothing of ours is left behind
wait_for 5 sh -c "! pgrep -P $$ pillion" || fail "a program of ours is still there"
target_is_up || fail "the target did not survive"
echo "$CHECKS checks"
