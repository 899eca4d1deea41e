#!/bin/bash
# As an ordinary user: one's own process works without any right; another's is refused in one line
# that says what would help.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need setpriv go python3
[ "$(id -u)" = 0 ] || skip "needs root to become somebody else"
[ "$(cat /proc/sys/kernel/perf_event_paranoid)" -le 2 ] || skip "perf_event_paranoid forbids it"

chmod 755 "$TMP"
mkdir "$TMP/bin"
for p in pillion pillion-guard pillion-sampler pillion-sidecar; do cp "$(readlink -f "$BUILD/$p")" "$TMP/bin/"; done
go_target local goshares goshares-local-stripped '-ldflags=-s -w'
shares=$GO_TARGET
cp "$shares" "$TMP/bin/goshares"
as() { local uid=$1; shift; exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --bounding-set=-all --inh-caps=-all "$@"; }

(as 12345 "$TMP/bin/goshares" -seconds 30) >/dev/null &
pid=$!
PIDS+=("$pid")
sleep 1
(cd "$TMP" && as 12345 "$TMP/bin/pillion" record --pid "$pid" --seconds 2 -o - >"$TMP/own.pb.gz" 2>"$TMP/err") || fail "own process: $(cat "$TMP/err")"
go tool pprof -top "$TMP/own.pb.gz" 2>/dev/null | grep -q main.leafHalf || fail "no names"
go tool pprof -comments "$TMP/own.pb.gz" | grep -q 'mode: perf' || fail "not mode perf: $(go tool pprof -comments "$TMP/own.pb.gz")"
ok "one's own process, without any right"

(cd "$TMP" && as 12346 "$TMP/bin/pillion" record --pid "$pid" --seconds 1 -o - >"$TMP/other.pb.gz" 2>"$TMP/err")
rc=$?
[ "$rc" = 2 ] || fail "another user's process: exit $rc"
[ "$(wc -l <"$TMP/err")" = 1 ] || fail "not one line: $(cat "$TMP/err")"
grep -q 'sudo' "$TMP/err" || fail "no way out: $(cat "$TMP/err")"
ok "another user's: $(cat "$TMP/err")"

# the same through the endpoint: 501 with the reason, the index and /readyz say it too
BUILD=$TMP/bin
pillion_as() { exec setpriv --reuid 12346 --regid 12346 --clear-groups --bounding-set=-all "$TMP/bin/pillion" "$@"; }
cd "$TMP" || exit 1
LOG=$TMP/log OUT=$TMP/out
(pillion_as run --pid "$pid" --listen 127.0.0.1:0) >"$OUT" 2>"$LOG" &
PID=$!
PIDS+=("$PID")
wait_for 20 is_ready || fail "no ready line"
URL=https://$(log_field ready admin)
TOKEN=$(sed -n 's|.*any:\([^@]*\)@.*|\1|p' "$OUT")
get '/debug/pprof/profile?seconds=1' && wants 501 "no right"
says sudo
get '/debug/pprof/' && wants 200 "the index"
says "Not available"
ok "501: $(get '/debug/pprof/profile?seconds=1'; cat "$BODY")"
