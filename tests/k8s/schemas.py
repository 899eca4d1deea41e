"""schemas.py YAML2JSON VERSION FILE...: each object of Kubernetes' own kinds fits the API's schema of that
version, unknown keys refused (PyPI kubernetes-validate carries the schemas). Others are counted."""
import json
import subprocess
import sys

import kubernetes_validate as kv

tool, version, files = sys.argv[1], sys.argv[2], sys.argv[3:]
fits, foreign = 0, 0
for path in files:
    text = subprocess.run([tool], stdin=open(path, "rb"), stdout=subprocess.PIPE, check=True).stdout
    for obj in [json.loads(l) for l in text.splitlines()]:
        if obj["apiVersion"].split("/")[0] in ("monitoring.coreos.com", "cert-manager.io", "kustomize.config.k8s.io"):
            foreign += 1
            continue
        try:
            kv.validate(obj, version, strict=True)
        except kv.ValidationError as e:
            sys.exit("%s: %s %s: %s at %s" % (path, obj["kind"], obj["metadata"]["name"], e.message, "/".join(map(str, e.path))))
        fits += 1
if not fits:
    sys.exit("nothing was looked at")
print("%d objects fit Kubernetes %s, %d are of others" % (fits, version, foreign))
