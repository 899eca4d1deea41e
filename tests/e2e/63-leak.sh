#!/bin/bash
# The goroutine-leak watch: says it once, in the log, the metrics and the status; says when it is
# over; keeps still about what does not grow and about programs without goroutines.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3

go_target local goleak goleak-local '-ldflags=-s -w'
bin=$GO_TARGET
start_target "$bin"
wait_for 10 grep -q ready "$TMP/target.out" || fail "goleak did not start"
own=http://$(sed -n 's/^listen //p' "$TMP/target.out")
cat >"$TMP/pillion.yaml" <<YAML
auth:
  tokens:
    - {name: all, sha256: "$(printf %s token-all-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [all]}
    - {name: cpu, sha256: "$(printf %s token-cpu-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [cpu]}
leak_watch: {every: 300ms, window: 6, minimum: 40}
YAML
curl -sf "$own/leak?n=500" >/dev/null || fail "goleak does not obey"
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-all-0123456789
metric() { get /metrics >/dev/null && sed -n "s/^pillion_$1 //p" "$BODY"; }
said() { grep -c '"msg":"goroutine leak suspected"' "$LOG"; }
over() { grep -c '"msg":"goroutine leak no longer suspected"' "$LOG"; }

# --- many that stand still are no leak
looked() { [ "$(metric goroutine_readings_total)" -ge 8 ]; }
wait_for 20 looked || fail "nobody looks"
[ "$(said)" = 0 ] || fail "500 that stand still are suspected"
[ "$(metric goroutine_leak_groups)" = 0 ] || fail "suspected: $(metric goroutine_leak_groups)"
ok "what stands still is no leak"

# --- ten a second and more are
curl -sf "$own/drip?n=3" >/dev/null || fail "goleak does not obey"
suspected() { [ "$(said)" -ge 1 ]; }
wait_for 20 suspected || fail "a leak is not suspected"
grep '"msg":"goroutine leak suspected"' "$LOG" | grep -q '"created_by":"main.leak"' || fail "not its creator: $(grep suspected "$LOG")"
grep '"msg":"goroutine leak suspected"' "$LOG" | grep -q '"function":"main.waitForever"' || fail "not its function"
sleep 3
[ "$(said)" = 1 ] || fail "$(said) lines for one leak"
[ "$(metric 'goroutine_leak_suspected{created_by="main.leak"}')" -gt 500 ] || fail "the metric"
get /api/v1/status && wants 200 status
python3 - "$BODY" <<'PY' || fail "the status: $(cat "$BODY")"
import json, sys
g = json.load(open(sys.argv[1]))["goroutines"]
rows = g["leak_suspected"]
assert g["leak_groups"] == len(rows) == 1 and g["total"] > 500 and not g["too_many"], g
r = rows[0]
assert r["created_by"] == "main.leak" and r["function"] == "main.waitForever" and r["state"] == "chan receive", r
assert r["goroutines"] > r["goroutines_before"] and r["grew"] >= 4 and r["steps"] == 5, r
PY
TOKEN=token-cpu-0123456789
get /api/v1/status && wants 200 "status without the scope"
! grep -q 'main.leak' "$BODY" || fail "the status shows goroutines to those who may not see them"
TOKEN=token-all-0123456789
ok "suspected once, in the log, the metrics and the status"

# --- and it is over when it stops
curl -sf "$own/drip?n=0" >/dev/null || fail "goleak does not obey"
ended() { [ "$(over)" = 1 ]; }
wait_for 20 ended || fail "it is not over"
[ "$(metric goroutine_leak_groups)" = 0 ] || fail "still suspected"
[ "$(said)" = 1 ] || fail "suspected again"
ok "over when it stops"

# --- very many
curl -sf "$own/leak?n=10001" >/dev/null || fail "goleak does not obey"
many() { grep -q '"msg":"very many goroutines"' "$LOG"; }
wait_for 20 many || fail "more than 10,000 are not worth a word"
[ "$(metric goroutine_too_many)" = 1 ] || fail "goroutine_too_many"
curl -sf "$own/end-leaks" >/dev/null || fail "goleak does not obey"
few() { grep -q '"msg":"no longer very many goroutines"' "$LOG"; }
wait_for 20 few || fail "few again, and nobody says so"
[ "$(grep -c '"msg":"very many goroutines"' "$LOG")" = 1 ] || fail "more than one line for it"
ok "very many, and few again"

# --- switched off by a reload
readings=$(metric goroutine_readings_total)
sed -i 's/every: 300ms/every: 0s/' "$TMP/pillion.yaml"
reloaded() { grep -q '"msg":"configuration reloaded"' "$LOG"; }
kill -HUP "$PID"
wait_for 10 reloaded || fail "not reloaded"
sleep 1
readings=$(metric goroutine_readings_total)
sleep 2
[ "$(metric goroutine_readings_total)" = "$readings" ] || fail "still looking"
ok "off"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"

# --- nothing to look at
sed -i 's/every: 0s/every: 300ms/' "$TMP/pillion.yaml"
start_target sleep 1000
start_pillion --config "$TMP/pillion.yaml"
sleep 2
[ "$(metric goroutine_readings_total)" = 0 ] || fail "goroutines of a program without Go are read"
! grep -q '"level":"warn"' "$LOG" || fail "a warning: $(grep '"level":"warn"' "$LOG")"
ok "rests without Go"
echo "$CHECKS checks"
