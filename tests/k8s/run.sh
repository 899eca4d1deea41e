#!/bin/bash
# run.sh: what of k8s/ wants the tools of others. They go into build/k8s/ and nowhere else: helm and
# kustomize (Go), the API server's admission code (Go), its schemas (PyPI), promtool (Debian's
# prometheus, unpacked). Some 10 minutes of CPU at first, one afterwards. When k8s/policy.yaml has
# changed, injected.json is written anew, to be committed with it.
set -eu
cd "$(dirname "$0")/../.."
ROOT=$PWD HERE=$PWD/tests/k8s B=$PWD/build/k8s
TOOL=$ROOT/${PILLION_BUILD:-build/release}/tools/yaml2json
export GOBIN=$B/bin GOFLAGS=-modcacherw PATH=$B/bin:$PATH
mkdir -p "$B/bin"
have() { [ -x "$B/bin/$1" ] || command -v "$1" >/dev/null; }
say() { echo "== $*"; }

have helm || { say "helm" && go install helm.sh/helm/v3/cmd/helm@latest; }
have kustomize || { say "kustomize" && go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1; } # 5.8 wants Go 1.27
[ -x "$B/venv/bin/python" ] || { say "the API's schemas" && python3 -m venv "$B/venv" && "$B/venv/bin/pip" -q install kubernetes-validate; }
have promtool || {
    say "promtool"
    mkdir -p "$B/deb"
    (cd "$B/deb" && apt-get -q download prometheus && dpkg -x prometheus_*.deb . && mv usr/bin/promtool "$B/bin/" && rm -rf "$B/deb")
}
say "the admission code"
(cd "$HERE/inject" && go vet . && go build -o "$B/bin/inject" .)

say "k8s/*.yaml by the API's schemas"
"$B/venv/bin/python" "$HERE/schemas.py" "$TOOL" 1.36 k8s/*.yaml
for version in 1.29 1.32 1.34; do
    "$B/venv/bin/python" "$HERE/schemas.py" "$TOOL" "$version" k8s/{native,ordinary,job,rbac,networkpolicy}.yaml
done

for version in 1.34 1.35; do # there it is v1beta1
    sed 's|^apiVersion: admissionregistration.k8s.io/v1$|&beta1|' k8s/policy.yaml >"$B/beta.yaml"
    "$B/venv/bin/python" "$HERE/schemas.py" "$TOOL" "$version" "$B/beta.yaml"
done

say "the admission policy"
python3 "$HERE/record.py" "$B/bin/inject" k8s/policy.yaml "$HERE/pods" >"$B/injected.json"
python3 - "$B/injected.json" "$B/injected.yaml" <<'PY'
import json, sys
pods = json.load(open(sys.argv[1]))["pods"]
for pod in filter(None, pods.values()):
    pod.pop("status")
with open(sys.argv[2], "w") as f:
    f.write("\n---\n".join(json.dumps(p) for p in pods.values() if p))
PY
"$B/venv/bin/python" "$HERE/schemas.py" "$TOOL" 1.36 "$B/injected.yaml"
cmp -s "$B/injected.json" "$HERE/injected.json" || { say "tests/k8s/injected.json is written anew: commit it"; cp "$B/injected.json" "$HERE/injected.json"; }

python3 "$HERE/levels.py" "$TOOL" "$B/bin/inject" "$B/pods"

say "the alerts"
"$TOOL" <k8s/prometheusrule.yaml | python3 -c 'import json, sys; json.dump(json.load(sys.stdin)["spec"], sys.stdout)' >"$B/rules.json"
cp "$HERE/alerts.yaml" "$B/alerts.yaml"
promtool check rules "$B/rules.json"
promtool test rules "$B/alerts.yaml"
python3 - k8s/dashboard.json >"$B/panels.json" <<'PY'
import json, sys
expressions = [t["expr"] for p in json.load(open(sys.argv[1]))["panels"] for t in p.get("targets", [])]
rules = [{"record": "panel:%d" % i, "expr": e.replace("$__rate_interval", "5m")} for i, e in enumerate(expressions)]
json.dump({"groups": [{"name": "panels", "rules": rules}]}, sys.stdout)
PY
promtool check rules --lint=none "$B/panels.json" # the language, not the names: 75-metrics.sh has those

say "manifests, chart"
PILLION_BUILD=${PILLION_BUILD:-build/release} tests/e2e/74-manifests.sh
K8S_PYTHON=$B/venv/bin/python PILLION_BUILD=${PILLION_BUILD:-build/release} tests/e2e/76-helm.sh
