#!/bin/bash
# Programs that are not Go, or not only: names and callers of C with and without symbols and frame
# pointers, libraries, the vDSO, deleted files, static programs, other mount namespaces, cgo, kernel.
# long: 50 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 cc strip
need_perf
[ "$(uname -m)" = x86_64 ] || skip "frame pointers are looked at on x86-64"
N=$ROOT/tests/targets/native
W=$TMP/w
mkdir -p "$W"
FP=(-O1 -g0 -DFRAMES -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -fno-optimize-sibling-calls)

compile() { # OUT FLAG...
    local out=$1
    shift
    cc "$@" -o "$W/$out" "$N/chain.c" -ldl 2>"$TMP/cc.err" || fail "$out: $(cat "$TMP/cc.err")"
}

look_for() { # SECONDS NAME CHECK...: record TARGET_PID, check
    local seconds=$1 name=$2
    shift 2
    "$BUILD/pillion" record --pid "$TARGET_PID" --seconds "$seconds" --hz 250 -o "$W/$name.pb.gz" \
        2>"$TMP/record.err" || fail "$name: $(cat "$TMP/record.err")"
    python3 "$ROOT/tests/e2e/chains.py" "$W/$name.pb.gz" "$@"
}
look() { # NAME CHECK...: the same, and end the target; a busy machine gives few samples: look longer
    local name=$1
    look_for 2 "$@" >"$W/first" || look_for 15 "$@" || fail "$name"
    shift
    kill -9 "$TARGET_PID"
    wait "$TARGET_PID" 2>/dev/null
    ok "$name"
}

# outer_b has three times outer_a's time; +-15 points is more than 5 sigma of 100 samples
right=('leaf:chain_leaf<chain_middle<chain_outer_b<main>=60' 'chain_leaf<chain_middle<chain_outer_b<main<=90'
    'chain_leaf<chain_middle<chain_outer_a<main>=10' 'chain_leaf>=95')

# --- frame pointers and .symtab
compile chain "${FP[@]}"
start_target "$W/chain"
look "C with frame pointers" "${right[@]}"

# --- stripped: no names, but the file, and never the name of a neighbour
compile stripped "${FP[@]}" -Wl,--export-dynamic
strip "$W/stripped"
start_target "$W/stripped"
look "stripped" 'chain_leaf<=0' "at:$W/stripped" 'main>=90' "only:main|\[kernel\]|__libc_start_.*|_start|$W/stripped@.*|.*libc.*@.*|\[truncated\]"

# --- a library: its .symtab; stripped, its .dynsym
cc "${FP[@]}" -shared -fPIC -o "$W/lib.so" "$N/lib.c" || fail "lib.c"
cp "$W/lib.so" "$W/small.so"
strip "$W/small.so"
cc "${FP[@]}" -o "$W/user" -x c - -x none "$W/lib.so" "-Wl,-rpath,$W" <<<'void spin(void); int main(void) { for (;;) spin(); }'
start_target "$W/user"
look "a library" 'leaf:inner<spin<main>=90'
mv "$W/small.so" "$W/lib.so"
start_target "$W/user"
look "a stripped library" 'leaf:inner<=0' 'neighbour<=0' 'spin<main>=90' "at:$W/lib.so"

# --- no frame pointers: the leaf is right, what follows is short and no garbage
compile omit -O2 -fomit-frame-pointer
start_target "$W/omit"
look "no frame pointers" 'leaf:chain_leaf>=90' 'depth<=8' "only:chain_.*|main|\[kernel\]|\[truncated\]|_start|__libc_start_.*|.*@.*"

# --- the vDSO: its function, the C library's of the same name (which has no frame pointer, so that
# clock_loop() is passed over), and on
start_target "$W/chain" clock
look "vDSO" 'leaf:clock_gettime<clock_gettime>=50' 'main>=80'

# --- files that are gone
cp "$W/chain" "$W/gone"
start_target "$W/gone" delete
[ ! -e "$W/gone" ] || fail "it is still there"
look "a deleted program" "${right[@]}"
cp "$W/chain" "$W/again"
start_target "$W/again"
rm "$W/again"
cp "$W/stripped" "$W/again"
look "a replaced program" "${right[@]}"
cc "${FP[@]}" -shared -fPIC -o "$W/lib.so" "$N/lib.c"
start_target "$W/chain" lib "$W/lib.so"
look "a deleted library" 'neighbour<=0' "at:$W/lib.so"

# --- static, static-PIE, through ld.so
compile static "${FP[@]}" -DNO_DLOPEN -static -no-pie
start_target "$W/static"
look "static" "${right[@]}"
compile static-pie "${FP[@]}" -DNO_DLOPEN -static-pie
start_target "$W/static-pie"
look "static-PIE" "${right[@]}"
loader=$(python3 -c 'import sys; d = open(sys.argv[1], "rb").read(); i = d.index(b"/ld-linux"); s = d.rindex(b"\0", 0, i); print(d[s + 1:d.index(b"\0", i)].decode())' "$W/chain")
start_target "$loader" "$W/chain"
look "through ld.so" "${right[@]}"

# --- another mount namespace and another root: the file is there only
if unshare -m true 2>/dev/null; then
    mkdir "$W/jail"
    cp "$W/static" "$W/inside"
    start_target unshare -m sh -c "mount -t tmpfs none '$W/jail' && cp '$W/inside' '$W/jail/chain' && exec chroot '$W/jail' /chain"
    wait_for 10 grep -q chain "/proc/$TARGET_PID/comm" || fail "not in its root"
    [ ! -e "$W/jail/chain" ] || fail "it can be seen from here"
    look "another root" "${right[@]}"
fi

# --- Go and C in one program
for link in internal external; do
    bin=$(CGO_ENABLED=1 "$ROOT/tests/targets/build_go.sh" local cgo "cgo-$link" "-ldflags=-linkmode $link")
    [ $? != 77 ] || break
    [ -x "$bin" ] || fail "cgo $link does not build"
    start_target "$bin"
    look "cgo, $link" 'leaf:main.goLeaf<main.goCaller<main.main>=15' 'leaf:c_leaf<c_entry>=25' 'runtime.asmcgocall<runtime.cgocall<main._Cfunc_c_entry<main.cCaller<main.main>=25'
done
bin=$(CGO_ENABLED=1 "$ROOT/tests/targets/build_go.sh" local goshares goshares-external '-ldflags=-linkmode external -s -w')
if [ -x "$bin" ]; then
    start_target "$bin" -seconds 30
    sleep 1
    look "external linkmode, stripped" 'main.work<runtime.goexit>=80'
fi

# --- the kernel's part: one frame, or none when that is asked for
if [ "$(id -u)" = 0 ]; then
    start_target "$W/chain" syscall
    look "kernel" 'leaf:[kernel]>=20' 'syscall<main>=50'
    start_target "$W/chain" syscall
    start_pillion
    get '/debug/pprof/profile?seconds=2&kernel=0'
    wants 200 "kernel=0"
    python3 "$ROOT/tests/e2e/chains.py" "$BODY" '[kernel]<=0' || fail "kernel=0"
    stop_pillion
fi
echo "$CHECKS checks"
