#!/bin/bash
# Profiles of the target's own runtime: the same shape, headers, statuses and words as the target's
# net/http/pprof gives; scopes, HEAD, clients that leave, targets without a Go runtime.
# shellcheck disable=SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3

go_target local goleak goleak-local '-ldflags=-s -w'
bin=$GO_TARGET
start_target "$bin"
wait_for 10 grep -q ready "$TMP/target.out" || fail "goleak did not start"
own=http://$(sed -n 's/^listen //p' "$TMP/target.out")
sum() { printf %s "$1" | sha256sum | cut -d' ' -f1; }
cat >"$TMP/pillion.yaml" <<YAML
auth:
  tokens:
    - {name: all, sha256: "$(sum token-all-0123456789)", scopes: [all]}
    - {name: heap, sha256: "$(sum token-heap-0123456789)", scopes: [heap]}
    - {name: metrics, sha256: "$(sum token-metrics-0123456789)", scopes: [metrics]}
leak_watch: {every: 0s}
limits: {profile_seconds: 3}
YAML
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-all-0123456789
curl -sf "$own/leak?n=50" >/dev/null && curl -sf "$own/contend?n=3" >/dev/null &&
    curl -sf "$own/allocate?n=10" >/dev/null && curl -sf "$own/collect" >/dev/null || fail "goleak does not obey"

# --- what its own endpoint says to bad requests, this one says too
own_answer() { curl -s -m 30 -o "$TMP/own.body" -D "$TMP/own.head" -w '%{http_code}' "$own/debug/pprof/$1"; }
own_header() { sed -n "s/^$1: //Ip" "$TMP/own.head" | tr -d '\r' | head -n 1; }
for q in 'heap?seconds=0' 'heap?seconds=x' 'heap?seconds=-1' 'heap?seconds=x&debug=1' 'heap?seconds=1&debug=1' \
    'goroutine?seconds=1&debug=2' 'mutex?seconds=1.5' 'block?seconds=1s' 'threadcreate?seconds=0&seconds=1' \
    'allocs?seconds=9223372036854775808'; do
    own_status=$(own_answer "$q")
    get "/debug/pprof/$q" && wants "$own_status" "$q"
    cmp -s "$BODY" "$TMP/own.body" || fail "$q: \"$(cat "$BODY")\" instead of \"$(cat "$TMP/own.body")\""
    is_error "$q"
    [ "$(header Content-Type)" = "$(own_header Content-Type)" ] || fail "$q: $(header Content-Type)"
done

# --- and the same headers and shape to good ones
cat >"$TMP/shape.py" <<'PY'
import os, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import pprof
def shape(path):
    with open(path, "rb") as f:
        data = f.read()
    p = pprof.Profile(data)
    m = pprof.message(pprof.gzip.decompress(data))
    t = pprof.message(m[11][0])
    kind = [p.strings[x[0]] for x in (t[1], t.get(2, [0]))]
    default = p.strings[m[14][0]] if 14 in m else ""
    return p, (p.types, kind, p.period, default)
(own, a), (ours, b) = shape(sys.argv[2]), shape(sys.argv[3])
assert a == b, (a, b)
assert ours.samples, "empty"
assert all(s["values"] for s in ours.samples)
PY
for q in goroutine heap allocs block mutex threadcreate 'goroutine?debug=1' 'goroutine?debug=2' 'heap?debug=1' \
    'block?debug=1' 'mutex?debug=1' 'threadcreate?debug=1' 'heap?debug=2' 'heap?debug=0' 'heap?debug=x' 'heap?seconds='; do
    own_answer "$q" >/dev/null
    get "/debug/pprof/$q" && wants 200 "$q"
    for h in Content-Type Content-Disposition X-Content-Type-Options; do
        [ "$(header $h)" = "$(own_header $h)" ] || fail "$q: $h: $(header $h) instead of $(own_header $h)"
    done
    [ -n "$(header Pillion-Mode)" ] || fail "$q: no Pillion-Mode"
    case $(header Content-Type) in
    text*) # the first line, without the numbers that never are the same twice
        a=$(head -n 1 "$TMP/own.body" | tr -d '0-9') b=$(head -n 1 "$BODY" | tr -d '0-9')
        [ "$a" = "$b" ] || [ "${q#*debug=2}" != "$q" ] || fail "$q begins with \"$b\" instead of \"$a\""
        ;;
    *)
        is_gzip || fail "$q: not gzip"
        python3 "$TMP/shape.py" "$ROOT/tests/e2e/pprof.py" "$TMP/own.body" "$BODY" || fail "$q has another shape"
        ;;
    esac
done
ok "headers and shapes are the target's own"

# --- numbers
get '/debug/pprof/goroutine?debug=1' && wants 200 "goroutines"
says '50 @ '
says 'main.waitForever'
[ "$(header Pillion-Goroutines)" -gt 50 ] || fail "Pillion-Goroutines: $(header Pillion-Goroutines)"
[ "$(header Pillion-Unreadable)" = 0 ] || fail "Pillion-Unreadable: $(header Pillion-Unreadable)"
[ "$(sed -n 's/^goroutine profile: total //p' "$BODY")" = "$(header Pillion-Goroutines)" ] || fail "the total is not the header"
get '/debug/pprof/goroutine?labels=detail' && wants 200 "details"
python3 - "$ROOT/tests/e2e" "$BODY" "$(header Pillion-Goroutines)" <<'PY' || fail "details"
import sys
sys.path.insert(0, sys.argv[1])
import pprof
p = pprof.read(sys.argv[2])
rows = [s for s in p.samples if s["stack"] and "main.waitForever" in s["stack"]]
assert len(rows) == 50, len(rows)
assert len({s["labels"]["goid"] for s in rows}) == 50
assert {s["labels"]["created_by"] for s in rows} == {"main.leak"}, rows[0]
assert sum(s["values"][0] for s in p.samples) == int(sys.argv[3])
PY
ok "each goroutine with its labels"
get '/debug/pprof/heap?gc=1' && wants 200 "gc=1"
case $(header Pillion-Note) in *"no effect"*) ;; *) fail "gc=1 is not said to have no effect" ;; esac

# --- the comments of heap?debug=1 are Go's own, in its order, but for what is not known
own_answer 'heap?debug=1' >/dev/null
sed -n 's/^\(# [A-Za-z]*\) = .*/\1/p' "$TMP/own.body" | grep -vE '^# (MSpan|MCache|MaxRSS)$' >"$TMP/own.names"
get '/debug/pprof/heap?debug=1' && wants 200 "heap?debug=1"
sed -n 's/^\(# [A-Za-z]*\) = .*/\1/p' "$BODY" >"$TMP/our.names"
diff "$TMP/own.names" "$TMP/our.names" || fail "the comments of heap?debug=1 are others"
ok "runtime.MemStats: $(wc -l <"$TMP/our.names") lines"

# --- the difference of two readings
began=$(date +%s%N)
(sleep 0.5 && curl -sf "$own/allocate?n=100" && curl -sf "$own/collect") >/dev/null &
get '/debug/pprof/heap?seconds=2' && wants 200 "heap?seconds=2"
took=$((($(date +%s%N) - began) / 1000000))
[ "$took" -ge 2000 ] && [ "$took" -lt 6000 ] || fail "heap?seconds=2 took $took ms"
[ "$(header Content-Disposition)" = 'attachment; filename="heap-delta"' ] || fail "$(header Content-Disposition)"
python3 - "$ROOT/tests/e2e" "$BODY" <<'PY' || fail "the difference"
import sys
sys.path.insert(0, sys.argv[1])
import pprof
p = pprof.read(sys.argv[2])
rows = [s for s in p.samples if "main.allocate" in s["stack"] and s["labels"].get("bytes") == 13568]
assert [sum(c) for c in zip(*(s["values"] for s in rows))] == [100, 1356800, 100, 1356800], rows
assert 1.9e9 < p.duration_ns < 4e9, p.duration_ns
assert all(any(s["values"]) for s in p.samples), "a sample of zeros"
PY
ok "exactly the 100 objects that were allocated meanwhile"
get '/debug/pprof/threadcreate?seconds=100' && wants 200 "clamped"
# the line comes when the answer has gone
wait_for 10 grep -q '"seconds_asked":100,"seconds_granted":3' "$LOG" || fail "the audit log does not tell seconds"

# --- go tool pprof
if command -v go >/dev/null; then
    export PPROF_TMPDIR=$TMP PPROF_BINARY_PATH=$TMP
    for type in heap goroutine mutex; do
        go tool pprof -top "https+insecure://any:$TOKEN@$ADDRESS/debug/pprof/$type" >"$TMP/top" 2>"$TMP/top.err" ||
            fail "go tool pprof: $(cat "$TMP/top.err")"
        grep -q 'main\.' "$TMP/top" || fail "go tool pprof shows no function of the target: $(head "$TMP/top")"
    done
    ok "go tool pprof reads them"
fi

# --- HEAD never reads; a client that leaves ends its request
metric() { get /metrics >/dev/null && sed -n "s/^pillion_$1 //p" "$BODY"; }
before=$(metric goroutine_readings_total)
get '/debug/pprof/goroutine?debug=2' -I && wants 200 HEAD
[ "$(header Content-Type)" = "text/plain; charset=utf-8" ] || fail "HEAD: $(header Content-Type)"
get '/debug/pprof/goroutine?seconds=3' -I && wants 200 "HEAD with seconds"
get '/debug/pprof/goroutine?seconds=0' -I && wants 400 "HEAD checks its parameters"
[ "$(metric goroutine_readings_total)" = "$before" ] || fail "HEAD has read goroutines"
curl -sk -m 0.7 -o /dev/null -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/goroutine?seconds=3"
canceled() { [ "$(metric 'profiles_total{type="goroutine",result="canceled"}')" = 1 ]; }
wait_for 5 canceled || fail "a client that left is not counted"
sleep 3
[ "$(metric goroutine_readings_total)" = $((before + 1)) ] || fail "it was read for nobody"
ok "nothing is read for a client that has left"

# --- many at once are all served
for i in 1 2 3 4 5 6; do
    curl -sk -o "$TMP/many.$i" -w '%{http_code}\n' -H "Authorization: Bearer $TOKEN" "$URL/debug/pprof/goroutine" >"$TMP/status.$i" &
    pids[i]=$!
done
wait "${pids[@]}"
[ "$(cat "$TMP"/status.* | sort | uniq -c | tr -d ' \n')" = 6200 ] || fail "six at once: $(cat "$TMP"/status.*)"
ok "six at once, each in its turn"

# --- metrics and the index
get /metrics && wants 200 metrics
for name in go_goroutines go_threads go_memstats_heap_inuse_bytes go_memstats_next_gc_bytes go_sched_gomaxprocs_threads; do
    grep -qE "^pillion_target_$name [0-9]+$" "$BODY" || fail "/metrics has no pillion_target_$name"
done
# client_golang's summary of pauses: one head, then its samples; and what Go was started with
[ "$(grep -c '^# TYPE pillion_target_go_gc_duration_seconds summary$' "$BODY")" = 1 ] || fail "no summary of pauses"
[ "$(grep -cE '^pillion_target_go_gc_duration_seconds(\{quantile="(0|0.25|0.5|0.75|1)"\}|_sum|_count) [0-9.]+$' "$BODY")" = 7 ] ||
    fail "the summary is not whole: $(grep go_gc_duration "$BODY")"
grep -qE '^pillion_target_go_info\{version="go1\.[0-9.]+"\} 1$' "$BODY" || fail "no go_info"
grep -q '^pillion_target_go_gc_gogc_percent 100$' "$BODY" || fail "no go_gc_gogc_percent"
python3 - "$BODY" <<'PY' || fail "two families of one name, or one in two places"
import re, sys
seen, last = set(), ""
for line in open(sys.argv[1]):
    if line.startswith("#") or not line.strip():
        continue
    name = re.match(r"[a-z_A-Z0-9]+", line)[0]
    name = re.sub(r"_(sum|count|bucket)$", "", name) if "duration_seconds" in name else name
    assert name == last or name not in seen, name
    seen.add(name)
    last = name
PY
[ "$(sed -n 's/^pillion_target_go_goroutines //p' "$BODY")" -gt 50 ] || fail "pillion_target_go_goroutines"
get '/debug/pprof/?format=json' && wants 200 index
python3 - "$BODY" <<'PY' || fail "the index"
import json, sys
rows = {r["name"]: r for r in json.load(open(sys.argv[1]))["profiles"]}
for name in "goroutine heap allocs block mutex threadcreate".split():
    assert rows[name]["available"] and rows[name]["count"] > 0, rows[name]
PY
get /debug/pprof/ && wants 200 "index as a page"
says 'full goroutine stack dump'
ok "the index counts"

# --- scopes
TOKEN=token-heap-0123456789
for name in heap allocs delta_heap; do get "/debug/pprof/$name" && wants 200 "heap scope, $name"; done
for name in goroutine threadcreate; do get "/debug/pprof/$name" && wants 403 "heap scope, $name" && says goroutine; done
for name in block mutex delta_block delta_mutex; do get "/debug/pprof/$name" && wants 403 "heap scope, $name" && says contention; done
get /debug/pprof/ && wants 200 "index for heap"
! grep -q 'goroutine?debug' "$BODY" || fail "the index shows what the scopes do not allow"
TOKEN=token-metrics-0123456789
get /debug/pprof/heap && wants 403 "metrics scope"

# --- what is not recorded is said
stop_pillion
start_target "$bin" -rates=false
wait_for 10 grep -q ready "$TMP/target.out" || fail "goleak did not start"
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-all-0123456789
for name in block mutex delta_block delta_mutex; do
    get "/debug/pprof/$name" && wants 501 "no rate, $name"
    is_error "$name"
    says "runtime.Set"
done
get '/debug/pprof/?format=json' && wants 200 index
python3 - "$BODY" <<'PY' || fail "the index does not say why"
import json, sys
rows = {r["name"]: r for r in json.load(open(sys.argv[1]))["profiles"]}
assert not rows["block"]["available"] and "SetBlockProfileRate" in rows["block"]["reason"], rows["block"]
assert rows["heap"]["available"], rows["heap"]
PY
ok "the index says why"

# --- the target's death, and no Go at all
kill -9 "$TARGET_PID"
gone() { get /debug/pprof/heap && [ "$STATUS" = 503 ]; }
wait_for 10 gone || fail "heap of a dead target: $STATUS"
[ -n "$(header Retry-After)" ] || fail "no Retry-After"
stop_pillion
start_target sleep 1000
start_pillion --config "$TMP/pillion.yaml"
for name in goroutine heap threadcreate delta_heap 'heap?seconds=1'; do
    get "/debug/pprof/$name" && wants 501 "no Go, $name"
    is_error "$name"
done
get /metrics && wants 200 "metrics without Go"
! grep -q '^pillion_target_go_' "$BODY" || fail "a program without Go has its counters"
get /debug/pprof/ && wants 200 "index without Go"
echo "$CHECKS checks"
