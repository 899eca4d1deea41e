#!/bin/bash
# What real readers say of our profiles and of wrong ones: go tool pprof, go tool preprofile (what
# `go build -pgo` reads with), Parca's order rule, and our own decoder beside them; what Go itself
# writes must come through our decoder and encoder unchanged.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${PILLION_BUILD:-build/asan}
command -v go >/dev/null || { echo "no go in PATH"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export PPROF_TMPDIR=$tmp PPROF_BINARY_PATH=$tmp PYTHONPATH=tests/e2e PYTHONDONTWRITEBYTECODE=1 GOFLAGS=-mod=mod GOTOOLCHAIN=local
bad=0
fail() {
    echo "FAIL: $*"
    bad=1
}

san=""
case $build in *asan*) san="-fsanitize=address,undefined" ;; *tsan*) san="-fsanitize=thread" ;; *cov*) san=--coverage ;; esac
# shellcheck disable=SC2086
cc -std=gnu11 -g -O1 -D_GNU_SOURCE -I. -Ibuild/gen -include base/banned.h $san -o "$tmp/make_profile" \
    tests/targets/make_profile.c "$build"/profile/*.o "$build"/base/*.o "$build"/gen/profile/*.o \
    -lprotobuf-c -lz -lm || exit 1
mp=$tmp/make_profile

# ---- one verdict of one reader: "ok", or what its message must contain
verdict() { # reader case expected exit-code output-file
    if [ "$3" = ok ]; then
        [ "$4" = 0 ] || fail "$1 refuses $2: $(tail -n 3 "$5")"
    elif [ "$4" = 0 ]; then
        fail "$1 takes $2, expected: $3"
    else
        grep -qF -- "$3" "$5" || fail "$1 on $2 says $(tail -n 3 "$5"); expected: $3"
    fi
}

file() { # case: the bytes that the case is about, into $tmp/in
    case $1 in
    empty) : >"$tmp/in" ;;
    packed) "$mp" make whole | "$mp" gzip >"$tmp/in" ;;
    packed-twice) "$mp" make whole | "$mp" gzip | "$mp" gzip >"$tmp/in" ;;
    two-members) { "$mp" make whole | "$mp" gzip && "$mp" make whole | "$mp" gzip; } >"$tmp/in" ;;
    cut) "$mp" make whole | head -c 100 >"$tmp/in" ;;
    *) "$mp" make "$1" >"$tmp/in" ;;
    esac
}

start="profile missing Function.start_line data"
index='profile does not contain a sample index with value/type "samples/count"'
# case | go tool preprofile | go tool pprof -top | our decoder and profile_validate
while IFS='|' read -r name pgo top ours; do
    [ -n "$name" ] || continue
    file "$name" || fail "make_profile $name"
    go tool preprofile -i "$tmp/in" -o "$tmp/pgo" >"$tmp/out" 2>&1
    verdict preprofile "$name" "$pgo" $? "$tmp/out"
    go tool pprof -top -symbolize=none "$tmp/in" >"$tmp/out" 2>&1
    verdict pprof "$name" "$top" $? "$tmp/out"
    "$mp" check <"$tmp/in" >"$tmp/out" 2>&1 || fail "make_profile check died on $name: $(cat "$tmp/out")"
    grep -qx ok "$tmp/out"
    verdict ours "$name" "$ours" $? "$tmp/out"
done <<EOT
whole|ok|ok|ok
packed|ok|ok|ok
samples-only|ok|ok|ok
cpu-only|ok|ok|ok
renamed-first|ok|ok|ok
no-mappings|ok|ok|ok
no-addresses|ok|ok|ok
no-time|ok|ok|ok
extras|ok|ok|ok
default-samples|ok|ok|ok
drop-leaf|ok|ok|ok
no-samples|ok|ok|ok
ids-from-two|ok|ok|ok
no-period-type|ok|ok|no period type
native-names|$index|ok|has a '-' in its name
no-start-line|$start|ok|ok
no-lines|$start|ok|ok
empty|ok|failed to fetch|an empty profile
cut|parsing profile|failed to fetch|no protobuf field at byte
value-count|mismatch: sample has: 1 values vs. 2 types|mismatch: sample has 1 values vs. 2 types|mismatch: sample has 1 values vs. 2 types
duplicate-location|multiple locations with same id: 1|malformed profile|multiple locations with same id: 1
missing-location|goroutine|sample has nil location|there is no location with the id 77
missing-function|Function ID 77 not found|line with nil function|there is no function with the id 77
missing-mapping|ok|ok|there is no mapping with the id 77
first-string|string_table[0] must be ''|failed to fetch|the first string is not empty
missing-string|malformed profile format|failed to fetch|string 777 is not in the table
packed-twice|unknown wire type: 7|failed to fetch|no protobuf field at byte 0
two-members|mismatch: sample has: 2 values vs. 4 types|failed to fetch|bytes after the gzip data
EOT

# ---- what they read is what went in
"$mp" make whole | tee "$tmp/plain" | "$mp" gzip >"$tmp/whole.pb.gz"
has() { grep -qE -- "$1" "$tmp/out" || { fail "no /$1/ in:"; cat "$tmp/out"; }; }
go tool pprof -top -symbolize=none -sample_index=samples "$tmp/whole.pb.gz" >"$tmp/out" 2>&1
has '^File: server$'
has '^Build ID: 0123456789abcdef$'
has '^Type: samples$'
has 'Total samples = 115'
has '^ +90 78\.26% +78\.26% +90 78\.26% +main\.leaf$'
has '^ +20 17\.39% +95\.65% +110 95\.65% +main\.step \(inline\)$'
go tool pprof -top -symbolize=none -sample_index=cpu "$tmp/whole.pb.gz" >"$tmp/out" 2>&1
has 'Duration: 2s, Total samples = 1150ms \(57\.50%\)'
go tool pprof -top -symbolize=none -tagfocus=tenant=b -sample_index=cpu "$tmp/whole.pb.gz" >"$tmp/out" 2>&1
has '300ms .*main\.leaf$'
go tool pprof -raw -symbolize=none "$tmp/whole.pb.gz" >"$tmp/out" 2>&1
has '^PeriodType: cpu nanoseconds$'
has '^Period: 10000000$'
has '^samples/count cpu/nanoseconds$'
has '^ +tenant:\[a\]$'
has '/app/server 0123456789abcdef \[FN\]\[FL\]\[LN\]\[IN\]$'
has '/lib/libc\.so\.6 fedcba9876543210 *$' # an address without lines: no claim
has 'main\.step /src/work\.go:31(:0)? s=30$'
go tool preprofile -i "$tmp/whole.pb.gz" -o "$tmp/out" || fail "preprofile"
grep -A2 -x main.work "$tmp/out" | tr '\n' ' ' | grep -q '^main.work main.step 4 110' || fail "no weight for main.work → main.step"
grep -A2 -x main.main "$tmp/out" | tr '\n' ' ' | grep -q '^main.main main.work 8 20' || fail "no weight for main.main → main.work"

# ---- Parca's order
[ "$(python3 tests/e2e/parca_order.py "$tmp/plain")" = ok ] || fail "Parca's order rule"
"$mp" make ids-from-two >"$tmp/in"
python3 tests/e2e/parca_order.py "$tmp/in" >/dev/null && fail "parca_order.py takes ids that begin at 2"
"$mp" again <"$tmp/in" >"$tmp/again"
[ "$(python3 tests/e2e/parca_order.py "$tmp/again")" = ok ] || fail "ids are not renumbered"
cmp -s "$tmp/plain" "$tmp/again" || fail "renumbered, it is not the same profile"

# ---- our table has the columns of go tool pprof -top
columns() { awk 'seen { print $2, $3, $5 } /flat%/ { seen = 1 }' "$1"; }
go tool pprof -top -symbolize=none "$tmp/plain" >"$tmp/theirs" 2>/dev/null
"$mp" top 1 <"$tmp/plain" >"$tmp/mine"
[ -n "$(columns "$tmp/mine")" ] || fail "text_top printed no rows"
[ "$(columns "$tmp/theirs")" = "$(columns "$tmp/mine")" ] || { fail "top differs:" && cat "$tmp/theirs" "$tmp/mine"; }

# ---- speedscope's schema, folded
"$mp" speedscope 0 <"$tmp/plain" >"$tmp/scope.json"
python3 - "$tmp/scope.json" <<'EOT' || fail "speedscope"
import json, sys
d = json.load(open(sys.argv[1]))
assert d["$schema"] == "https://www.speedscope.app/file-format-schema.json"
assert set(d) == {"$schema", "shared", "profiles", "name", "activeProfileIndex", "exporter"}, d
frames = d["shared"]["frames"]
assert all(set(f) <= {"name", "file", "line", "col"} and f["name"] for f in frames), frames
(p,) = d["profiles"]
assert set(p) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}, p
assert p["type"] == "sampled" and p["unit"] == "none" and p["startValue"] == 0
assert len(p["samples"]) == len(p["weights"]) and sum(p["weights"]) == p["endValue"] == 115
assert all(0 <= i < len(frames) for s in p["samples"] for i in s)
stacks = {";".join(frames[i]["name"] for i in s) for s in p["samples"]}
assert "main.main;main.work;main.step;main.leaf" in stacks, stacks
EOT
"$mp" folded 0 <"$tmp/plain" >"$tmp/folded"
grep -qx 'main.main;main.work;main.step;main.leaf 90' "$tmp/folded" || fail "folded: $(cat "$tmp/folded")"

# ---- what Go writes comes through unchanged, and doubles when merged with itself
mkdir "$tmp/go"
cat >"$tmp/go/main.go" <<'EOT'
package main

import (
	"context"
	"os"
	"runtime/pprof"
	"time"
)

var sink [][]byte

func spin(end time.Time) (n int) {
	for time.Now().Before(end) {
		n++
	}
	return n
}

func main() {
	cpu, _ := os.Create(os.Args[1])
	pprof.StartCPUProfile(cpu)
	for i := 0; i < 8; i++ {
		pprof.Do(context.Background(), pprof.Labels("n", string(rune('a'+i))), func(context.Context) {
			spin(time.Now().Add(100 * time.Millisecond))
			for j := 0; j < 200; j++ {
				sink = append(sink, make([]byte, 10000+j))
			}
		})
	}
	pprof.StopCPUProfile()
	cpu.Close()
	heap, _ := os.Create(os.Args[2])
	pprof.Lookup("heap").WriteTo(heap, 0)
	heap.Close()
}
EOT
raw() { go tool pprof -raw -symbolize=none "$1" 2>/dev/null | sed -e '/^Mappings/,$d' -e 's/ M=[0-9]*//'; }
sum() { raw "$1" | awk '/^Samples:/ { on = 1; next } /^Locations/ { on = 0 } on && $1 ~ /^[0-9]+$/ { n += $1 } END { print n + 0 }'; }
if (cd "$tmp/go" && cat >go.mod <<<$'module x\n\ngo 1.21' && go build -o p . && ./p ../cpu.pb.gz ../heap.pb.gz); then
    for kind in cpu heap; do
        "$mp" check <"$tmp/$kind.pb.gz" >"$tmp/out"
        grep -qx ok "$tmp/out" || fail "Go's own $kind profile: $(cat "$tmp/out")"
        "$mp" again <"$tmp/$kind.pb.gz" >"$tmp/again"
        [ "$(sum "$tmp/again")" -gt 0 ] || fail "$kind: nothing to compare"
        diff <(raw "$tmp/$kind.pb.gz") <(raw "$tmp/again") >"$tmp/out" || { fail "$kind changed:" && head -n 20 "$tmp/out"; }
        [ "$(python3 tests/e2e/parca_order.py "$tmp/again")" = ok ] || fail "$kind: Parca's order rule"
        "$mp" merge <"$tmp/$kind.pb.gz" >"$tmp/twice"
        [ "$(sum "$tmp/twice")" = $((2 * $(sum "$tmp/again"))) ] || fail "$kind merged with itself: $(sum "$tmp/twice")"
    done
else
    fail "the Go program does not build or run"
fi

[ "$bad" = 0 ] && echo "ok"
exit $bad
