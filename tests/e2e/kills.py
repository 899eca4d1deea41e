#!/usr/bin/env python3
"""Kill the whole running program at random moments and account for every profile.

    kills.py --pillion FILE --pid TARGET --folder DIR [--rounds N] [--seconds S] [--seed N]

What is accepted is seen from outside: inotify(7) tells of each link in each backend's folder of the
spool, whoever made it and whether or not anybody lived to tell. Every one of them has to arrive.
Receivers: a folder (type directory), and an HTTP server for two backends whose requests carry the
profile's id (pyroscope's JSON and datadog's boundary). The server counts ids, and closes now and
then after it has read a request: that answer is lost.

A second copy is right only when the answer to the first one was lost: by the server, or with the
process that waited for it. It is the same request, byte for byte. Each round kills the sidecar, the
guard or all programs at once with SIGKILL. The last line is the account.
"""
import argparse
import ctypes
import glob
import gzip
import hashlib
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pprof  # noqa: E402

BACKENDS = ("folder", "json", "dog")
NOT_FOR = {"dog": ("allocs", "threadcreate")}  # docs/forwarding.md: skipped, by design
NAME = re.compile(r"^\d{19}-([a-z0-9_]+)-([0-9a-f]{32})\.plsp$")
IN_CREATE, IN_MOVED_TO = 0x100, 0x80
# From the last byte of an answer to the link's removal: a queue of jobs, an fsync, a busy machine
SETTLES_S = 10.0


class Links(threading.Thread):
    """Every name that ever stood in a backend's folder: {backend: {id: type}}."""

    def __init__(self, spool):
        super().__init__(daemon=True)
        self.seen = {b: {} for b in BACKENDS}
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_CLOEXEC)
        self.of = {}
        for b in BACKENDS:
            path = os.path.join(spool, b)
            os.makedirs(path, mode=0o700, exist_ok=True)
            wd = libc.inotify_add_watch(self.fd, path.encode(), IN_CREATE | IN_MOVED_TO)
            if self.fd < 0 or wd < 0:
                raise OSError(ctypes.get_errno(), "inotify")
            self.of[wd] = b

    def run(self):
        while True:
            data = os.read(self.fd, 1 << 16)
            at = 0
            while at < len(data):
                wd, mask, _, n = struct.unpack_from("iIII", data, at)
                name = data[at + 16:at + 16 + n].rstrip(b"\0").decode()
                at += 16 + n
                if mask & 0x4000:  # IN_Q_OVERFLOW: the account would be false
                    os._exit(3)
                m = NAME.match(name)
                if m:
                    self.seen[self.of[wd]][m.group(2)] = m.group(1)


class Arrivals:
    def __init__(self, rng):
        self.lock = threading.Lock()
        self.rng = rng
        self.of = {b: {} for b in BACKENDS[1:]}  # id: [(time, sha256, answer lost)]
        self.honest = False  # at the end no answer is lost any more

    def take(self, backend, ident, body):
        with self.lock:
            dice = self.rng.random()
            lost = not self.honest and dice < 0.08
            rows = self.of[backend].setdefault(ident, [])
            rows.append((time.monotonic(), hashlib.sha256(body).hexdigest(), lost))
            return lost, 0 if self.honest or dice < 0.6 else self.rng.random() * 0.3


def handler(arrivals):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if len(body) < int(self.headers["Content-Length"]):
                return  # its sender was killed on the way
            boundary = re.search(r"boundary=([0-9a-f]{32})$", self.headers["Content-Type"] or "")
            if boundary:
                backend, ident = "dog", boundary.group(1)
            else:
                backend = "json"
                ident = json.loads(body)["series"][0]["samples"][0]["ID"].replace("-", "")
            lost, delay = arrivals.take(backend, ident, body)
            time.sleep(delay)
            if lost:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def handle(self):
            try:
                super().handle()
            except OSError:  # it was killed
                pass

    return Handler


class Program:
    def __init__(self, args, config):
        self.args, self.config = args, config
        self.process, self.log, self.starts, self.refused = None, None, 0, 0

    def start(self):
        if self.log:
            self.refused += self.disk_refused()
            self.log.close()
        self.starts += 1
        self.log = open(os.path.join(self.args.folder, "log.%d" % (self.starts % 20)), "wb")
        self.process = subprocess.Popen(
            [self.args.pillion, "run", "--config", self.config, "--pid", str(self.args.pid)],
            stdout=subprocess.DEVNULL, stderr=self.log)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def children(self):
        try:
            with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
                return [int(p) for p in f.read().split()]
        except OSError:
            return []

    def child(self, name):
        for pid in self.children():
            try:
                with open("/proc/%d/comm" % pid) as f:
                    if f.read().strip().startswith(name[:15]):
                        return pid
            except OSError:
                pass
        return None

    def kill(self, what):
        """SIGKILL; True when something was hit."""
        if what == "sidecar":
            pids = [self.child("pillion-sidecar")]
        elif what == "guard":
            pids = [self.process.pid]
        else:
            pids = [self.process.pid] + self.children()
        for pid in filter(None, pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if what != "sidecar":
            self.process.wait()
        return any(pids)

    def disk_refused(self):
        """Was the spool another one's, or slow to be ours? Then profiles were in memory only."""
        with open(self.log.name, errors="replace") as f:
            return f.read().count("the spool cannot be written")

    def tail(self):
        with open(self.log.name, errors="replace") as f:
            return "".join(f.readlines()[-15:])


def waiting(spool):
    return sum(len([n for n in os.listdir(os.path.join(spool, b)) if n.endswith(".plsp")])
               for b in BACKENDS)


def wait_for(seconds, true):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def configure(path, folder, url, every):
    with open(path, "w") as f:
        f.write("""admin: {listen: ["unix:%(folder)s/admin"], tls: off}
leak_watch: {every: 0s}
collect:
  every: %(every)s
  profiles: [{type: cpu, seconds: 1}, {type: heap}, {type: goroutine}, {type: allocs}, {type: threadcreate}]
spool: {dir: %(folder)s/spool}
forward:
  - {name: folder, type: directory, path: %(folder)s/out}
  - {name: json, type: pyroscope, format: json, url: "%(url)s"}
  - {name: dog, type: datadog, url: "%(url)s"}
""" % {"folder": folder, "url": url, "every": every})


def rounds(args, program, links, kills, rng):
    end = time.monotonic() + args.seconds
    done = 0
    while done < args.rounds and (time.monotonic() < end or done < args.least):
        if not program.alive():
            program.start()
        before = sum(map(len, links.seen.values()))
        # most rounds kill while profiles come, some the moment one is linked; some at the start
        dice = rng.random()
        if dice > 0.25 and not wait_for(60, lambda: sum(map(len, links.seen.values())) > before
                                        or not program.alive()):
            sys.exit("nothing was collected in 60 s: " + program.tail())
        if dice < 0.8:
            time.sleep(rng.random() * (1.0 if dice <= 0.25 else 0.5))
        if program.alive() and program.kill(rng.choice(["sidecar", "guard", "tree", "tree"])):
            kills.append(time.monotonic())
            done += 1
    return done


def account(args, links, arrivals, kills, refused):
    errors, copies, unseen = [], 0, set()
    files = {}
    for path in glob.glob(os.path.join(args.folder, "out", "*.pb.gz")):
        files[path[-len("0" * 32 + ".pb.gz"):-len(".pb.gz")]] = path
    for ident, kind in links.seen["folder"].items():
        if ident not in files:
            errors.append("%s %s never came to the folder" % (kind, ident))
    for path in files.values():
        pprof.message(gzip.open(path).read())
    left = [n for n in os.listdir(os.path.join(args.folder, "out")) if not n.endswith(".pb.gz")]
    if left:
        errors.append("left in the folder: %s" % left[:5])
    for b in BACKENDS[1:]:
        for ident, kind in links.seen[b].items():
            rows = arrivals.of[b].get(ident, [])
            if not rows and kind not in NOT_FOR.get(b, ()):
                errors.append("%s %s never came to %s" % (kind, ident, b))
        for ident, rows in arrivals.of[b].items():
            copies += len(rows) - 1
            if ident not in links.seen[b]:
                unseen.add(ident)
            if len({r[1] for r in rows}) != 1:
                errors.append("copies of %s at %s differ" % (ident, b))
            for (at, _, lost), (again, _, _) in zip(rows, rows[1:]):
                killed = any(at - SETTLES_S < k < min(again, at + SETTLES_S) for k in kills)
                if not lost and not killed:
                    errors.append("%s came to %s twice, and no answer was lost" % (ident, b))
    if unseen:
        print("%d came straight from memory, the disk refused %d times" % (len(unseen), refused))
    if unseen and not refused:
        errors.append("sent, and never in a folder: %s" % sorted(unseen)[:5])
    return errors, copies, len(files)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--pillion", required=True)
    p.add_argument("--pid", type=int, required=True)
    p.add_argument("--folder", required=True)
    p.add_argument("--rounds", type=int, default=40)
    p.add_argument("--least", type=int, default=10)
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = p.parse_args()
    print("seed %d" % args.seed, flush=True)
    rng = random.Random(args.seed)
    spool = os.path.join(args.folder, "spool")
    os.makedirs(os.path.join(args.folder, "out"))
    links, arrivals, kills = Links(spool), Arrivals(random.Random(args.seed + 1)), []
    links.start()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(arrivals))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % server.server_port
    config = os.path.join(args.folder, "pillion.yaml")
    configure(config, args.folder, url, "1s")
    program = Program(args, config)
    ended_well = True
    try:
        done = rounds(args, program, links, kills, rng)
        arrivals.honest = True
        if program.alive():
            program.kill("tree")
        configure(config, args.folder, url, "0s")  # nothing new: what is left has to go
        program.start()
        if not wait_for(60, lambda: '"msg":"ready"' in program.tail() or not program.alive()):
            sys.exit("it does not come back: " + program.tail())
        if not wait_for(90, lambda: waiting(spool) == 0 or not program.alive()):
            print("%d wait for ever: %s" % (waiting(spool), program.tail()))
        program.process.terminate()
        if program.process.wait(60) != 0:
            print("it ended with %d: %s" % (program.process.returncode, program.tail()))
            ended_well = False
        time.sleep(0.5)  # inotify's last words
    finally:
        if program.alive():
            program.kill("tree")
    errors, copies, files = account(args, links, arrivals, kills, program.refused + program.disk_refused())
    for e in errors[:20]:
        print(e)
    print("%d kills, %d starts, %d profiles in the folder, %s at the servers, %d second copies, %d errors" % (
        done, program.starts, files, "+".join(str(len(arrivals.of[b])) for b in BACKENDS[1:]), copies, len(errors)))
    if not errors and files < done:
        sys.exit("too few profiles for that many rounds")
    sys.exit(1 if errors or not ended_well else 0)


main()
