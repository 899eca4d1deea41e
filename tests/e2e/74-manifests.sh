#!/bin/bash
# The manifests of k8s/ fit the programs: their configurations are accepted, their arguments are known,
# the sidecar is the same one in each of them, the seccomp profile has each call of our own filters, and
# kustomize puts the sidecar where it belongs. `make test-k8s` adds what wants helm and the API server's
# own schemas and admission code; tests/e2e/75-metrics.sh has the alerts and the dashboard.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3
TOOL=$BUILD/tools/yaml2json
[ -x "$TOOL" ] || skip "make tools has not been run"
check() { # VERB ARG...: tests/e2e/k8s_check.py
    python3 "$ROOT/tests/e2e/k8s_check.py" "$TOOL" "$BUILD/pillion" "$@" 2>"$TMP/why" || fail "$1: $(tail -n 1 "$TMP/why")"
}

check manifests "$ROOT"/k8s/*.yaml
check patch "$ROOT/k8s/component/sidecar.yaml"
"$BUILD/pillion" check --config "$ROOT/k8s/component/pillion.yaml" >"$TMP/checked" 2>&1 || fail "component: $(tail -n 3 "$TMP/checked")"
ok "k8s/*.yaml: the objects, the sidecars in them, their configurations"
check chart "$ROOT/k8s/helm/pillion"
ok "the chart: values, schema and templates know the same names"
check injected "$ROOT/tests/k8s/injected.json"
ok "what the admission policy made of Pods is what it is now, and right"
check text "$ROOT/docs/kubernetes.md"
ok "the configurations in docs/kubernetes.md"

# ---- and the checks find what is wrong
wrong() { # WORD FILE SED...: refused for that
    local word=$1 file=$2
    shift 2
    mkdir -p "$TMP/wrong"
    sed "$@" "$ROOT/k8s/$file" >"$TMP/wrong/$file"
    ! cmp -s "$ROOT/k8s/$file" "$TMP/wrong/$file" || fail "nothing was changed in $file: $*"
    python3 "$ROOT/tests/e2e/k8s_check.py" "$TOOL" "$BUILD/pillion" manifests "$TMP/wrong/$file" 2>"$TMP/why" && fail "$file is accepted: $*"
    grep -q "$word" "$TMP/why" || fail "$file, $*: $(tail -n 1 "$TMP/why")"
}
wrong startupProbe native.yaml 's|startupProbe: {httpGet: {path: /livez|startupProbe: {httpGet: {path: /readyz|'
wrong capabilities native.yaml 's/drop: \[ALL\]}$/drop: [NET_RAW]}/'
wrong "grace period" native.yaml 's/terminationGracePeriodSeconds: 30/terminationGracePeriodSeconds: 10/'
wrong "pillion check" native.yaml 's/    drain: 10s/    drian: 10s/'
wrong "not the sidecar of native" job.yaml 's/periodSeconds: 10, timeoutSeconds: 3/periodSeconds: 9, timeoutSeconds: 3/'
wrong "another policy" policy.yaml 's/policyName: pillion-inject/policyName: other/'
wrong brackets policy.yaml 's/value: {}}\]/value: {}]/'
ok "what is wrong is found"

python3 - "$ROOT" <<'PY' || fail "k8s/seccomp.json"
import json, re, sys
root = sys.argv[1]
rules = json.load(open(root + "/k8s/seccomp.json"))
assert rules["defaultAction"] == "SCMP_ACT_ERRNO"
allowed = {n for r in rules["syscalls"] if r["action"] == "SCMP_ACT_ALLOW" for n in r["names"]}
source = open(root + "/base/seccomp.c").read()
own = set(re.findall(r"\bSYS_([a-z0-9_]+)", source)) - {"io_uring_setup", "sched_setattr"}  # done without
assert not own - allowed, "our filter has what the profile refuses: %s" % sorted(own - allowed)
for dear in "mount", "bpf", "unshare", "setns", "init_module", "keyctl", "io_uring_setup", "userfaultfd":
    assert dear not in allowed, dear
for needed in "perf_event_open", "process_vm_readv", "pidfd_open", "execve", "landlock_create_ruleset":
    assert needed in allowed, needed
# functions that are a system call by their name, of the programs as they are shipped
import os, subprocess
names = set(re.findall(r'"([a-z0-9_]+)"', open(root + "/build/gen/base/syscall_names.inc").read())) - {"clone"}
for program in "pillion", "pillion-guard", "pillion-sampler", "pillion-sidecar":
    path = root + "/build/release/" + program
    if not os.path.exists(path):
        continue
    nm = subprocess.run(["nm", "-D", "-u", path], stdout=subprocess.PIPE, check=True).stdout.decode()
    used = {l.split()[-1].split("@")[0] for l in nm.splitlines()} & names
    assert len(used) > 5 and not used - allowed, "%s calls what the profile refuses: %s" % (program, sorted(used - allowed))
PY
ok "k8s/seccomp.json"

for file in $(grep -oE '`(k8s|docs)/[a-z/.]*`' "$ROOT/docs/kubernetes.md" | tr -d '`' | sort -u); do
    [ -e "$ROOT/$file" ] || fail "docs/kubernetes.md names $file"
done
ok "the files that docs/kubernetes.md names"

render=""
if command -v kustomize >/dev/null; then render="kustomize build"; elif command -v kubectl >/dev/null; then render="kubectl kustomize"; fi
if [ -n "$render" ]; then
    mkdir "$TMP/overlay" && cp -r "$ROOT/k8s/component" "$TMP/overlay/"
    printf 'resources: [app.yaml]\ncomponents: [component]\n' >"$TMP/overlay/kustomization.yaml"
    cat >"$TMP/overlay/app.yaml" <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: with, labels: {pillion: inject}}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {initContainers: [{name: first, image: f}], containers: [{name: web, image: web}], volumes: [{name: own, emptyDir: {}}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: without}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: web, image: web}]}}}
Y
    $render "$TMP/overlay" >"$TMP/overlaid" 2>"$TMP/err" || fail "kustomize: $(cat "$TMP/err")"
    [ "$(grep -c 'image: registry.example/pillion' "$TMP/overlaid")" = 1 ] || fail "kustomize put it into another number of Pods than one"
    [ "$(grep -c 'shareProcessNamespace: true' "$TMP/overlaid")" = 1 ] || fail "no shared PID namespace"
    [ "$(grep -c 'image: f$' "$TMP/overlaid")" = 1 ] || fail "the other init container is gone"
    grep -q 'kind: Any' "$TMP/overlaid" && fail "kustomize renamed the kind"
    check rendered restricted "$TMP/overlaid"
    ok "kustomize: the labelled Deployment, and no other"
fi
echo "$CHECKS checks"
