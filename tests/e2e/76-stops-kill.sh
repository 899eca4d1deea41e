#!/bin/bash
# SIGKILL at random moments, of the guard, the sampler, the recording and all at once, and of the
# guard while it holds a thread, while they sample by ptrace stops: the target runs on, nothing
# traces it, no signal is lost. RUNS rounds (default 25); RUNS=500 by make test-stops.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3
[ -x "$BUILD/tools/noperf" ] || skip "make tools has not been run"
"$ROOT/tests/targets/build_c.sh" "$ROOT/tests/targets/bin" || skip "no C compiler"
if [ -n "${RUNS:-}" ]; then set -- --rounds "$RUNS"; else set -- --rounds 25 --seconds 40; fi
python3 "$(dirname "$0")/stops.py" --pillion "$BUILD/tools/noperf $BUILD/pillion" \
    --target "$ROOT/tests/targets/bin/stopped" --words "$TMP/words" "$@" || fail "the target does not run on"
ok "the target runs on"
