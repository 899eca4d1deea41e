#!/bin/bash
# Hostile targets: tables that lie, files that change while they are read, stacks and registers that
# point anywhere. Each profile ends in time, in bounded memory, as a valid profile or an error of one
# line, and the sampler lives. CASES="NAME…" for some of them.
# long: 90 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 curl cc
need_perf
[ "$(uname -m)" = x86_64 ] || skip "the hostile targets are written for x86-64"
H=$ROOT/tests/targets/hostile
W=$TMP/w
mkdir -p "$W"
PPROF=$(go tool -n pprof 2>/dev/null) && export PPROF
SLACK=10 RSS_KIB=200000 # beyond the profile's own seconds; of the sampler, at its peak
case $BUILD in *asan*) SLACK=30 RSS_KIB=1200000 ;; esac # shadow memory, and what is freed is kept
began=$SECONDS

cc -O1 -g0 -static -nostdlib -no-pie -fno-pie -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer \
    -fno-stack-protector -fcf-protection=none -o "$W/bare" "$H/bare.c" || fail "bare.c"
cc -O1 -g -Wall -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -pthread -o "$W/abuse" "$H/abuse.c" -ldl ||
    fail "abuse.c"
cc -O1 -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -shared -fPIC -o "$W/lib.so" "$H/lib.c" || fail "lib.c"

wanted() { [ -z "${CASES:-}" ] || [[ " $CASES " == *" $1 "* ]]; }
end_target() { kill -9 "$TARGET_PID" 2>/dev/null; wait "$TARGET_PID" 2>/dev/null; }

attack() { # NAME SECONDS [RECORD-ARG... --] COMMAND...: profile COMMAND with `pillion record`
    local name=$1 seconds=$2 args=()
    shift 2
    if [[ " $* " == *" -- "* ]]; then
        while [ "$1" != -- ]; do args+=("$1") && shift; done
        shift
    fi
    wanted "$name" || return 0
    start_target "$@"
    sleep 0.3
    python3 "$ROOT/tests/e2e/hostile.py" record "$name" "$BUILD/pillion" "$W/p.pb.gz" $((seconds + SLACK)) \
        "$RSS_KIB" --pid "$TARGET_PID" --seconds "$seconds" "${args[@]}" || fail "$name"
    CHECKS=$((CHECKS + 1))
    end_target
}

# --- files whose headers, symbols and Go tables lie: five at a time, as most of each is waiting
forged() { # NAME
    local dir=$W/elf-$1 target rc
    python3 "$H/forge.py" "$W/bare" "$dir" "$1" >/dev/null || return 1
    "$dir/$1/hostile" >/dev/null 2>&1 &
    target=$!
    sleep 0.3
    python3 "$ROOT/tests/e2e/hostile.py" record "$1" "$BUILD/pillion" "$dir/p.pb.gz" $((1 + SLACK)) \
        "$RSS_KIB" --pid "$target" --seconds 1
    rc=$?
    kill -0 "$target" || { echo "$1: the target did not stay" && rc=1; }
    { kill -9 "$target"; wait "$target"; } 2>/dev/null
    rm -rf "$dir"
    return $rc
}
running=0 bad=0
reap() {
    wait -n || bad=1
    running=$((running - 1)) CHECKS=$((CHECKS + 1))
}
for c in $(python3 "$H/forge.py"); do
    wanted "$c" || continue
    [ "$running" -lt 5 ] || reap
    forged "$c" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do reap; done
[ "$bad" = 0 ] || fail "forged files: see above"
ok "forged files"

# --- stacks
for c in loop wild code sp; do attack "stack-$c" 1 "$W/abuse" "$c"; done
attack stack-deep 6 --hz 1000 -- "$W/abuse" deep
wanted stack-deep && { python3 "$ROOT/tests/e2e/hostile.py" judge stack-deep "$W/p.pb.gz" | grep -q ' samples, leaf .burn_at' ||
    fail "deep: no leaf"; }
ok "frame pointers and stack pointers of every kind"

# --- mappings: 70,000 where the kernel lets us
limit=/proc/sys/vm/max_map_count
before=$(cat $limit)
[ "$before" -gt 75000 ] || { [ -w $limit ] && wanted maps && echo 80000 >$limit; }
attack maps 1 "$W/abuse" maps 70000
[ "$(cat $limit)" = "$before" ] || echo "$before" >$limit
mkdir "$W/files"
attack files 2 "$W/abuse" files "$W/files" 1200 50000
rm -rf "$W/files"
ok "many mappings, many files"

# --- many libraries with more symbols than memory should hold
if wanted libs; then
    python3 "$H/forge.py" "$W/lib.so" "$W/elf" symbols-5-million >/dev/null || fail "forge a library"
    mkdir "$W/libs"
    mv "$W/elf/symbols-5-million/hostile" "$W/libs/1.so"
    for i in 2 3 4 5 6; do cp "$W/libs/1.so" "$W/libs/$i.so"; done
    attack libs 2 "$W/abuse" libs "$W"/libs/*.so
    rm -rf "$W/libs" "$W/elf"
    ok "libraries of five million symbols each"
fi

# --- files that change while they are read
{ cat "$W/lib.so" && head -c 3000000 /dev/urandom; } >"$W/cut.so"
attack truncate 2 "$W/abuse" truncate "$W/cut.so"
cp "$W/lib.so" "$W/new.so"
attack replace 2 "$W/abuse" replace "$W/new.so"
for other in fifo device symlink bigger; do
    cp "$W/lib.so" "$W/$other.so"
    case $other in
    fifo) mkfifo "$W/other" ;;
    device) mknod "$W/other" c 1 5 2>/dev/null || continue ;;
    symlink) ln -s /dev/zero "$W/other" ;;
    bigger) cp "$W/cut.so" "$W/other" ;;
    esac
    attack "now-a-$other" 1 "$W/abuse" swap "$W/$other.so" "$W/other"
    rm -f "$W/other" "$W/$other.so"
done
if wanted other-device && unshare -m true 2>/dev/null; then
    mkdir "$W/dev" && cp "$W/lib.so" "$W/dev/"
    attack other-device 1 unshare -m "$W/abuse" over "$W/dev/lib.so" "$W/dev" "$W/cut.so"
fi
ok "files that are cut, replaced, no files any more"

# --- names
mkdir "$W/names" && cp "$W/lib.so" "$W/names/"
attack names 1 "$W/abuse" names "$W/names"
ugly=$(printf '\033[31m\001\n\377%.0s' {1..12000})
attack title 1 "$W/abuse" title "$ugly" "$ugly" "$ugly" "$ugly" "$ugly" "$ugly" "$ugly" "$ugly" "$ugly" "$ugly" "$ugly"
ok "names of files and processes"

# --- R14 of a Go program, and labels that are lies
for v in 1.22.12 local; do
    bin=$("$ROOT/tests/targets/build_go.sh" $v hostile/r14 r14-$v) || continue
    attack "r14-$v" 3 "$bin"
done
ok "R14 and labels"

echo "$CHECKS checks in $((SECONDS - began)) s"
