"""starting.py: how large the image is, how fast its programs start, and what they hold when idle.

The programs are those of the image, unpacked from its layer: static and stripped. A start is cold as
to memory, not as to the disk: the files stand in the page cache, as on a node that has the image.
"""
import contextlib
import json
import os
import re
import statistics
import subprocess
import tarfile
import tempfile
import time
import urllib.request

from programs import ROOT, CannotRun, children, cpu_ns, memory, target

IMAGE = os.path.join(ROOT, "build/image")
CONFIG = """limits: {min_interval: 0s}
admin: {listen: ['127.0.0.1:0']}
health: {listen: ['127.0.0.1:0']}
log: {format: json}
"""
READY_SECONDS = 30
SETTLE_SECONDS = 2
LEAST_STARTS = 5


def the_layer():
    """The path of the packed layer."""
    with open(os.path.join(IMAGE, "digest"), encoding="ascii") as f:
        digest = f.read().strip()
    with open(blob(digest), encoding="ascii") as f:
        return blob(json.load(f)["layers"][0]["digest"])


def blob(digest):
    return os.path.join(IMAGE, "oci/blobs", digest.replace(":", "/"))


class Start:
    """One start of the guard, from before its exec."""

    def __init__(self, folder, pid):
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [folder + "/pillion-guard", "run", "--config", folder + "/pillion.yaml", "--pid", str(pid)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            self.to_ready()
        except Exception:
            self.end()
            raise

    def to_ready(self):
        text = b""
        os.set_blocking(self.process.stderr.fileno(), True)
        while b'"msg":"ready"' not in text:
            if time.monotonic() > self.began + READY_SECONDS:
                raise CannotRun("the image's programs are not ready: %s" % text[-300:].decode())
            more = os.read(self.process.stderr.fileno(), 65536)
            if not more:
                raise CannotRun("the image's programs ended: %s" % text[-300:].decode())
            text += more
        self.ready_ms = (time.monotonic() - self.began) * 1e3
        health = re.search(rb'"health":"([^"]+)"', text)
        if not health:
            raise CannotRun("the ready line names no health port")
        while self.asked(health[1].decode()) != 200:
            if time.monotonic() > self.began + READY_SECONDS:
                raise CannotRun("/readyz does not answer 200")
            time.sleep(0.002)
        self.healthy_ms = (time.monotonic() - self.began) * 1e3
        self.pids = [self.process.pid] + children(self.process.pid)
        self.cpu_ms = sum(map(cpu_ns, self.pids)) / 1e6

    @staticmethod
    def asked(address):
        with contextlib.suppress(OSError):
            with urllib.request.urlopen("http://%s/readyz" % address, timeout=5) as r:
                return r.status
        return 0

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()


def starting(table, quick):
    table.area("the image, and a start of its programs")
    try:
        layer = the_layer()
    except OSError as e:
        raise CannotRun("no image: %s; make image builds it" % e) from e
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.chmod(folder, 0o755)
        with tarfile.open(layer) as tar:
            files = [m for m in tar.getmembers() if m.isfile()]
            for m in files:
                tar.extract(m, folder)
        with open(folder + "/pillion.yaml", "w", encoding="ascii") as f:
            f.write(CONFIG)
        table.row("to pull", "MB", os.path.getsize(layer) / 1e6)
        table.row("unpacked", "MB", sum(m.size for m in files) / 1e6, sense="<=", goal=6.29)
        with target("demo") as demo:
            starts = []
            for _ in range(LEAST_STARTS if quick else 3 * LEAST_STARTS):
                s = Start(folder, demo.pid)
                s.end()
                starts.append(s)
            s = Start(folder, demo.pid)
            time.sleep(SETTLE_SECONDS)
            held = memory(s.pids)
            s.end()
    median = statistics.median
    table.row("exec of the guard to the ready line, median", "ms", median(s.ready_ms for s in starts),
              sense="<=", goal=100)
    table.row("... longest of %d" % len(starts), "ms", max(s.ready_ms for s in starts))
    table.row("exec to 200 on /readyz, median", "ms", median(s.healthy_ms for s in starts))
    table.row("CPU of guard, sampler and sidecar until then", "ms", median(s.cpu_ms for s in starts))
    if held:
        table.row("PSS of all processes, idle", "MiB", held[0] / 1024, sense="<=", goal=12)
        table.row("RSS of all processes, idle", "MiB", held[1] / 1024)
