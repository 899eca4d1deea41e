#!/bin/bash
# A real Pod (podman kube play, runc): the image beside a target in a shared PID namespace. Full mode
# by file capabilities alone, under our seccomp profile, within 32 MiB and a tenth of a CPU; restricted
# mode under the runtime's own; the target's container restarted; the health port; one-shots as
# `kubectl debug` starts them; the last profile at the end. NEEDSWORK: hostNetwork, so that no network
# plugin is needed; podman 4.3 knows no native sidecar.
# long: 90 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need podman runc python3 curl go
[ "$(id -u)" = 0 ] || skip "needs root for a Pod with rights"
find /usr/bin/catatonit /usr/libexec/podman/catatonit -maxdepth 0 2>/dev/null | grep -q . || skip "catatonit is not installed"

here=$ROOT/tests/e2e/pod
name=pod$$ demo=demo$$
cat >"$TMP/containers.conf" <<C
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "kubelike"
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
kubelike = ["$here/runtime.py"]
C
cat >"$TMP/storage.conf" <<C
[storage]
driver = "vfs"
graphroot = "$TMP/storage"
runroot = "$TMP/run"
C
export CONTAINERS_CONF=$TMP/containers.conf CONTAINERS_STORAGE_CONF=$TMP/storage.conf
unplay() {
    podman pod rm -f -t 5 "$name" "${name}r" >/dev/null 2>&1
    podman rm -f -t 1 "$name-alone" >/dev/null 2>&1
    podman rmi -fa >/dev/null 2>&1
    cleanup
}
trap unplay EXIT

# ---- the image, twice the same; and the demo as another
SOURCE_DATE_EPOCH=$(git -C "$ROOT" log -1 --format=%ct)
export SOURCE_DATE_EPOCH # a commit may come meanwhile
make -C "$ROOT" -j"$(nproc)" --no-print-directory image >"$TMP/make.log" 2>&1 || fail "make image: $(tail -n 5 "$TMP/make.log")"
digest=$(cat "$ROOT/build/image/digest")
make -C "$ROOT" --no-print-directory STATIC=1 image-pack IMAGE="$TMP/again" >"$TMP/again.log" || fail "a second image"
[ "$digest" = "$(cat "$TMP/again/digest")" ] || fail "two images of the same programs differ"
cmp -s "$ROOT/build/image/pillion.oci.tar" "$TMP/again/pillion.oci.tar" || fail "two archives differ"
python3 - "$TMP/again/pillion.spdx.json" "$digest" <<'PY' || fail "the SBOM"
import json, sys
d = json.load(open(sys.argv[1]))
assert d["spdxVersion"] == "SPDX-2.3" and d["packages"][0]["checksums"][0]["checksumValue"] in sys.argv[2]
names = {p["name"]: p for p in d["packages"]}
for want in "libc6-dev", "libmbedtls-dev", "libuv1-dev", "zlib1g-dev", "ca-certificates":
    assert names[want]["versionInfo"] and names[want]["externalRefs"], want
ids = {e["SPDXID"] for e in d["packages"] + d["files"]} | {"SPDXRef-DOCUMENT"}
import re
assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i) for i in ids), ids
assert {f["fileName"] for f in d["files"]} == {"/pillion", "/pillion-guard", "/pillion-sampler", "/pillion-sidecar",
                                              "/etc/ssl/certs/ca-certificates.crt"}
assert all(r["spdxElementId"] in ids and r["relatedSpdxElement"] in ids for r in d["relationships"])
PY
ok "image: $(tail -n 1 "$TMP/again.log" | cut -c1-100)"
podman load -q -i "$ROOT/build/image/pillion.oci.tar" >"$TMP/load.log" 2>&1 || skip "podman does not work here: $(tail -n 1 "$TMP/load.log")"
[ "$(podman image inspect -f '{{.Digest}}' localhost/pillion:dev)" = "$digest" ] || fail "podman sees another digest"
podman image inspect localhost/pillion:dev >"$TMP/inspect" || fail "podman image inspect"
python3 - "$TMP/inspect" "$("$ROOT/build/static/pillion" version | cut -d' ' -f2)" <<'PY' || fail "what the image says of itself"
import json, sys
i = json.load(open(sys.argv[1]))[0]
c, label = i["Config"], "org.opencontainers.image."
assert (c["User"], c["Entrypoint"], c["Cmd"]) == ("65532:65532", ["/pillion-guard"], ["run"]), c
assert c["Labels"][label + "title"] == "pillion" and c["Labels"][label + "version"] == sys.argv[2], c["Labels"]
assert len(c["Labels"][label + "revision"]) == 40 and c["Labels"][label + "created"] == i["Created"], i["Created"]
PY
if command -v skopeo >/dev/null; then # the same image for others, as another kind of archive
    [ "$(skopeo inspect -f '{{.Digest}}' "oci-archive:$ROOT/build/image/pillion.oci.tar")" = "$digest" ] || fail "skopeo sees another digest"
    skopeo copy -q "oci-archive:$ROOT/build/image/pillion.oci.tar" "docker-archive:$TMP/docker.tar:localhost/$name:docker" >/dev/null || fail "skopeo copy"
    podman load -q -i "$TMP/docker.tar" >/dev/null 2>&1 || fail "podman load of docker's form"
    rm "$TMP/docker.tar"
    ok "skopeo: the same digest, and docker's archive of it loads"
fi
podman tag localhost/pillion:dev "localhost/$name:dev"
timeout 60 podman run --rm --net host --entrypoint /pillion "localhost/$name:dev" version >"$TMP/version" 2>&1 ||
    skip "no container can be started here: $(tail -n 1 "$TMP/version")"
go_target local goruntime goruntime-local-stripped '-ldflags=-s -w'
built=$GO_TARGET
mkdir "$TMP/demo" && cp "$built" "$TMP/demo/$demo"
tar -C "$TMP/demo" -c "$demo" | podman import -q -c "ENTRYPOINT [\"/$demo\", \"-alloc\", \"1\"]" - "localhost/$demo:dev" >/dev/null 2>&1 || fail "podman import"

mkdir "$TMP/config"
cat >"$TMP/config/pillion.yaml" <<C
admin: {listen: ["127.0.0.1:0"]}
health: {listen: ["127.0.0.1:0"]}
limits: {min_interval: 0s}
log: {format: json}
C
{
    cat "$TMP/config/pillion.yaml"
    cat <<C
collect: {every: 12s, profiles: [{type: cpu, seconds: 8}]}
spool: {dir: /out/spool}
forward: [{name: files, type: directory, path: /out/profiles}]
C
} >"$TMP/config/forward.yaml"
chmod -R a+rX "$TMP" && chmod 755 "$TMP"
mkdir -m 700 "$TMP/out" && chown 65532:65532 "$TMP/out"

play() { # MANIFEST POD: waits for the ready line; sets CTR, URL, HEALTH, TOKEN
    sed "s|CONFIG|$TMP/config|; s|OUT|$TMP/out|; s|localhost/NAME|localhost/$name|; s|name: NAME|name: $2|; s|DEMO|$demo|g" "$here/$1" >"$TMP/$1"
    timeout 60 podman kube play --seccomp-profile-root "$ROOT/k8s" "$TMP/$1" >"$TMP/play.log" 2>&1 ||
        fail "kube play: $(tail -n 3 "$TMP/play.log")"
    CTR=$2-pillion LOG=$TMP/$2.log OUT=$TMP/$2.out
    wait_for 40 pod_is_ready || fail "no ready line: $(podman ps -a --format '{{.Names}} {{.Status}}')"
    ADDRESS=$(log_field ready admin) HEALTH=$(log_field ready health)
    TOKEN=$(sed -n 's|.*any:\([^@]*\)@.*|\1|p' "$OUT" | head -n 1)
    URL=https://$ADDRESS
}
pod_logs() { podman logs "$CTR" >"$OUT" 2>"$LOG"; } # the token is on standard output alone
pod_is_ready() {
    pod_logs
    grep -q '"msg":"ready"' "$LOG"
}
target_pid() {
    get /api/v1/status
    grep -o '"pid":[0-9]*' "$BODY" | head -n 1
}
is_up() { # the containers start in any order
    get /api/v1/status
    grep -q '"state":"up"' "$BODY"
}
mode_is() {
    wait_for 30 is_up || fail "no target: $(head -c 400 "$BODY") $(podman ps -a --format '{{.Names}} {{.Status}}' | tr '\n' ' ')"
    grep -q "\"mode\":\"$1\"" "$BODY" || fail "not mode $1: $(head -c 800 "$BODY")"
}
moved_from() { # OLD: another process is looked at now
    local now
    now=$(target_pid)
    grep -q '"state":"up"' "$BODY" && [ "$now" != "$1" ]
}
cgroup_says() { # NAME-IN-V1 NAME-IN-V2: of the guard's memory cgroup; nothing where it is not to be seen
    local path
    path=$(sed -n 's/^[0-9]*:memory://p' "/proc/$guard/cgroup")
    if [ -n "$path" ]; then
        cat "/sys/fs/cgroup/memory$path/$1"
    else
        cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$guard/cgroup")/$2"
    fi 2>/dev/null
}
pss_kib() { # of all three programs
    local p sum=0 one
    for p in $guard $(pgrep -P "$guard"); do
        one=$(sed -n 's/^Pss: *\([0-9]*\).*/\1/p' "/proc/$p/smaps_rollup")
        sum=$((sum + one))
    done
    echo "$sum"
}
waits_ms() { # until the schedule's next window; 0 while one runs, or is being kept
    get /api/v1/status && python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["collect"][0]["next_ms"])' "$BODY"
}
is_resting() { [ "$(waits_ms)" -gt 0 ]; }
has_begun() { [ "$(waits_ms)" = 0 ]; }
is_healthy() { [ "$(health /readyz)" = 200 ]; }
health() { curl -s -m 10 -o "$BODY" -w '%{http_code}' "http://$HEALTH$1"; }

# ---- full: file capabilities, and nothing else, give the rights
play full.yaml "$name"
mode_is full
grep '"program":"guard"' "$LOG" | grep -q '"capabilities":"PERFMON,SYS_PTRACE"' || fail "the guard holds something else"
guard=$(podman inspect -f '{{.State.Pid}}' "$CTR")
[ "$(sed -n 's/^CapAmb:[[:space:]]*//p' "/proc/$guard/status")" = 0000000000000000 ] || fail "ambient capabilities: no Pod of Kubernetes has them"
[ "$(sed -n 's/^Uid:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$guard/status")" = 65532 ] || fail "not user 65532"
[ "$(sed -n 's/^Seccomp:[[:space:]]*//p' "/proc/$guard/status")" = 2 ] || fail "no seccomp profile"
[ "$(health /readyz)" = 200 ] && [ "$(health /livez)" = 200 ] || fail "the health port"
[ "$(health /debug/pprof/)" != 200 ] || fail "the health port serves profiles"
ok "full mode: user 65532, PERFMON and SYS_PTRACE of the file, no ambient ones, k8s/seccomp.json"

get "/debug/pprof/profile?seconds=2"
[ "$STATUS" = 200 ] && is_gzip || fail "profile: $STATUS $(head -c 300 "$BODY")"
go tool pprof -top "$BODY" >"$TMP/top" 2>/dev/null || fail "pprof cannot read it"
grep -q 'main\.' "$TMP/top" || fail "no function of the target: $(head "$TMP/top")"
for path in "goroutine?debug=1" heap "goroutine?debug=2" allocs; do
    get "/debug/pprof/$path"
    [ "$STATUS" = 200 ] || fail "$path: $STATUS $(head -c 300 "$BODY")"
done
ok "a CPU profile and the goroutines of another user's process: $(sed -n 's/.*\(main\.[a-zA-Z.()*]*\).*/\1/p' "$TMP/top" | head -n 1)"

[ "$(cgroup_says memory.limit_in_bytes memory.max)" = 33554432 ] || [ -z "$(cgroup_says memory.limit_in_bytes memory.max)" ] ||
    fail "the limit of 32 MiB is not there: $(cgroup_says memory.limit_in_bytes memory.max)"
[ "$(pss_kib)" -le 24576 ] || fail "PSS $(pss_kib) KiB"
[ "$(podman inspect -f '{{.State.OOMKilled}}' "$CTR")" = false ] || fail "killed for its memory"
ok "in 32 MiB and a tenth of a CPU: PSS $(pss_kib) KiB, $(cgroup_says memory.max_usage_in_bytes memory.peak) bytes at most with the page cache"

old=$(target_pid)
podman restart -t 2 "$name-server" >/dev/null 2>&1 || fail "podman restart"
wait_for 30 moved_from "$old" || fail "the restarted container is not followed: $(head -c 300 "$BODY")"
wait_for 20 is_healthy || fail "not ready after the restart"
get "/debug/pprof/profile?seconds=1"
[ "$STATUS" = 200 ] || fail "profile after the restart: $STATUS $(head -c 300 "$BODY")"
ok "the target's container restarted: $old, then $(target_pid)"

# ---- the same image for one look, as `kubectl debug --profile=restricted` starts it
once() { # POD VERB...
    local pod=$1
    shift
    timeout 60 podman run --rm --pod "$pod" --user "${AS:-65532}:${AS:-65532}" --cap-drop all --security-opt no-new-privileges \
        --entrypoint /pillion "localhost/$name:dev" "$@" >"$TMP/once" 2>"$TMP/once.err"
}
! once "$name" record --process "$demo" --seconds 1 -o - || fail "another user's process without rights"
grep -q 'uid 12345, we are 65532' "$TMP/once.err" && grep -q seccomp "$TMP/once.err" || fail "it does not say why: $(cat "$TMP/once.err")"
ok "one-shot without rights says: $(tail -n 1 "$TMP/once.err" | cut -c1-160)"

# 8 s long: one that has just begun is still running when the container is told to stop
wait_for 40 is_resting || fail "the schedule's profile has no end: $(head -c 600 "$BODY")"
wait_for 40 has_begun || fail "the schedule takes no profile: $(head -c 600 "$BODY")"
sleep 1
touch "$TMP/stopping"
podman stop -t 20 "$CTR" >/dev/null 2>&1
pod_logs
find "$TMP/out/profiles" -name '*-cpu-*.pb.gz' -newer "$TMP/stopping" | grep -q . || fail "the window that ran was not sent: $(find "$TMP/out" -type f | tail -n 5)"
ok "stopped: the window that ran is in the folder, beside $(find "$TMP/out/profiles" -name '*.pb.gz' ! -newer "$TMP/stopping" | wc -l) before it"
[ "$(podman inspect -f '{{.State.ExitCode}}' "$CTR")" = 0 ] || fail "exit $(podman inspect -f '{{.State.ExitCode}}' "$CTR")"
no_secret "$TOKEN"
podman pod rm -f -t 5 "$name" >/dev/null 2>&1
grep -q '"msg":"draining"' "$LOG" && grep -q '"msg":"ended"' "$LOG" || fail "no last words"
ok "stopped: exit 0; last words: $(grep -v '"audit"' "$LOG" | tail -n 1 | cut -c1-200)"

# ---- restricted: nothing but the same user
play restricted.yaml "${name}r"
mode_is restricted
get "/debug/pprof/profile?seconds=1"
[ "$STATUS" = 501 ] || fail "profile: $STATUS instead of 501"
says seccomp
ok "restricted: $(head -c 200 "$BODY")"
for path in goroutine heap; do
    get "/debug/pprof/$path"
    [ "$STATUS" = 200 ] && is_gzip || fail "$path: $STATUS $(head -c 300 "$BODY")"
    go tool pprof -top -sample_index=0 "$BODY" 2>/dev/null | grep -q 'main\.' || fail "$path: no function of the target's"
done
get "/debug/pprof/wall?seconds=1"
[ "$STATUS" = 200 ] && go tool pprof -top "$BODY" 2>/dev/null | grep -q 'runtime\.' || fail "wall: $STATUS $(head -c 300 "$BODY")"
get /metrics
[ "$STATUS" = 200 ] && grep -q '^pillion_target_go_goroutines [1-9]' "$BODY" || fail "metrics: $STATUS $(head -c 300 "$BODY")"
[ "$(health /readyz)" = 200 ] && [ "$(health /metrics)" = 200 ] || fail "the health port: $(head -c 300 "$BODY")"
ok "restricted: goroutines, heap, a wall-clock profile and counters of the only other application"
once "${name}r" dump --process "$demo" || fail "dump: $(cat "$TMP/once.err")"
grep -q 'main\.' "$TMP/once" || fail "dump shows no function of the target: $(head "$TMP/once")"
ok "one-shot: pillion dump of the same user's process"
! AS=12345 once "${name}r" dump --process "$demo" || fail "another user reads it"
grep -q 'uid 65532, we are 12345' "$TMP/once.err" || fail "it does not say why: $(cat "$TMP/once.err")"
ok "a wrong user is told: $(tail -n 1 "$TMP/once.err" | cut -c1-200)"

# ---- without a Pod's shared namespace: joined to the target's own, where it is pid 1
joined() { # SECCOMP VERB...
    local seccomp=$1
    shift
    timeout 60 podman run --rm --net host --pid "container:$name-alone" --user 65532:65532 --cap-drop all --read-only \
        --security-opt no-new-privileges $seccomp --entrypoint /pillion "localhost/$name:dev" "$@" >"$TMP/once" 2>"$TMP/once.err"
}
podman run -d --name "$name-alone" --net host --user 65532:65532 --cap-drop all "localhost/$demo:dev" >/dev/null 2>"$TMP/once.err" || fail "podman run: $(cat "$TMP/once.err")"
joined "" dump --pid 1 || fail "dump of pid 1: $(cat "$TMP/once.err")"
grep -q 'main\.' "$TMP/once" || fail "dump of pid 1 shows no function of the target: $(head "$TMP/once")"
joined "" record --pid 1 --seconds 2 --ptrace -o - || fail "record --ptrace of pid 1: $(cat "$TMP/once.err")"
go tool pprof -top "$TMP/once" 2>/dev/null | grep -q 'main\.' || fail "record --ptrace of pid 1: no function of the target"
joined "--security-opt seccomp=$ROOT/k8s/seccomp.json" record --pid 1 --seconds 2 -o - || fail "record of pid 1: $(cat "$TMP/once.err")"
go tool pprof -top "$TMP/once" 2>/dev/null | grep -q 'main\.' || fail "record of pid 1: no function of the target"
ok "kubectl debug --target: dump, record and record --ptrace of pid 1, the profile on standard output"
echo "$CHECKS checks"
