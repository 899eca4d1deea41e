#!/bin/bash
# Hostile targets (see 54-hostile.sh) one after the other at one endpoint: the same sampler outlives
# them all, in bounded memory; and one that dies all the same is said and comes back.
# long: 60 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 curl cc
need_perf
[ "$(uname -m)" = x86_64 ] || skip "the hostile targets are written for x86-64"
H=$ROOT/tests/targets/hostile
W=$TMP/w
mkdir -p "$W"
PPROF=$(go tool -n pprof 2>/dev/null) && export PPROF
SLACK=10 RSS_KIB=200000
case $BUILD in *asan*) SLACK=30 RSS_KIB=1200000 ;; esac
began=$SECONDS
name=ho$$ # as it is looked for
cc -O1 -g0 -static -nostdlib -no-pie -fno-pie -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer \
    -fno-stack-protector -fcf-protection=none -o "$W/bare" "$H/bare.c" || fail "bare.c"
end_target() { kill -9 "$TARGET_PID" 2>/dev/null; wait "$TARGET_PID" 2>/dev/null; }

printf 'limits: {min_interval: 0s}\nadmin: {tls: off}\n' >"$TMP/pillion.yaml"
cp "$W/bare" "$W/$name"
start_target "$W/$name"
PLAIN=1 start_pillion --config "$TMP/pillion.yaml" --process "$name"
end_target
sampler=$(pgrep -P "$PID" -f pillion-sampler)
sees() { curl -s -m 2 -H "Authorization: Bearer $TOKEN" "$URL/api/v1/status" | grep -q "\"pid\":$TARGET_PID,"; }
for c in sections-of-random-bytes symtab-of-2-63-bytes symbols-5-million names-of-10-mb names-not-utf8 \
    dynamic-that-lies go-plain go-inline-cycle go-names-in-a-hole go-steps-that-stand-still \
    go-functab-goes-round go-version-not-text go-sections-of-random-bytes; do
    python3 "$H/forge.py" "$W/bare" "$W/elf" "$c" >/dev/null || fail "forge $c"
    mv "$W/elf/$c/hostile" "$W/$name"
    start_target "$W/$name"
    wait_for 10 sees || fail "endpoint $c: the target was not found"
    at=$SECONDS
    get '/debug/pprof/profile?seconds=1' -m 120
    [ $((SECONDS - at)) -le $((4 * SLACK)) ] || fail "endpoint $c: $((SECONDS - at)) s"
    wants 200 "endpoint $c"
    python3 "$ROOT/tests/e2e/hostile.py" judge "endpoint $c" "$BODY" || fail "endpoint $c"
    get /debug/pprof/cmdline
    [ "$STATUS" = 200 ] || [ "$STATUS" = 403 ] || fail "endpoint $c: cmdline $STATUS"
    end_target
    rm -rf "$W/elf"
done
[ "$(pgrep -P "$PID" -f pillion-sampler)" = "$sampler" ] || fail "the sampler died"
rss=$(awk '/VmHWM/ {print $2}' "/proc/$sampler/status")
[ "$rss" -le "$RSS_KIB" ] || fail "the sampler grew to $rss KiB"
ok "the endpoint: the same sampler to the end, $rss KiB at most"

# --- a sampler that dies all the same: 503 with the reason, and back
cp "$W/bare" "$W/again" && mv "$W/again" "$W/$name"
start_target "$W/$name"
wait_for 10 sees || fail "the target was not found"
(sleep 1 && kill -SEGV "$sampler") &
get '/debug/pprof/profile?seconds=5' -m 60
wants 503 "the sampler dies during a profile"
is_error "503"
is_back() { get '/debug/pprof/profile?seconds=1' -m 60 && [ "$STATUS" = 200 ]; }
wait_for 20 is_back || fail "no profile any more: $STATUS"
ok "back after the sampler's death"
echo "$CHECKS checks in $((SECONDS - began)) s"
