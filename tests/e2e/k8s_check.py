"""Checks of Kubernetes objects, whoever has written them: the files of k8s/, the chart, kustomize or
the admission policy.

    k8s_check.py YAML2JSON PILLION manifests FILE...     plain files
    k8s_check.py YAML2JSON PILLION chart FOLDER          a chart's files, without rendering it
    k8s_check.py YAML2JSON PILLION rendered MODE FILE    what a chart has become; its sidecar has that mode
    k8s_check.py YAML2JSON PILLION patch FILE            the kustomize component's
    k8s_check.py YAML2JSON PILLION text FILE             the blocks of YAML in a text
    k8s_check.py YAML2JSON PILLION injected FILE         {"policy_sha256", "pods"}: what the policy made

YAML2JSON is tests/tools/yaml2json.c, PILLION the program, which has to accept each configuration.
"""
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
YAML2JSON, PILLION = sys.argv[1:3]

API = {  # kind: its API version
    "Pod": "v1", "ConfigMap": "v1", "Service": "v1", "ServiceAccount": "v1", "Deployment": "apps/v1", "StatefulSet": "apps/v1",
    "Job": "batch/v1", "NetworkPolicy": "networking.k8s.io/v1",
    "Role": "rbac.authorization.k8s.io/v1", "RoleBinding": "rbac.authorization.k8s.io/v1", "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "PodMonitor": "monitoring.coreos.com/v1", "ServiceMonitor": "monitoring.coreos.com/v1", "PrometheusRule": "monitoring.coreos.com/v1",
    "Certificate": "cert-manager.io/v1",
    "MutatingAdmissionPolicy": "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicyBinding": "admissionregistration.k8s.io/v1",
}
POD_KEYS = set("""shareProcessNamespace terminationGracePeriodSeconds securityContext initContainers containers volumes restartPolicy
    serviceAccountName imagePullSecrets nodeSelector tolerations affinity automountServiceAccountToken hostPID""".split())
CONTAINER_KEYS = set("""name image imagePullPolicy restartPolicy command args ports env startupProbe livenessProbe resources
    securityContext volumeMounts""".split())
ADDS = {"restricted": [], "perf": ["PERFMON"], "full": ["PERFMON", "SYS_PTRACE"], "ptrace": ["SYS_PTRACE"]}


def want(fact, *words):
    if not fact:
        sys.exit("%s: %s" % (WHERE, " ".join(str(w) for w in words)))


def load(path):
    done = subprocess.run([YAML2JSON], stdin=open(path, "rb"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        sys.exit("%s: %s" % (path, done.stderr.decode()))
    return [json.loads(line) for line in done.stdout.splitlines()]


def is_accepted(text):
    """The configuration, by the program itself; files that it names need not exist here."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pillion.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(re.sub(r"/etc/pillion-t[a-z]+/", folder + "/", text))
        for name in re.findall(re.escape(folder) + r"/([\w.-]+)", open(path, encoding="utf-8").read()):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write("a-token-of-thirty-two-characters\n")
            os.chmod(os.path.join(folder, name), 0o600)
        environment = dict(os.environ, POD_NAME="p", POD_NAMESPACE="n", NODE_NAME="node", HOST_IP="10.0.0.1")
        done = subprocess.run([PILLION, "check", "--config", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
        # no certificate can be made up here: what is asked is whether all keys are known
        bad = [l for l in done.stdout.decode().splitlines() if "not a certificate" not in l and "PEM" not in l]
        want(done.returncode == 0 or ("-tls" in text and done.returncode == 1), "pillion check:", *bad[-3:])


def pod_spec(obj):
    if obj["kind"] == "Pod":
        return obj["spec"]
    return obj.get("spec", {}).get("template", {}).get("spec") if obj["kind"] in ("Deployment", "StatefulSet", "Job", "Any") else None


def sidecar(spec):
    """(container, is it native?), or None."""
    for key in "initContainers", "containers":
        for c in spec.get(key, []):
            if c["name"] == "pillion" and "command" not in c:
                return c, key == "initContainers"
    return None


def seconds(text):
    n, unit = re.fullmatch(r"([0-9]+)(ms|s|m)", text).groups()
    return int(n) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def mode_of(container):
    security = container["securityContext"]
    adds = security["capabilities"].get("add", [])
    return next(m for m, a in ADDS.items() if a == adds)


def check_sidecar(spec, c, native, whole):
    security = c["securityContext"]
    want(set(c) <= CONTAINER_KEYS, "unknown keys:", set(c) - CONTAINER_KEYS)
    want(c.get("restartPolicy") == ("Always" if native else None), "restartPolicy")
    want(c["args"][:3] == ["run", "--config", "/etc/pillion/pillion.yaml"], "args:", c["args"])
    rest = [a for a in c["args"][3:] if a != "--all"]
    want(not rest or len(rest) == 2 and rest[0] in ("--process", "--port", "--cmdline", "--env"), "args:", c["args"])
    want({p["name"]: p["containerPort"] for p in c["ports"]} == {"pprof-https": 6060, "pprof-health": 6061}, "ports")
    want(not security["allowPrivilegeEscalation"] and security["readOnlyRootFilesystem"], "securityContext")
    want(security["capabilities"]["drop"] == ["ALL"], "capabilities")
    user = security.get("runAsUser", spec.get("securityContext", {}).get("runAsUser"))
    want(security["runAsNonRoot"] is (user != 0), "runAsNonRoot with user", user)
    want(security["seccompProfile"]["type"] in ("RuntimeDefault", "Localhost"), "seccomp")
    for name in ("startupProbe",) * native + ("livenessProbe",):
        # /readyz waits for the target, which waits for the probe
        want(c[name]["httpGet"] == {"path": "/livez", "port": "pprof-health"}, name)
    want("readinessProbe" not in c, "a readinessProbe")
    names = {e["name"] for e in c["env"]}
    want({"POD_NAME", "POD_NAMESPACE", "NODE_NAME", "HOST_IP"} <= names, "env:", names)
    want(any(m["mountPath"] == "/etc/pillion" and m["readOnly"] for m in c["volumeMounts"]), "no /etc/pillion")
    mounts = [m["mountPath"] for m in c["volumeMounts"]]
    nested = [a for a in mounts for b in mounts if a != b and a.startswith(b + "/")]
    want(not nested, "mounts within mounts:", nested)
    if whole:
        volumes = {v["name"] for v in spec["volumes"]}
        want({m["name"] for m in c["volumeMounts"]} <= volumes, "mounts without volumes")
        want(set(spec) <= POD_KEYS, "unknown keys:", set(spec) - POD_KEYS)
    want(spec.get("shareProcessNamespace") or spec.get("hostPID"), "no shared PID namespace")


def core(container):
    """What has to be the same everywhere: all but names, places and the data's folder."""
    c = {k: v for k, v in container.items() if k not in ("image", "imagePullPolicy", "args", "resources")}
    c["volumeMounts"] = [{k: v for k, v in m.items() if k != "name"} for m in c["volumeMounts"] if m["mountPath"] == "/etc/pillion"]
    c["env"] = [e for e in c["env"] if "valueFrom" in e]
    c["securityContext"] = {k: v for k, v in c["securityContext"].items() if k not in ("runAsUser", "runAsGroup")}
    return c


def the_model():
    for obj in load(ROOT + "/k8s/native.yaml"):
        if obj["kind"] == "Deployment":
            return core(sidecar(pod_spec(obj))[0])
    return None


def check_object(obj, configurations):
    want(obj["kind"] in API, "kind", obj["kind"])
    want(obj["apiVersion"] == API[obj["kind"]], obj["kind"], obj["apiVersion"])
    want(re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", obj["metadata"]["name"]), "name", obj["metadata"]["name"])
    for key in list(obj["metadata"].get("labels", {})) + list(obj["metadata"].get("annotations", {})):
        want(re.fullmatch(r"([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", key), "key", key)
    if obj["kind"] == "ConfigMap" and "pillion.yaml" in obj["data"]:
        is_accepted(obj["data"]["pillion.yaml"])
        configurations[obj["metadata"]["name"]] = load_text(obj["data"]["pillion.yaml"])
    if "Binding" in obj["kind"] and "roleRef" in obj:
        want(obj["roleRef"]["kind"] in ("Role", "ClusterRole") and all(s["namespace"] for s in obj["subjects"]), "roleRef")


def load_text(text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(text)
        f.flush()
        return load(f.name)[0]


def check_objects(objects, mode=None):
    """How many sidecars there are."""
    found, configurations = 0, {}
    for obj in objects:
        check_object(obj, configurations)
    for obj in objects:
        spec = pod_spec(obj)
        if not spec or not sidecar(spec):
            continue
        found += 1
        c, native = sidecar(spec)
        check_sidecar(spec, c, native, True)
        want(mode in (None, mode_of(c)), "mode", mode_of(c), "and not", mode)
        for volume in spec["volumes"]:
            drain = configurations.get(volume.get("configMap", {}).get("name"), {}).get("drain", "10s")
            want(seconds(drain) < spec.get("terminationGracePeriodSeconds", 30), "drain", drain, "within the grace period")
        if mode_of(c) == "restricted" and native and c["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault":
            model = the_model()
            want(core(c) == model, "not the sidecar of native.yaml:", [k for k in model if core(c).get(k) != model[k]])
    return found


def check_policy(path):
    """Without CEL: what the annotations are called, and that the two objects belong together."""
    policy, binding = load(path)
    text = open(path, encoding="utf-8").read()
    want(binding["spec"]["policyName"] == policy["metadata"]["name"], "the binding is another policy's")
    body = text[text.index("apiVersion:"):]
    told = {m for m in re.findall(r"[ `{]pillion/([a-z-]+)", text[:text.index("apiVersion:")])} - {"registry"}
    used = set(re.findall(r"['\"]pillion/([a-z-]+)['\"]", body))
    want(used == told, "annotations told and not used, or the reverse:", used ^ told)
    for mutation in policy["spec"]["mutations"]:
        expression = mutation["jsonPatch"]["expression"]
        want(mutation["patchType"] == "JSONPatch", "ApplyConfiguration is refused for args")
        want(all(expression.count(a) == expression.count(b) for a, b in ("()", "[]", "{}")), "brackets")
    config = next(v["expression"] for v in policy["spec"]["variables"] if v["name"] == "config")
    is_accepted(config.strip().strip("'").replace("\\n", "\n"))


def check_injected(path):
    """What tests/k8s/run.sh has recorded is of this policy, and its Pods are as everything else."""
    record = json.load(open(path, encoding="utf-8"))
    policy = hashlib.sha256(open(ROOT + "/k8s/policy.yaml", "rb").read()).hexdigest()
    want(record["policy_sha256"] == policy, "k8s/policy.yaml was changed since: run `make test-k8s`")
    pods = record["pods"]
    for name in "not-asked", "not-annotated", "has-one":
        want(pods[name] is None, name, "was given one")
    for name, pod in pods.items():
        if not pod:
            continue
        c, native = sidecar(pod["spec"])
        check_sidecar(pod["spec"], c, native, False)
        want(c is pod["spec"]["initContainers"][0], name, "is not the first")
        want(pod["metadata"]["labels"]["pillion/injected"] == "true", name, "has no label")
        is_accepted(pod["metadata"]["annotations"]["pillion/config"])
    c = {name: sidecar(pod["spec"])[0] for name, pod in pods.items() if pod}
    want(core(c["plain"]) == the_model(), "plain is not the sidecar of native.yaml")
    who = {name: (x["securityContext"]["runAsUser"], x["securityContext"].get("runAsGroup")) for name, x in c.items()}
    want(who == {"plain": (1234, None), "full": (3, 4), "bare": (65532, 65532), "perf": (0, 0), "localhost": (65532, 65532), "ptrace": (7, None), "amounts": (1, 1)}, who)
    modes = {name: mode_of(x) for name, x in c.items()}
    want(modes == {"plain": "restricted", "full": "full", "bare": "restricted", "perf": "perf", "localhost": "restricted", "ptrace": "ptrace", "amounts": "restricted"}, modes)
    want(c["localhost"]["securityContext"]["seccompProfile"] == {"type": "Localhost", "localhostProfile": "pillion.json"}, "localhost")
    extra = {name: x["args"][3:] for name, x in c.items()}
    want(extra == {"plain": [], "full": ["--process", "server", "--all"], "bare": ["--port", "8080"], "perf": [], "localhost": ["--env", "ROLE=web"],
                   "ptrace": ["--cmdline", "server --port=[0-9]+"], "amounts": []}, extra)
    full = pods["full"]
    want(full["metadata"]["labels"] == {"app": "shop", "pillion/injected": "true"}, "full: labels")
    want([x["name"] for x in full["spec"]["initContainers"]] == ["pillion", "migrate"], "full: init containers")
    want([v["name"] for v in full["spec"]["volumes"]] == ["tmp", "pillion-config", "pillion-data"], "full: volumes")
    want(c["full"]["image"] == "registry.company/pillion:v9", "full: image")
    want(c["full"]["resources"] == {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "256Mi", "cpu": "500m"}}, "full: resources")
    want(c["plain"]["resources"] == {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}, "plain: resources")
    want(c["amounts"]["resources"] == {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}}, "amounts: resources")
    told = pods["amounts"]["metadata"]["annotations"]["pillion/status"]
    want(told == "injected, mode restricted; no amount: pillion/cpu-request, pillion/cpu-limit", "amounts:", told)
    want("service_name: shop" in full["metadata"]["annotations"]["pillion/config"], "full: configuration")
    want("shareProcessNamespace" not in pods["perf"]["spec"], "hostPID and shareProcessNamespace exclude each other")


def leaves(tree, path=()):
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from leaves(value, path + (key,))
    else:
        yield path


def in_schema(schema, path):
    for key in path:
        if "properties" not in schema:
            return schema.get("type") == "object"
        if key not in schema["properties"]:
            return False
        schema = schema["properties"][key]
    return True


def check_chart(folder):
    (values,) = load(folder + "/values.yaml")
    (chart,) = load(folder + "/Chart.yaml")
    schema = json.load(open(folder + "/values.schema.json", encoding="utf-8"))
    templates = ""
    for top, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(top, name)
            want(os.path.exists(path), path, "leads nowhere")
            if "/templates" in top:
                templates += open(path, encoding="utf-8").read()
    for path in leaves(values):
        want(in_schema(schema, path), "not in the schema:", ".".join(path))
    want(set(schema["properties"]) - {"global"} == set(values), "schema and values differ:", set(schema["properties"]) ^ set(values))
    used = {tuple(m.split(".")) for m in re.findall(r"\.Values\.([A-Za-z.]+)|\$v\.([A-Za-z.]+)", templates) for m in m if m and m != "pillion"}
    for path in used:
        want(in_schema(schema, path), "used, and not in the schema:", ".".join(path))
    for path in leaves(values):
        want(any(u == path[:len(u)] for u in used) or path[0] in ("image", "data") or path[:2] == ("tls", "certManager"), "never used:", ".".join(path))
    want('default "%s" $i.tag' % chart["appVersion"] in templates, "the image's default tag is not appVersion")
    is_accepted(json.dumps(values["config"]))
    told = subprocess.run([PILLION, "help", "config"], stdout=subprocess.PIPE).stdout.decode()
    known = set(re.findall(r"^([a-z_]+) ", told, re.M))
    mine = set(schema["properties"]["config"]["properties"])
    want(known == mine, "sections of the configuration:", known ^ mine)
    selectors = set(re.findall(r"^  ([a-z]+) ", told[told.index("target "):told.index("\nadmin ")], re.M)) - {"unsafe"}
    target = schema["properties"]["config"]["properties"]["target"]["oneOf"][1]["properties"]
    want(selectors <= set(target), "selectors:", selectors)


def check_text(path):
    """A text's YAML can be read, and what is a configuration is taken; templates are left out."""
    told = subprocess.run([PILLION, "help", "config"], stdout=subprocess.PIPE).stdout.decode()
    sections = set(re.findall(r"^([a-z_]+) ", told, re.M))
    found = 0
    for block in re.findall(r"```yaml\n(.*?)```", open(path, encoding="utf-8").read(), re.S):
        if "{{-" in block or len(re.findall(r"^ *seccompProfile:", block, re.M)) > 1:  # or one of several
            continue
        parsed = load_text(block)
        if set(parsed) <= sections:
            found += 1
            is_accepted(block)
    want(found > 1, "only", found, "configurations found")


verb, args = sys.argv[3], sys.argv[4:]
WHERE = args[-1]
if verb == "manifests":
    for WHERE in args:
        if WHERE.endswith("/policy.yaml"):
            check_policy(WHERE)
        check_objects(load(WHERE))
elif verb == "chart":
    check_chart(args[0])
elif verb == "rendered":
    want(check_objects(load(args[1]), args[0]) == 1, "not one sidecar")
elif verb == "patch":
    (patch,) = load(args[0])
    check_sidecar(pod_spec(patch), *sidecar(pod_spec(patch)), True)
    want(core(sidecar(pod_spec(patch))[0]) == the_model(), "not the sidecar of native.yaml")
elif verb == "text":
    check_text(args[0])
elif verb == "injected":
    check_injected(args[0])
else:
    sys.exit(__doc__)
