#!/bin/bash
# Shares of CPU time and the callers of a frameless leaf, against a target that knows the truth: Go
# of several versions, stripped, position-independent, with and without section headers.
# long: 50 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 go
need_perf

one() { # BINARY SECONDS: record while it runs, compare with what it prints at its end
    local pid
    : >"$TMP/truth.out"
    "$1" -seconds $(($2 + 1)) >"$TMP/truth.out" &
    pid=$!
    PIDS+=("$pid")
    wait_for 20 grep -q ready "$TMP/truth.out" || fail "$1 did not start"
    "$BUILD/pillion" record --pid "$pid" --seconds "$2" --hz 250 -o "$TMP/cpu.pb.gz" || fail "record: $?"
    wait "$pid"
    tail -n 1 "$TMP/truth.out" >"$TMP/truth.json"
    python3 "$ROOT/tests/e2e/check_shares.py" "$TMP/cpu.pb.gz" "$TMP/truth.json"
}

# NAME BINARY: three sigma is passed by chance once in 60 of these, and a busy machine gives few
# samples: a second, longer look decides
try() {
    one "$2" 4 >"$TMP/first" || one "$2" 20 || { cat "$TMP/first"; go tool pprof -comments "$TMP/cpu.pb.gz"; fail "$1"; }
    ok "$1"
}

tried=0
for v in 1.18.10 1.22.12 local; do
    for shape in "stripped|-ldflags=-s -w" "pie|-buildmode=pie -ldflags=-s -w"; do
        case $shape in stripped*) flags=("${shape#*|}") ;; pie*) flags=(-buildmode=pie "-ldflags=-s -w") ;; esac
        bin=$("$ROOT/tests/targets/build_go.sh" "$v" goshares "goshares-$v-${shape%%|*}" "${flags[@]}")
        case $? in
        0) ;;
        77) echo "note: no Go $v here"; continue ;;
        *) fail "goshares does not build with $v" ;;
        esac
        try "Go $v ${shape%%|*}" "$bin"
        tried=$((tried + 1))
    done
done
[ "$tried" -ge 2 ] || fail "only $tried programs were tried"

# without section headers: e_shoff (40), e_shnum (60) and e_shstrndx (62) set to 0
bin=$("$ROOT/tests/targets/build_go.sh" local goshares goshares-local-stripped '-ldflags=-s -w')
python3 - "$bin" "$TMP/nosections" <<'PY'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[40:48] = bytes(8)
b[60:64] = bytes(4)
open(sys.argv[2], "wb").write(b)
PY
chmod +x "$TMP/nosections"
try "no section headers" "$TMP/nosections"
