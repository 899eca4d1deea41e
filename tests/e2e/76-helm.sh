#!/bin/bash
# The Helm chart, rendered: each mode, everything on, everything off, what the schema refuses, and the
# templates in another chart. What comes out has to pass the checks of the plain manifests; with
# K8S_PYTHON (tests/k8s/run.sh sets it) also the API's own schemas.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need helm python3
TOOL=$BUILD/tools/yaml2json CHART=$ROOT/k8s/helm/pillion
[ -x "$TOOL" ] || skip "make tools has not been run"
export HELM_CACHE_HOME=$TMP/cache HELM_CONFIG_HOME=$TMP/config HELM_DATA_HOME=$TMP/data

render() { # CHART ARG...: into $TMP/rendered.yaml
    local chart=$1
    shift
    helm template rel "$chart" --namespace shop --kube-version 1.36.0 "$@" >"$TMP/rendered.yaml" 2>"$TMP/why"
}
rendered() { # MODE CHART ARG...: one sidecar, of that mode
    local mode=$1
    shift
    render "$@" || fail "helm template $*: $(grep -v walk.go "$TMP/why" | tail -n 3)"
    python3 "$ROOT/tests/e2e/k8s_check.py" "$TOOL" "$BUILD/pillion" rendered "$mode" "$TMP/rendered.yaml" 2>"$TMP/why" ||
        fail "$*: $(tail -n 1 "$TMP/why")"
    [ -z "${K8S_PYTHON:-}" ] || "$K8S_PYTHON" "$ROOT/tests/k8s/schemas.py" "$TOOL" 1.36 "$TMP/rendered.yaml" >"$TMP/why" 2>&1 ||
        fail "$*: $(tail -n 1 "$TMP/why")"
}
kinds() { "$TOOL" <"$TMP/rendered.yaml" | sed 's/.*"kind":"\([A-Za-z]*\)","metadata".*/\1/' | sort | tr '\n' ' '; }
holds() { grep -qF -- "$1" "$TMP/rendered.yaml" || fail "not in the output: $1"; }
refused() { # WORD ARG...
    local word=$1
    shift
    render "$CHART" "$@" && fail "accepted: $*"
    grep -qF -- "$word" "$TMP/why" || fail "refused for another reason: $* : $(grep -v walk.go "$TMP/why")"
}

cat >"$TMP/app.yaml" <<'Y'
app: {enabled: true, image: registry.example/server}
config: {target: {process: server}}
Y
cat >"$TMP/on.yaml" <<'Y'
nameOverride: prof
image: {registry: "", repository: pillion, digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullPolicy: Always}
imagePullSecrets: [{name: pull}]
seccomp: pillion.json
config:
  target: {cmdline: "server .*", unsafe: {set_heap_profile_rate: 524288}}
  auth:
    tokens: [{name: first, sha256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", scopes: [view]}]
    kubernetes: {audiences: [pillion], scopes: [scrape]}
  collect: {every: 60s}
  forward: [{name: parca, type: parca, url: "http://parca.monitoring:7070"}]
  spool: {dir: /var/lib/pillion/spool, max_size: 256MiB}
  log: {audit: "off"}
  labels: {service_name: server, pod: "${POD_NAME}", mine: "${MINE:-}"}
tokens: {secret: pillion-tokens, entries: [{name: oncall, scopes: [all]}]}
tls: {certManager: {enabled: true, dnsNames: [a.example]}, clientAuth: optional}
resources: {requests: {cpu: 20m, memory: 48Mi}, limits: {memory: 256Mi, cpu: 1}}
securityContext: {runAsUser: 1000, runAsGroup: 1000}
extraEnv: [{name: MINE, value: x}]
extraVolumes: [{name: more, emptyDir: {}}]
extraVolumeMounts: [{name: more, mountPath: /more}]
serviceAccount: {create: true, name: server, annotations: {a: b}}
rbac: {create: true, readers: [{name: alloy, namespace: monitoring}]}
injection: {enabled: true, excludeNamespaces: [kube-system]}
podMonitor: {enabled: true, labels: {release: prometheus}, relabelings: [{action: labeldrop, regex: endpoint}], metricRelabelings: [{action: keep, regex: "pillion_.*", sourceLabels: [__name__]}]}
serviceMonitor: {enabled: true, labels: {release: prometheus}, relabelings: [{action: labeldrop, regex: endpoint}], metricRelabelings: []}
prometheusRule: {enabled: true, labels: {release: prometheus}}
dashboards: {enabled: true, annotations: {folder: Go}}
networkPolicy: {enabled: true, namespaces: [monitoring, tools], applicationPorts: [{protocol: TCP, port: 8080}]}
app: {enabled: true, image: registry.example/server, command: [/server], args: ["--x"], env: [{name: A, value: b}], ports: [{containerPort: 8080}], replicas: 2, resources: {limits: {memory: 1Gi}}}
podAnnotations: {a: b}
podLabels: {team: shop}
nodeSelector: {disk: ssd}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {}}
Y

helm lint --strict "$CHART" >"$TMP/lint" 2>&1 || fail "helm lint: $(cat "$TMP/lint")"
helm lint --strict "$CHART" -f "$TMP/on.yaml" >"$TMP/lint" 2>&1 || fail "helm lint, everything on: $(cat "$TMP/lint")"
ok "helm lint"

for mode in restricted perf full ptrace; do
    rendered "$mode" "$CHART" -f "$TMP/app.yaml" --set "mode=$mode"
done
rendered restricted "$CHART" -f "$TMP/app.yaml" --set mode=perf,seccomp=pillion.json # no capability: the profile is enough
holds 'localhostProfile: pillion.json'
rendered full "$CHART" -f "$TMP/app.yaml" --set mode=full,native=false
[ "$(grep -c initContainers "$TMP/rendered.yaml")" = 0 ] || fail "an ordinary container among the init containers"
ok "each mode, and the ordinary container"

rendered restricted "$CHART" -f "$TMP/on.yaml"
all="Certificate ClusterRoleBinding ConfigMap ConfigMap Deployment MutatingAdmissionPolicy MutatingAdmissionPolicyBinding NetworkPolicy Pod PodMonitor PrometheusRule Role RoleBinding Service ServiceAccount ServiceMonitor "
[ "$(kinds)" = "$all" ] || fail "everything on: $(kinds)"
holds 'image: pillion@sha256:'
holds 'file: /etc/pillion-tokens/oncall'
holds 'key: /etc/pillion-tls/tls.key'
holds 'set_heap_profile_rate: 524288'
holds 'secret: {secretName: rel-prof-tls}'
holds 'emptyDir: {sizeLimit: 512Mi}'
python3 - "$TOOL" "$TMP/rendered.yaml" "$ROOT" <<'PY' || fail "files of k8s/ in the chart"
import json, subprocess, sys
tool, rendered, root = sys.argv[1:]
load = lambda p: [json.loads(l) for l in subprocess.run([tool], stdin=open(p, "rb"), stdout=subprocess.PIPE, check=True).stdout.splitlines()]
objects = {(o["kind"], o["metadata"]["name"]): o for o in load(rendered)}
rule = next(o for o in objects.values() if o["kind"] == "PrometheusRule")
assert rule["spec"] == load(root + "/k8s/prometheusrule.yaml")[0]["spec"]
assert json.loads(objects["ConfigMap", "rel-prof-dashboard"]["data"]["pillion.json"]) == json.load(open(root + "/k8s/dashboard.json"))
policy = load(root + "/k8s/policy.yaml")[0]
image = "pillion@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
mine = json.loads(json.dumps(policy["spec"]).replace("registry.example/pillion", image))
assert objects["MutatingAdmissionPolicy", "pillion-inject"]["spec"] == mine
binding = objects["MutatingAdmissionPolicyBinding", "pillion-inject"]["spec"]
assert binding["matchResources"]["namespaceSelector"]["matchExpressions"][0]["values"] == ["kube-system"]
PY
ok "everything on: $(kinds | wc -w) objects; alerts, dashboard and policy are those of k8s/"

render "$CHART" || fail "nothing on: $(cat "$TMP/why")"
[ "$(kinds)" = "ConfigMap Pod " ] || fail "nothing on: $(kinds)"
helm template rel "$CHART" --kube-version 1.36.0 --no-hooks 2>/dev/null | grep -c '^kind:' | grep -qx 1 || fail "nothing on, without the test"
ok "nothing on: the ConfigMap and the test"

refused mode --set mode=wide
refused imgae --set imgae.tag=x
refused sections --set config.sections=1
refused audit --set config.log.audit=false
refused digest --set image.digest=sha256:12
refused clientAuth --set tls.clientAuth=maybe
refused scopes --set 'tokens.entries[0].name=x,tokens.entries[0].scopes[0]=everything'
refused seccomp --set seccomp=../../etc/passwd
refused replicas --set app.replicas=-1
refused 'app.image' --set app.enabled=true
refused '1.29' -f "$TMP/app.yaml" --kube-version 1.28.0
ok "what is refused"

# ---- the templates in another chart
mkdir -p "$TMP/shop/templates" "$TMP/shop/charts"
cp -rL "$CHART" "$TMP/shop/charts/pillion"
printf 'apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies: [{name: pillion, version: 0.x.x}]\n' >"$TMP/shop/Chart.yaml"
cat >"$TMP/shop/values.yaml" <<'Y'
pillion: {mode: ptrace, tokens: {secret: t, entries: [{name: oncall, scopes: [all]}]}, config: {collect: {every: 60s}, history: {dir: /var/lib/pillion/history}}}
Y
cat >"$TMP/shop/templates/worker.yaml" <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  selector: {matchLabels: {app: worker}}
  template:
    metadata:
      labels:
        app: worker
        {{- include "pillion.podLabels" . | nindent 8 }}
      annotations:
        {{- include "pillion.scrapeAnnotations" . | nindent 8 }}
    spec:
      shareProcessNamespace: true
      securityContext: {runAsUser: 65532, runAsGroup: 65532}
      initContainers:
        {{- include "pillion.sidecar" (dict "root" $ "args" (list "--process" "worker")) | nindent 8 }}
      containers:
        - {name: worker, image: worker}
      volumes:
        {{- include "pillion.volumes" . | nindent 8 }}
Y
rendered ptrace "$TMP/shop"
holds '"--process","worker"'
holds 'configMap: {name: rel-pillion}'
holds 'name: pillion-data'
holds 'profiles.grafana.com/cpu.scrape: "true"'
holds 'mountPath: /etc/pillion-tokens'
ok "the templates in another chart"
echo "$CHECKS checks"
