"""record.py INJECT POLICY FOLDER: what the policy makes of each Pod of the folder, as one JSON object."""
import hashlib
import json
import os
import subprocess
import sys

inject, policy, folder = sys.argv[1:]
names = sorted(n for n in os.listdir(folder) if n.endswith(".yaml"))
out = subprocess.run([inject, policy] + [os.path.join(folder, n) for n in names], stdout=subprocess.PIPE, check=True).stdout
pods = {n[: -len(".yaml")]: json.loads(line) for n, line in zip(names, out.splitlines(), strict=True)}
record = {"policy_sha256": hashlib.sha256(open(policy, "rb").read()).hexdigest(), "pods": pods}
print("{")
print('"policy_sha256": %s,\n"pods": {' % json.dumps(record["policy_sha256"]))
print(",\n".join("%s: %s" % (json.dumps(n), json.dumps(p)) for n, p in pods.items()))
print("}}")
