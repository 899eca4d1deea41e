#!/bin/bash
# The manifests of k8s/ fit the programs: their configurations are accepted, their arguments are known,
# their alerts ask for metrics that exist, the seccomp profile has each call of our own filters, and
# kustomize puts the sidecar where it belongs.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 awk

configurations=0
for file in "$ROOT"/k8s/*.yaml; do # what a ConfigMap holds, as `data: {pillion.yaml: |`
    awk '/^  pillion.yaml: \|/ {on = 1; next} /^[^ ]/ {on = 0} on {print substr($0, 5)}' "$file" >"$TMP/pillion.yaml"
    [ -s "$TMP/pillion.yaml" ] || continue
    "$BUILD/pillion" check --config "$TMP/pillion.yaml" >"$TMP/checked" 2>&1 || fail "$file: $(tail -n 3 "$TMP/checked")"
    configurations=$((configurations + 1))
done
"$BUILD/pillion" check --config "$ROOT/k8s/component/pillion.yaml" >"$TMP/checked" 2>&1 || fail "component: $(tail -n 3 "$TMP/checked")"
[ "$configurations" = 3 ] || fail "$configurations configurations in k8s/, not 3"
ok "the configurations are accepted"

for name in $(grep -oh 'pillion_[a-z_]*' "$ROOT"/k8s/*.yaml "$ROOT/docs/kubernetes.md" | sort -u); do
    grep -qrE "\"(pillion_)?${name#pillion_}[\"{ ]|pillion_${name#pillion_}[ {]|\"${name#pillion_target_}" --include='*.[ch]' "$ROOT/sidecar" "$ROOT/wire" ||
        fail "no such metric: $name"
done
ok "the alerts ask for metrics that exist"

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
PY
ok "k8s/seccomp.json"

for file in $(grep -oE '`(k8s|docs)/[a-z/.]*`' "$ROOT/docs/kubernetes.md" | tr -d '`' | sort -u); do
    [ -e "$ROOT/$file" ] || fail "docs/kubernetes.md names $file"
done
ok "the files that docs/kubernetes.md names"

if command -v kubectl >/dev/null; then
    mkdir "$TMP/overlay" && cp -r "$ROOT/k8s/component" "$TMP/overlay/"
    printf 'resources: [app.yaml]\ncomponents: [component]\n' >"$TMP/overlay/kustomization.yaml"
    cat >"$TMP/overlay/app.yaml" <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: with, labels: {pillion: inject}}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {initContainers: [{name: first, image: f}], containers: [{name: web, image: web}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: without}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: web, image: web}]}}}
Y
    kubectl kustomize "$TMP/overlay" >"$TMP/overlaid" 2>"$TMP/err" || fail "kustomize: $(cat "$TMP/err")"
    [ "$(grep -c 'image: registry.example/pillion' "$TMP/overlaid")" = 1 ] || fail "kustomize put it into another number of Pods than one"
    [ "$(grep -c 'shareProcessNamespace: true' "$TMP/overlaid")" = 1 ] || fail "no shared PID namespace"
    [ "$(grep -c 'image: f$' "$TMP/overlaid")" = 1 ] || fail "the other init container is gone"
    grep -q 'kind: Any' "$TMP/overlaid" && fail "kustomize renamed the kind"
    ok "kustomize: the labelled Deployment, and no other"
fi
echo "$CHECKS checks"
