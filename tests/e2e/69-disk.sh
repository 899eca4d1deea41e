#!/bin/bash
# A spool that is full, read-only or gone, and a clock that is stepped, while one backend is down: the
# state says so, it ends without a restart, and what was accepted arrives at both backends.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
[ "$(id -u)" = 0 ] || { echo "only root may mount a small disk"; exit 77; }
if [ -z "${DISK_INSIDE:-}" ]; then # mounts of our own, gone with us
    unshare -m true 2>/dev/null || { echo "no mount namespace is to be had here"; exit 77; }
    DISK_INSIDE=1 exec unshare -m "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need python3 curl mount
need_perf
mkdir -p "$TMP/disk" "$TMP/home/out"
mount -t tmpfs -o size=2m disk "$TMP/disk" 2>/dev/null || skip "no tmpfs can be mounted here"
trap 'umount -l "$TMP/disk"; cleanup' EXIT
mkdir "$TMP/disk/own" # a folder of ours around the spool, so that it can be made anew

head -c 8 /dev/zero >"$TMP/shift"
"${CC:-cc}" -std=gnu11 -O1 -shared -fPIC -o "$TMP/realclock.so" "$ROOT/tests/targets/realclock.c" ||
    skip "no C compiler"
step() { python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("q", int(sys.argv[2])))' "$TMP/shift" "$1"; }
cat >"$TMP/pillion.yaml" <<YAML
admin: {tls: off}
auth: {anonymous: {scopes: [all]}}
leak_watch: {every: 0s}
collect: {every: 1s, profiles: [{type: cpu, seconds: 1}, {type: goroutine}]}
spool: {dir: $TMP/disk/own/spool, max_age: 1h}
forward:
  - {name: folder, type: directory, path: $TMP/home/out}
  - {name: dog, type: datadog, url: "unix:$TMP/dog.sock"}
drain: 30s
YAML
start_target
export LD_PRELOAD=$TMP/realclock.so REALCLOCK=$TMP/shift ASAN_OPTIONS=verify_asan_link_order=0
PLAIN=1 start_pillion --config "$TMP/pillion.yaml"
unset LD_PRELOAD REALCLOCK ASAN_OPTIONS

field() { # PYTHON: of the status s
    raw /api/v1/status
    [ "$STATUS" = 200 ] || fail "the status is not served"
    python3 -c 'import json, sys; s = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$BODY" "$1"
}
is() { [ "$(field "$1")" = True ]; }
state_says() { is "\"$1\" in s[\"spool\"][\"state\"]"; }
taken() { field 'sum(c["taken"] for c in s["collect"])'; }
more() { [ "$(taken)" -ge "$1" ]; }
go_on() { # it goes on collecting: a few more
    wait_for 40 more $(($(taken) + 3)) || fail "$1: nothing is collected any more"
}
well() { state_says ok && is 's["spool"]["in_memory"] == 0'; }
lost() { field 'sum(s["spool"]["dropped"].values())'; }

wait_for 40 more 4 || fail "nothing is collected"
state_says ok || fail "the state is not ok to begin with"

# --- full
head -c 4M /dev/zero >"$TMP/disk/filler" 2>/dev/null
wait_for 40 state_says "No space left on device" || fail "full: $(field 's["spool"]')"
go_on full
is 's["spool"]["in_memory"] > 0' || fail "full: nothing is in memory"
grep -q 'the spool cannot be written' "$LOG" || fail "full: no word in the log"
ok "full: the state says so, profiles are in memory"
rm "$TMP/disk/filler"
wait_for 40 well || fail "full no more: $(field 's["spool"]')"
ok "full no more: they are on the disk, without a restart"

# --- read-only: nothing can be removed either
mount -o remount,ro "$TMP/disk" || fail "remount"
wait_for 40 state_says "Read-only file system" || fail "read-only: $(field 's["spool"]')"
go_on read-only
mount -o remount,rw "$TMP/disk" || fail "remount"
wait_for 40 well || fail "read-only no more: $(field 's["spool"]')"
ok "read-only, and then not"
[ "$(lost)" = 0 ] || fail "something was dropped: $(field 's["spool"]')"

# --- the clock: two days ahead, four back; ages of the waiting ones are not touched
before=$(taken)
for shift in 172800 -172800 3 -3 0; do
    step "$shift"
    go_on "the clock at $shift s"
    [ "$shift" != 172800 ] || is 's["collect"][0]["last_unix_ns"] / 1e9 > '"$(date +%s)"' + 86400' ||
        fail "the clock was not stepped: this tests nothing"
done
[ "$(lost)" = 0 ] || fail "a stepping clock dropped something: $(field 's["spool"]')"
[ "$(taken)" -lt $((before + 400)) ] || fail "a stepping clock made it collect without end"
ok "a stepping clock: goes on, and drops nothing"

# --- deleted under us: what lay there for the backend that is down is gone, and is counted
waiting=$(field 's["forward"][1]["waiting"]')
[ "$waiting" -ge 10 ] || fail "only $waiting wait for the backend that is down"
rm -rf "$TMP/disk/own/spool"
counted() { is 's["spool"]["dropped"]["bad"] > 0' && well; }
wait_for 60 counted || fail "deleted: $(field 's["spool"]')"
go_on deleted
well || fail "deleted: $(field 's["spool"]')"
gone=$(lost)
[ "$gone" -ge $((waiting - 2)) ] || fail "of $waiting that were deleted $gone are counted"
ok "deleted: made anew, $gone counted as lost"

# --- the backend comes up: it has what the other one has, but for what was deleted
mkfifo "$TMP/dog.in"
python3 "$ROOT/tests/e2e/servers/backend.py" --unix "$TMP/dog.sock" --log "$TMP/dog.log" 'status=200' <"$TMP/dog.in" >/dev/null 2>&1 &
PIDS+=("$!")
exec 8>"$TMP/dog.in"
wait_for 20 test -S "$TMP/dog.sock" || fail "the receiver does not listen"
all=$(taken)
stop_pillion
[ "$EXIT" = 0 ] || fail "it ended with $EXIT"
[ "$(find "$TMP/disk/own/spool" -name '*.plsp' | wc -l)" = 0 ] || fail "something still waits"
grep -o 'boundary=[0-9a-f]\{32\}' "$TMP/dog.log" | sed 's/.*=//' | sort >"$TMP/dog.ids"
find "$TMP/home/out" -name '*.pb.gz' | sed 's/.*-\([0-9a-f]*\).pb.gz/\1/' | sort >"$TMP/out.ids"
[ -z "$(uniq -d "$TMP/dog.ids")" ] || fail "something came twice"
came=$(sort -u "$TMP/dog.ids" "$TMP/out.ids" | wc -l)
missed=$(comm -3 "$TMP/dog.ids" "$TMP/out.ids" | wc -l)
# one that was deleted before either had it is among the $gone as well, once for each
[ $((came + gone / 2)) -ge "$all" ] || fail "$all were accepted, $came came"
[ "$missed" -le "$gone" ] || fail "$missed came to one of the two alone, $gone were deleted"
[ "$missed" -ge $((gone - 8)) ] || fail "$gone are counted as lost, and only $missed are"
ok "of $all that were accepted all but the $gone that were deleted arrived at both"
