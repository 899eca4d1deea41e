#!/bin/bash
# Each metric and label that the dashboard and the alerts of k8s/ ask for, and each metric that the
# texts name, is in the answer of a sidecar that has something to tell: a leaking target, a backend,
# a spool, and callers of both kinds.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3
[ -x "$BUILD/tools/yaml2json" ] || skip "make tools has not been run"
go_target local goleak goleak-local '-ldflags=-s -w'
bin=$GO_TARGET
start_target "$bin"
wait_for 10 grep -q ready "$TMP/target.out" || fail "goleak did not start"
own=http://$(sed -n 's/^listen //p' "$TMP/target.out")
mkdir "$TMP/spool" "$TMP/out"
cat >"$TMP/pillion.yaml" <<YAML
auth: {tokens: [{name: all, sha256: "$(printf %s token-all-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [all]}]}
health: {listen: ["127.0.0.1:0"]}
leak_watch: {every: 300ms, window: 6, minimum: 40}
collect: {every: 1s, profiles: [{type: goroutine}]}
forward: [{name: files, type: directory, path: $TMP/out}]
spool: {dir: $TMP/spool, max_size: 32MiB}
YAML
curl -sf "$own/drip?n=3" >/dev/null || fail "goleak does not obey"
start_pillion --config "$TMP/pillion.yaml"
TOKEN=token-all-0123456789
get /debug/pprof/goroutine && wants 200 "a profile"
raw /debug/pprof/goroutine && wants 401 "nobody's"
metrics() { curl -s -m 20 "http://$HEALTH/metrics" >"$TMP/metrics"; }
complete() {
    metrics
    grep -q '^pillion_goroutine_leak_suspected{' "$TMP/metrics" && grep -q '^pillion_push_total{backend="files",result="ok"} [1-9]' "$TMP/metrics" &&
        grep -q '^pillion_target_process_cpu_seconds_total ' "$TMP/metrics" && grep -q '^pillion_target_go_goroutines ' "$TMP/metrics"
}
wait_for 40 complete || fail "not all metrics are there"

# ---- what is asked for is there
cat >"$TMP/asked.py" <<'PY'
import json, re, subprocess, sys
tool, root, metrics = sys.argv[1:]
labels, families = {}, set()
for line in open(metrics, encoding="utf-8"):
    if line.startswith("# TYPE "):
        families.add(line.split()[2])
    elif not line.startswith("#"):
        name, rest = re.match(r"([a-z_0-9]+)(?:\{(.*)\})? ", line).groups()
        labels.setdefault(name, set()).update(re.findall(r'(?:^|,)([a-z_]+)="', rest or ""))
SCRAPE = {"namespace", "pod", "container", "job", "instance"}  # Prometheus' own
bad = []


def check(where, expression, shown):
    names = set(re.findall(r"\bpillion_[a-z_0-9]+", expression))
    if not names:
        bad.append("%s: asks for nothing of ours: %s" % (where, expression))
    known = set(SCRAPE)
    for n in names:
        if n not in labels:
            bad.append("%s: no metric %s" % (where, n))
        known |= labels.get(n, set())
    for n, matchers in re.findall(r"\b(pillion_[a-z_0-9]+)\{([^}]*)\}", expression):
        for label in re.findall(r'([a-z_]+)\s*[=!]~?\s*"', matchers):
            if label not in labels.get(n, set()) | SCRAPE:
                bad.append("%s: %s has no label %s" % (where, n, label))
    kept = set()
    for group in re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expression):
        kept |= {g.strip() for g in group.split(",")}
    for label in (kept - {"le"}) - known:
        bad.append("%s: nothing has the label %s" % (where, label))
    aggregated = re.findall(r"\b(?:sum|min|max|count)\b", expression)
    for label in shown:
        if label not in (kept if aggregated else known):
            bad.append("%s: shows %s, which is not left" % (where, label))


dashboard = json.load(open(root + "/k8s/dashboard.json", encoding="utf-8"))
panels = [p for p in dashboard["panels"] if p["type"] != "row"]
assert len({p["id"] for p in dashboard["panels"]}) == len(dashboard["panels"])
for p in panels:
    for t in p["targets"]:
        check("dashboard, " + p["title"], t["expr"], re.findall(r"\{\{([a-z_]+)\}\}", t["legendFormat"]))
    g = p["gridPos"]
    if g["x"] + g["w"] > 24:
        bad.append("dashboard, %s: too wide" % p["title"])
(rule,) = [json.loads(l) for l in subprocess.run([tool], stdin=open(root + "/k8s/prometheusrule.yaml", "rb"), stdout=subprocess.PIPE, check=True).stdout.splitlines()]
alerts = [r for g in rule["spec"]["groups"] for r in g["rules"]]
for r in alerts:
    check("alert " + r["alert"], r["expr"], re.findall(r"\$labels\.([a-z_]+)", r["annotations"]["summary"]))
wanted = {"HighCPU", "HighMemory", "GoroutineLeak", "TargetDown", "CertExpiry", "PushFailing", "SamplesLost", "AuthFailures", "ReloadFailed"}
if wanted - {r["alert"].replace("Pillion", "", 1) for r in alerts}:
    bad.append("an alert is missing")
told = 0
import glob
for path in [root + "/README.md"] + glob.glob(root + "/docs/*.md") + glob.glob(root + "/k8s/**/*.md", recursive=True):
    for name, star in re.findall(r"`(pillion_[a-z_0-9]+)(\*?)", open(path, encoding="utf-8").read()):
        if name == "pillion_check":  # a label of a profile
            continue
        told += 1
        if not any(f == name or f + "_bucket" == name or (star and f.startswith(name)) for f in families):
            bad.append("%s: no metric %s" % (path, name + star))
print("\n".join(bad) or "%d panels, %d alerts, %d names in texts" % (len(panels), len(alerts), told))
sys.exit(bool(bad) or not told)
PY
asked() { python3 "$TMP/asked.py" "$BUILD/tools/yaml2json" "$ROOT" "$1" >"$TMP/said" 2>&1; }
asked "$TMP/metrics" || fail "$(cat "$TMP/said")"
ok "they ask for what is there: $(cat "$TMP/said")"

# ---- and a metric or a label that is not there would be seen
grep -v '^pillion_cert_expiry' "$TMP/metrics" >"$TMP/fewer"
asked "$TMP/fewer" && fail "a missing metric is not seen"
grep -q 'no metric pillion_cert_expiry' "$TMP/said" || fail "another reason: $(cat "$TMP/said")"
sed 's/{backend=/{back=/' "$TMP/metrics" >"$TMP/other"
asked "$TMP/other" && fail "a missing label is not seen"
ok "and what is not there is seen"

# ---- the target's CPU time and memory, beside what the kernel says of it
used=$(sed -n 's/^pillion_target_process_cpu_seconds_total //p' "$TMP/metrics")
resident=$(sed -n 's/^pillion_target_process_resident_memory_bytes //p' "$TMP/metrics")
python3 - "$TARGET_PID" "$used" "$resident" <<'PY' || fail "CPU time $used, memory $resident"
import os, sys
stat = open("/proc/%s/stat" % sys.argv[1]).read().rsplit(")", 1)[1].split()
ticks, used, resident = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), float(sys.argv[2]), int(sys.argv[3])
now = int(stat[21]) * os.sysconf("SC_PAGE_SIZE")
assert 0 <= used <= ticks + 0.02 and now / 4 < resident < now * 4, (used, ticks, resident, now)
PY
ok "the target's CPU time and memory"
echo "$CHECKS checks"
