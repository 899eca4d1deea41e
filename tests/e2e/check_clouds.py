#!/usr/bin/env python3
"""check_clouds.py DIR enough|same: for 69-clouds.sh. What servers/clouds.py got (DIR/cloud/NAME/)
against the files of the folder (DIR/files/), which are the items as they were kept."""
import glob
import gzip
import json
import os
import re
import subprocess
import sys

import pprof

DIR, WHAT = sys.argv[1:3]
GO = {"cpu": "cpu.pprof", "heap": "delta-heap.pprof", "goroutine": "goroutines.pprof",
      "block": "delta-block.pprof", "mutex": "delta-mutex.pprof"}
RAW_MAX = 2  # of each type: go tool pprof takes its time
NATIVE = {"cpu": [0, 1], "heap": [0, 1, 2, 3]}
GOOGLE = {"cpu": [("CPU", None)], "goroutine": [("THREADS", None)], "mutex": [("CONTENTION", None)],
          "heap": [("HEAP", [2, 3]), ("HEAP_ALLOC", [0, 1])]}


def no(text):
    print("check_clouds: " + text, file=sys.stderr)
    sys.exit(1)


def got(name):
    found = []
    for path in sorted(glob.glob(os.path.join(DIR, "cloud", name, "*.json"))):
        with open(path, encoding="utf-8") as f:
            facts = json.load(f)
        facts["pb"] = path[:-5] + ".pb"
        found.append(facts)
    return found


def items():
    found = {}
    for path in glob.glob(os.path.join(DIR, "files", "*.pb.gz")):
        m = re.search(r"-([a-z]+)-([0-9a-f]{32})\.pb\.gz$", path)
        found[m.group(2)] = (m.group(1), path)
    return found


def bytes_of(path):
    with open(path, "rb") as f:
        return f.read()


def sums(path, columns=None):
    """What each stack with its labels has."""
    p = pprof.read(path)
    total = {}
    for s in p.samples:
        values = [s["values"][c] for c in columns] if columns else s["values"]
        key = json.dumps([s["stack"], s["labels"]], sort_keys=True)
        old = total.get(key, [0] * len(values))
        total[key] = [a + b for a, b in zip(old, values)]
    return {k: v for k, v in total.items() if any(v)}


def raw(path):
    """What Go's own tool reads, but for the time."""
    out = subprocess.run(["go", "tool", "pprof", "-raw", "-symbolize=none", path], capture_output=True, check=True)
    return [line for line in out.stdout.decode().splitlines() if not line.startswith(("Time:", "Duration:"))]


def enough():
    kinds = {kind for kind, _ in items().values()}
    sys.exit(0 if kinds >= {"cpu", "heap", "goroutine", "block", "mutex"} and len(items()) >= 8 and
             len(got("gcp-online")) >= 1 and all(len(got(n)) >= 4 for n in
             ("dd-agent", "dd-unix", "dd-intake", "dd-native", "gcp-offline", "gcp-meta", "s3")) else 1)


def same():
    if os.path.exists(os.path.join(DIR, "cloud", "violations")):
        no(open(os.path.join(DIR, "cloud", "violations"), encoding="utf-8").read())
    all_items = items()
    for name in ("dd-agent", "dd-unix", "dd-intake"):
        uploads = {u["id"]: u for u in got(name)}
        if len(uploads) != len(got(name)) or set(uploads) != set(all_items):
            no("%s: %d uploads of %d profiles" % (name, len(got(name)), len(all_items)))
        for ident, (kind, path) in all_items.items():
            if uploads[ident]["file"] != GO[kind]:
                no("%s: a %s is %s" % (name, kind, uploads[ident]["file"]))
            if gzip.decompress(bytes_of(path)) != bytes_of(uploads[ident]["pb"]):
                no("%s: %s %s is not what was kept" % (name, kind, ident))
            tags = uploads[ident]["tags"]
            if (tags["service"], tags.get("env"), tags["version"]) != ("Shop A", "prod", "1.2_3"):
                no("%s: tags %s" % (name, tags))
    native(all_items)
    for name in ("gcp-offline", "gcp-meta", "gcp-online"):
        google(name, all_items)
    objects = {re.search(r"-([0-9a-f]{32})\.pb\.gz$", o["key"]).group(1): o for o in got("s3")}
    if set(objects) != set(all_items):
        no("s3 has %d of %d" % (len(objects), len(all_items)))
    for ident, (kind, path) in all_items.items():
        if not re.match(r"pre fix/Shop_A/%s/\d{4}/\d\d/\d\d/\d{8}T\d{6}" % kind, objects[ident]["key"]):
            no("the object is called " + objects[ident]["key"])
        if gzip.decompress(bytes_of(path)) != gzip.decompress(bytes_of(objects[ident]["pb"])):
            no("s3: %s is not what was kept" % ident)


def native(all_items):
    uploads = {u["id"]: u for u in got("dd-native")}
    if set(uploads) != {i for i, (kind, _) in all_items.items() if kind in NATIVE}:
        no("dd-native has %d" % len(uploads))
    for ident, u in uploads.items():
        kind, path = all_items[ident]
        if sums(path, NATIVE[kind]) != sums(u["pb"]):
            no("dd-native: %s has other values" % kind)
        if u["event"]["family"] != "native":
            no("family")


def google(name, all_items):
    uploads = {(u["type"], u["time"]): u for u in got(name)}
    if len(uploads) != len(got(name)):
        no("%s: two of the same type and time" % name)
    looked = {}
    for kind, path in all_items.values():
        p = pprof.read(path)
        end = p.time_ns + (p.duration_ns if kind == "cpu" else 0)
        for theirs, columns in GOOGLE.get(kind, []):
            u = uploads.pop((theirs, end), None)
            if u is None:
                if name == "gcp-online":  # it takes what it asks for when it asks for it: some wait
                    continue
                no("%s: no %s of %d" % (name, theirs, end))
            if sums(path, columns) != sums(u["pb"]):
                no("%s: %s has other values" % (name, theirs))
            looked[theirs] = looked.get(theirs, 0) + 1
            if columns is None and looked[theirs] <= RAW_MAX and raw(path) != raw(u["pb"]):
                no("%s: go tool pprof reads another %s" % (name, theirs))
            d = u["profile"]["deployment"]
            if d["target"] != "shop-a" or d["labels"].get("zone") != "z-1" or d["labels"].get("version") != "1.2,3":
                no("%s: deployment %s" % (name, d))
    if uploads:
        no("%s has what was never kept: %s" % (name, list(uploads)))


{"enough": enough, "same": same}[WHAT]()
