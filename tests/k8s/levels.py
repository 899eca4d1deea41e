"""levels.py YAML2JSON INJECT FOLDER: the Pods of k8s/ and those that the policy made have the Pod Security
level that the texts promise, by Kubernetes' own rules. FOLDER takes one file a Pod."""
import json
import os
import subprocess
import sys

tool, inject, folder = sys.argv[1:]
WANT = {
    "native": "restricted", "job": "restricted", "scraped": "restricted", "ordinary": "privileged",
    "plain": "restricted", "localhost": "restricted", "full": "privileged", "ptrace": "privileged", "perf": "privileged", "bare": "baseline",
}
os.makedirs(folder, exist_ok=True)
pods = {}
for name in WANT:
    path = "k8s/%s.yaml" % name
    if os.path.exists(path):
        text = subprocess.run([tool], stdin=open(path, "rb"), stdout=subprocess.PIPE, check=True).stdout
        for obj in [json.loads(line) for line in text.splitlines()]:
            if obj["kind"] != "ConfigMap":
                pods[name] = obj["spec"] if obj["kind"] == "Pod" else obj["spec"]["template"]["spec"]
with open("tests/k8s/injected.json", encoding="utf-8") as f:
    pods.update({n: p["spec"] for n, p in json.load(f)["pods"].items() if n in WANT})
files = []
for name, spec in pods.items():
    files.append(os.path.join(folder, name + ".json"))
    with open(files[-1], "w", encoding="utf-8") as f:
        json.dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}, f)
said = subprocess.run([inject, "-levels"] + files, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
found = {line.split()[0]: line.split()[1] for line in said}
for name, level in WANT.items():
    if found.get(name) != level:
        sys.exit("%s is not %s: %s" % (name, level, [line for line in said if line.startswith(name + " ")]))
print("%d Pods have the Pod Security level that they should" % len(found))
