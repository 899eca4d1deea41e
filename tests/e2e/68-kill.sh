#!/bin/bash
# SIGKILL at random moments, of the sidecar, the guard and all at once, while profiles are collected,
# spooled and sent: every one that was accepted arrives, and twice only where an answer was lost.
# RUNS rounds (default 40, or as many as there is time for); RUNS=1000 by make test-kills.
# long: 40 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3
need_perf
start_target
if [ -n "${RUNS:-}" ]; then set -- --rounds "$RUNS" --seconds 1000000; else set -- --rounds 40 --seconds 50; fi
mkdir "$TMP/kills"
nice -n "${NICE:-0}" python3 "$(dirname "$0")/kills.py" --pillion "$BUILD/pillion" --pid "$TARGET_PID" \
    --folder "$TMP/kills" "$@" || fail "profiles were lost, or came twice without a reason"
ok "nothing was lost"
