#!/bin/bash
# `make run`: builds, starts the demo, attaches, prints a line; that line works as it stands.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need go make setsid
need_perf

cd "$ROOT" || exit 1
LISTEN=127.0.0.1:0 setsid make --no-print-directory run >"$TMP/out" 2>"$TMP/err" &
make=$!
PIDS+=("$make")
stop() { kill -TERM -- "-$make" 2>/dev/null; }
trap 'stop; cleanup' EXIT
printed() { grep -q "^go tool pprof 'https" "$TMP/out"; }
wait_for 240 printed || { cat "$TMP/out" "$TMP/err"; fail "no line to paste"; }
line=$(grep -m 1 "^go tool pprof 'https" "$TMP/out")
ok "it prints: ${line%%:plln*}…"
line=${line/seconds=10/seconds=3}
export PPROF_TMPDIR=$TMP
eval "${line/go tool pprof/go tool pprof -top -lines}" >"$TMP/top" 2>"$TMP/top.err" || fail "the line does not work: $(cat "$TMP/top.err")"
grep -q 'main.(\*store)' "$TMP/top" || fail "no names of the demo: $(head -20 "$TMP/top")"
grep -q 'demo/main.go:[0-9]' "$TMP/top" || fail "no lines"
grep -q '(inline)' "$TMP/top" || fail "no inlined frames"
eval "${line/go tool pprof/go tool pprof -tags}" >"$TMP/tags" 2>/dev/null
ok "names, lines and inlined frames of a stripped binary"
stop
wait "$make" 2>/dev/null
sleep 0.5
! pgrep -f "$ROOT/build/demo/pillion-demo" >/dev/null || fail "the demo was left behind"
ok "nothing is left behind"
