#!/bin/bash
# Spool and history in the real program: made before the sandbox, written by threads in it, served.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3
need_perf
start_target
mkdir -p "$TMP/state/of/pillion"
cat >"$TMP/pillion.yaml" <<Y
admin: {listen: ["127.0.0.1:0"]}
auth:
  tokens:
    - {name: all, sha256: "$(printf token | sha256sum | cut -d' ' -f1)", scopes: [all]}
    - {name: cpu, sha256: "$(printf other | sha256sum | cut -d' ' -f1)", scopes: [cpu]}
collect:
  every: 2s
  profiles:
    - {type: goroutine}
    - {type: threadcreate}
forward:
  - {name: nobody, type: parca, url: "http://127.0.0.1:1"}
spool: {dir: $TMP/state/of/pillion/spool}
history: {dir: $TMP/state/of/pillion/history}
Y
start_pillion --config "$TMP/pillion.yaml" --listen 127.0.0.1:0
TOKEN=token

sidecar=$(pgrep -P "$PID" -f pillion-sidecar | head -n 1)
[ -n "$sidecar" ] || fail "no sidecar"
n=0
for task in /proc/"$sidecar"/task/*/status; do
    grep -q '^Seccomp:.*2$' "$task" || fail "a thread without a filter: $task"
    grep -q '^NoNewPrivs:.*1$' "$task" || fail "a thread that may gain rights: $task"
    grep -q '^CapPrm:.*0000000000000000$' "$task" || fail "a thread with capabilities: $task"
    n=$((n + 1))
done
[ "$n" -gt 1 ] || fail "there is no thread but the first"
ok "$n threads, all of them confined"

waits() {
    find "$TMP/state/of/pillion/spool/nobody" -name "*.plsp" 2>/dev/null | grep -q .
}
wait_for 30 waits || fail "nothing waits in the spool"
kept() {
    get "/api/v1/profiles?type=goroutine&limit=5" && grep -q '"id":' "$BODY"
}
wait_for 30 kept || fail "nothing is kept"
wants 200 "the listing"
id=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["profiles"][0]["id"])' "$BODY")
get "/api/v1/profiles/$id"
wants 200 "one kept profile"
is_gzip || fail "it is not gzip"
get "/api/v1/profiles/merge?type=goroutine&from=-1h"
wants 200 "the merge of an hour"
is_gzip || fail "it is not gzip"
get "/api/v1/profiles/merge?from=-1h"
wants 400 "a merge of no type"
is_error "a merge of no type"
get "/api/v1/profiles?from=yesterday"
wants 400 "a time that is none"
get "/api/v1/profiles/00000000000000000000000000000000"
wants 404 "an id that is not kept"
get "/api/v1/profiles/..%2f..%2fetc%2fpasswd"
wants 404 "a path as id"
raw "/api/v1/profiles/$id" -H "Authorization: Bearer other"
wants 403 "without the scope history"
get /api/v1/status
says '"spool":{"state":"ok"'
get /metrics
says 'pillion_spool_dropped_total{reason="size"} 0'
says 'pillion_history_profiles'

# deleted under us: made anew in the sandbox too, since their folder is one of its own
rm -rf "$TMP/state/of/pillion/spool" "$TMP/state/of/pillion/history"
wait_for 30 waits || fail "the spool was not made anew"
ok "the spool came back"

# what waits is there after a kill -9 of all
n=$(find "$TMP/state/of/pillion/spool/nobody" -name '*.plsp' | wc -l)
kill -9 "$PID" "$sidecar"
wait "$PID" 2>/dev/null
start_pillion --config "$TMP/pillion.yaml" --listen 127.0.0.1:0
TOKEN=token
get /api/v1/status
there=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["spool"]["profiles"])' "$BODY")
[ "$there" -ge "$n" ] || fail "$n waited, $there are left"
ok "after kill -9: $there of $n"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
ok "ended in order"
