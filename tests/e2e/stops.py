#!/usr/bin/env python3
"""Kill our programs at random moments while they sample by ptrace stops: the target runs on.

    stops.py --pillion COMMAND --target FILE --words FILE [--rounds N] [--seconds S] [--seed N]

The target is tests/targets/stopped.c, which writes what it has done into a mapped file. In each
round `pillion record --ptrace` is started and, when threads have been stopped (a worker never waits,
so each voluntary context switch of it is a stop), ended by SIGKILL: the guard, the sampler, the
recording, all at once, or the guard in the very moment in which it holds a thread: it is frozen by
SIGSTOP until a thread is seen in state t. Then: no thread in state t or T, TracerPid 0, both workers
go on, no signal was lost and no read(2) failed. The last line is the account.
"""
import argparse
import mmap
import os
import random
import shlex
import signal
import struct
import subprocess
import sys
import time

WAYS = ("guard", "sampler", "record", "all", "held")


def words(view):
    return tuple(struct.unpack_from("<Q", view, 64 * i)[0] for i in range(6))


def threads(pid):
    """State and tracer of each thread."""
    rows = []
    for tid in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/status" % (pid, tid)) as f:
                text = f.read()
        except OSError:
            continue
        field = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        rows.append((int(tid), field["State"][0], int(field["TracerPid"]), int(field["voluntary_ctxt_switches"])))
    return sorted(rows)


def children(pid):
    found = {}
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            pids = [int(p) for p in f.read().split()]
        for p in pids:
            with open("/proc/%d/comm" % p) as f:
                found[f.read().strip()] = p
    except OSError:
        pass
    return found


def until(seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.005)
    return what()


def kill(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


class Round:
    def __init__(self, args, target, view, rng):
        self.args, self.target, self.view, self.rng = args, target, view, rng
        self.worker = threads(target)[1][0]

    def stops(self):
        return dict((r[0], r[3]) for r in threads(self.target)).get(self.worker, 0)

    def begin(self):
        """A recording that has stopped threads already: (its process, guard, sampler)."""
        before = self.stops()
        record = subprocess.Popen(
            shlex.split(self.args.pillion) + ["record", "--ptrace", "--pid", str(self.target), "--seconds", "60",
                                              "-o", os.devnull],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        began = until(30, lambda: self.stops() >= before + 3 or record.poll() is not None)
        if not began or record.poll() is not None:
            record.kill()
            sys.exit("the recording does not stop threads: %s" % record.stderr.read().decode(errors="replace"))
        guard = children(record.pid).get("pillion-guard", 0)
        sampler = children(guard).get("pillion-sampler", 0) if guard else 0
        if not guard or not sampler:
            sys.exit("no guard or no sampler")
        return record, guard, sampler

    def hold(self, guard):
        """Freeze the guard while it holds a thread; False: it was not met so."""
        for _ in range(400):
            kill(guard, signal.SIGSTOP)
            until(1, lambda: open("/proc/%d/stat" % guard).read().rsplit(")", 1)[1].split()[0] == "T")
            if any(r[1] == "t" for r in threads(self.target)):
                return True
            kill(guard, signal.SIGCONT)
            time.sleep(self.rng.random() * 0.003)
        return False

    def end(self, way, record, guard, sampler):
        held = way == "held" and self.hold(guard)
        time.sleep(0 if held else self.rng.random() * 0.03)
        if way in ("guard", "held", "all"):
            kill(guard, signal.SIGKILL)
        if way in ("sampler", "all"):
            kill(sampler, signal.SIGKILL)
        if way in ("record", "all"):
            kill(record.pid, signal.SIGKILL)
        return held

    def clean(self):
        return all(r[1] not in "tT" and r[2] == 0 for r in threads(self.target))

    def check(self, what):
        if not until(10, self.clean):
            sys.exit("%s: the target is left so: %r" % (what, threads(self.target)))
        then = words(self.view)
        if not until(10, lambda: all(now > was for now, was in zip(words(self.view)[:3], then))):
            sys.exit("%s: its work does not go on: %r" % (what, words(self.view)))

    def run(self, way):
        record, guard, sampler = self.begin()
        held = self.end(way, record, guard, sampler)
        if way in ("guard", "held", "all"):
            self.check("after the end of the guard (%s)" % way)
        # a guard that has lost its sampler or its front ends by itself, or goes on until the end
        kill(record.pid, signal.SIGTERM)
        try:
            record.wait(10)
        except subprocess.TimeoutExpired:
            record.kill()
            record.wait()
        until(10, lambda: not os.path.exists("/proc/%d" % guard) or
              open("/proc/%d/stat" % guard).read().rsplit(")", 1)[1].split()[0] == "Z")
        self.check("at the end (%s)" % way)
        record.stderr.close()
        return held


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--pillion", required=True)
    p.add_argument("--target", required=True)
    p.add_argument("--words", required=True)
    p.add_argument("--rounds", type=int, default=25)
    p.add_argument("--seconds", type=float, default=1e9)
    p.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = p.parse_args()
    rng = random.Random(args.seed)
    target = subprocess.Popen([args.target, args.words], stdout=subprocess.PIPE)
    done, held = dict.fromkeys(WAYS, 0), 0
    try:
        if target.stdout.readline() != b"ready\n":
            sys.exit("the target does not begin")
        with open(args.words, "rb") as f:
            view = mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ)
        end = time.monotonic() + args.seconds
        for i in range(args.rounds):
            if time.monotonic() > end:
                break
            way = WAYS[i % len(WAYS)]
            held += Round(args, target.pid, view, rng).run(way)
            done[way] += 1
        # queued signals arrive one after the other: give the last ones their time
        if not until(10, lambda: words(view)[3] - words(view)[4] <= 1):
            sys.exit("signals were lost: %d sent, %d handled" % words(view)[3:5])
        bad = words(view)[5]
    finally:
        target.kill()
        target.wait()
    if bad:
        sys.exit("%d read(2)s of the target were disturbed" % bad)
    print("%d rounds (%s), seed %d: killed while it held a thread: %d; the target ran on, no signal lost"
          % (sum(done.values()), ", ".join("%s %d" % d for d in done.items()), args.seed, held))


main()
