"""floods.py: connections, handshakes and slow readers by the hundred, and what one who works here
waits meanwhile. The clients are those of the end-to-end tests."""
import json
import os
import re
import subprocess
import sys

from programs import ROOT, CannotRun, Pillion, target

E2E = os.path.join(ROOT, "tests/e2e")
SILENT, READERS = 10000, 100


class Guarded(Pillion):
    """With the limits as they are by default."""
    CONFIG = Pillion.CONFIG + "health: {listen: ['127.0.0.1:0']}\n"

    def ports(self):
        ready = next(r for r in map(json.loads, self.errors().splitlines()) if r["msg"] == "ready")
        return [ready[k].rsplit(":", 1)[1] for k in ("admin", "health")]


def client(name, *args):
    done = subprocess.run([sys.executable, os.path.join(E2E, name)] + [str(a) for a in args],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun("%s: %s" % (name, done.stderr.strip()[-300:]))
    return done.stdout


def number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise CannotRun("the client does not say %s: %s" % (pattern, text[-300:]))
    return float(found[1])


def floods(table, quick):
    silent = 2000 if quick else SILENT
    with target("goruntime-bench", "-n", 22000) as go:
        go.wait_for(r"^ready", "did not start", 60)
        with Guarded(go.pid) as pillion:
            admin, health = pillion.ports()
            said = client("flood.py", admin, pillion.token, health, silent, 1000)
        with Guarded(go.pid) as pillion:
            admin, _ = pillion.ports()
            slow = client("slow.py", admin, pillion.token, pillion.pid, READERS, "/debug/pprof/goroutine?debug=2",
                          8 if quick else 20, 20, 1000)
    table.area("Floods from hundreds of addresses, default limits: the longest that a request of ours takes")
    for what, words in (("%d silent connections" % silent, "silent connections"),
                        ("a flood of handshakes, half of each", "a flood of handshakes"),
                        ("200 slow heads", "200 slow ones")):
        table.row(what, "ms", number(words + r": \d+ requests, the longest took (\d+) ms", said), None, None, "<=", 1000)
    table.row("  RSS of all programs after it", "MiB", number(r"before, ([0-9.]+) MiB after", said), None, None, "<=", 64)
    table.row("%d readers of %.1f MiB, a byte a second" % (READERS, number(r"readers of ([0-9.]+) MiB", slow)), "ms",
              number(r"the longest took (\d+) ms", slow), None, None, "<=", 1000)
    for what, words in (("at most", r"([0-9.]+) at most"), ("before", r"programs: ([0-9.]+) MiB before"),
                        ("afterwards", r"([0-9.]+) afterwards")):
        table.row("  PSS of all programs %s" % what, "MiB", number(words, slow), None, None,
                  "<=" if what == "at most" else "", 64 if what == "at most" else None)
