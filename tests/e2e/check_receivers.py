#!/usr/bin/env python3
"""check_receivers.py DIR enough|prompt|rests|counts|kept [why]: for 67-receivers.sh.

DIR has NAME.log and NAME.bodies/ of each receiver (servers/backend.py), status.json, metrics.txt,
store/files/ and store/spool/. Exit 0: it is so. With a reason on standard error, or not (for
conditions that are waited for) unless `why` is given.
"""
import gzip
import json
import os
import re
import sys

from pprof import fields

DIR, WHAT = sys.argv[1:3]
SAYS = WHAT not in ("enough", "rests") or "why" in sys.argv[3:]
# what each is expected to come to
ALL_TAKEN = ("good", "limited", "later", "mended", "cut", "drip", "hangup", "files")
DROPS = ("large", "broken", "huge")     # permanent, or after three tries
WAITS = ("html", "cert", "moved", "nowhere")
PROMPT_S = 15                            # of a healthy one, on a loaded machine
ID_DIGITS = 30
HEX = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def no(text):
    if SAYS:
        print("check_receivers: " + text, file=sys.stdout if "why" in sys.argv else sys.stderr)
    sys.exit(1)


def rows(name):
    with open(os.path.join(DIR, name + ".log"), encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


def sub(data, *path):
    found = [data]
    for field in path:
        found = [v for d in found for n, v in fields(d) if n == field]
    return found


def item_id(name, row):
    """Of which item is this request? Parts of one item differ in the last digits of its id."""
    return whole_id(name, row)[:ID_DIGITS]


def whole_id(name, row):
    with open(os.path.join(DIR, name + ".bodies", str(row["n"])), "rb") as f:
        body = f.read()
    if row["headers"].get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if "/push.v1." in row["path"]:
        ids = sub(body, 1, 2, 2)
        assert len(ids) == 1 and HEX.fullmatch(ids[0]), ids
        return ids[0].decode().replace("-", "")
    if row["method"] == "PUT":
        return re.search(r"-([0-9a-f]{32})\.pb\.gz$", row["path"]).group(1)
    if "multipart" in row["headers"].get("content-type", ""):
        return re.search(r"boundary=([0-9a-f]{32})$", row["headers"]["content-type"]).group(1)
    if "v1development" in row["path"]:
        # ExportProfilesServiceRequest.resource_profiles.scope_profiles.profiles.profile_id
        ids = {v.hex() for v in sub(body, 1, 2, 2, 7)}
        assert len({i[:ID_DIGITS] for i in ids}) == 1, ids
        return ids.pop()
    return row["sha256"]


def acked(row):
    return 200 <= row["status"] <= 299 and row["mode"] in ("length", "chunked", "close")


def taken(name):
    """Ids that were acknowledged, in order, with their requests."""
    if name == "files":
        names = os.listdir(os.path.join(DIR, "store", "files"))
        return [re.search(r"-([0-9a-f]{30})..\.pb\.gz$", n).group(1) for n in names]
    return [item_id(name, r) for r in rows(name) if acked(r)]


def status():
    with open(os.path.join(DIR, "status.json"), encoding="utf-8") as f:
        s = json.load(f)
    return s, {b["name"]: b for b in s["forward"]}


def enough():
    s, b = status()
    accepted = max(f["sent"] for f in b.values())
    if accepted < 9:
        no("only %d profiles" % accepted)
    for name in ALL_TAKEN:
        if b[name]["sent"] < 5:
            no("%s has %d only: %s" % (name, b[name]["sent"], b[name]["last_error"]))
    for name in DROPS:
        if b[name]["rejected"] < 1:
            no("%s has dropped none: %s" % (name, b[name]["last_error"]))
    for name in WAITS:
        if not b[name]["last_error"]:
            no("%s has seen no error" % name)


def prompt():
    s, b = status()
    for name in ("good", "files"):
        if b[name]["oldest_waiting_ms"] > PROMPT_S * 1000 or b[name]["failed"]:
            no("%s: %s" % (name, b[name]))
        if b[name]["circuit"] != "closed":
            no("%s: circuit %s" % (name, b[name]["circuit"]))


def rests():
    s, b = status()
    if s.get("collect"):
        no("it still collects")
    for name in ALL_TAKEN + ("large",):
        if b[name]["waiting"]:
            no("%s: %d wait" % (name, b[name]["waiting"]))


def metric(text, name, **labels):
    for line in text.splitlines():
        m = re.fullmatch(r"pillion_%s\{(.*)\} (\S+)" % name, line)
        if m and dict(re.findall(r'(\w+)="([^"]*)"', m.group(1))) == labels:
            return float(m.group(2))
    return no("no metric %s %s" % (name, labels))


def counts():
    s, b = status()
    with open(os.path.join(DIR, "metrics.txt"), encoding="utf-8") as f:
        text = f.read()
    all_ids = set(taken("files"))
    for name in ALL_TAKEN:
        ids = taken(name)
        if len(ids) != len(set(ids)):
            no("%s: %d acknowledged, %d profiles" % (name, len(ids), len(set(ids))))
        if set(ids) != all_ids:
            no("%s: %s and files: %s" % (name, sorted(ids), sorted(all_ids)))
        if b[name]["sent"] != len(ids) or b[name]["circuit"] != "closed":
            no("%s got %d: %s" % (name, len(ids), b[name]))
    for name, row in b.items():
        if row["sent"] + row["rejected"] + row["skipped"] + row["waiting"] != len(all_ids):
            no("%s does not add up to %d: %s" % (name, len(all_ids), row))
        for result, key in (("ok", "sent"), ("rejected", "rejected"), ("skipped", "skipped")):
            if metric(text, "push_total", backend=name, result=result) != row[key]:
                if name not in ("huge", "broken"):
                    no("%s: metric %s is not %s" % (name, result, row))
    for name in WAITS:
        if b[name]["sent"] or b[name]["rejected"] or b[name]["waiting"] != len(all_ids):
            no("%s has lost something: %s" % (name, b[name]))
        if not b[name]["last_error_unix_ns"] or b[name]["circuit"] == "closed":
            no("%s is not well: %s" % (name, b[name]))
    for name, text in (("html", "web page"), ("broken", "HTTP 500: boom"), ("large", "HTTP 413"),
                       ("cert", "certificate"), ("moved", "307"), ("nowhere", "no-such-host")):
        if text not in b[name]["last_error"]:
            no("%s: the error is \"%s\"" % (name, b[name]["last_error"]))
    retries()


def retries():
    s, b = status()
    tries = {}
    for r in rows("broken"):
        tries[item_id("broken", r)] = tries.get(item_id("broken", r), 0) + 1
    if max(tries.values()) > 3 or sum(n == 3 for n in tries.values()) < b["broken"]["rejected"]:
        no("broken was tried %s" % tries)
    later = rows("later")
    if later[1]["time"] - later[0]["time"] < 2.9 or item_id("later", later[0]) != item_id("later", later[1]):
        no("Retry-After: 3 was not honoured: %.2f s" % (later[1]["time"] - later[0]["time"]))
    for name in ("limited", "mended", "cut", "drip", "hangup"):
        first = rows(name)
        if item_id(name, first[0]) != item_id(name, first[1]):
            no("%s: the second request is another profile" % name)
    for r in rows("good") + rows("moved"):
        if r["headers"].get("authorization") != "Bearer Zm9yd2FyZC1zZWNyZXQ":
            no("no token for %s" % r["path"])


def kept():
    all_ids = set(taken("files"))
    s, b = status()
    for name in WAITS:
        folder = os.path.join(DIR, "store", "spool", name)
        ids = {re.search(r"([0-9a-f]{30})[0-9a-f]{2}", n).group(1) for n in os.listdir(folder)}
        if ids != all_ids:
            no("%s keeps %s of %s" % (name, sorted(ids), sorted(all_ids)))
    for name in ALL_TAKEN:
        folder = os.path.join(DIR, "store", "spool", name)
        if os.path.isdir(folder) and os.listdir(folder):
            no("%s: %s is still in the spool" % (name, os.listdir(folder)))


{"enough": enough, "prompt": prompt, "rests": rests, "counts": counts, "kept": kept}[WHAT]()
