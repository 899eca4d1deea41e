#!/usr/bin/env python3
"""runtime.py ARGS...: runc as Kubernetes calls it.

podman gives a container of another user than root *ambient* capabilities, which pass to any program.
The kubelet gives none (the word is not in its source), so that a program of another user than root
has only what its file gives it. This takes them out of the bundle's config.json and becomes runc.
"""
import json
import os
import sys

args = sys.argv[1:]
if "create" in args:
    bundle = args[args.index("--bundle") + 1] if "--bundle" in args else "."
    path = os.path.join(bundle, "config.json")
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    held = config["process"].get("capabilities", {})
    for name in ("ambient", "inheritable"):
        held.pop(name, None)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
os.execvp("runc", ["runc"] + args)
