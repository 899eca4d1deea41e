"""What ptrace stops cost the target: its work with samples at 99 Hz, and without, in turns.

A busy machine gives the target more or less of a CPU from one window to the next, so what counts is
its work for each second of its CPU time; what it does in a second is shown beside it.
"""
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
import time
from statistics import median

from programs import ROOT, CannotRun, cpu_ns, fetch, target

NOPERF = os.path.join(ROOT, "build/release/tools/noperf")
PILLION = os.path.join(ROOT, "build/release/pillion")
HZ = 99


class Sampling:
    """`pillion record --ptrace` of a target, and the CPU time that it and its programs use."""

    def __init__(self, pid, seconds, folder):
        self.out = os.path.join(folder, "cpu.pb.gz")
        before = os.times()
        done = subprocess.run([NOPERF, PILLION, "record", "--ptrace", "--pid", str(pid), "--hz", str(HZ),
                               "--seconds", str(seconds), "-o", self.out],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        after = os.times()
        if done.returncode:
            raise CannotRun("record --ptrace: %s" % done.stderr.decode(errors="replace").strip())
        self.cpu = after.children_user + after.children_system - before.children_user - before.children_system


def windows(pid, work, seconds, pairs, folder):
    """Work for each CPU second and for each second, as (with, without); our own CPU seconds."""
    rates, ours = {True: [], False: []}, []
    for i in range(2 * pairs):
        sampled = (i + i // 2) % 2 == 1  # without, with, with, without …
        began = work(), cpu_ns(pid), time.monotonic()
        if sampled:
            ours.append(Sampling(pid, seconds, folder).cpu)
        else:
            time.sleep(seconds)
        ended = work(), cpu_ns(pid), time.monotonic()
        done, cpu, took = (b - a for a, b in zip(began, ended))
        rates[sampled].append((done / cpu, done / took))
    return rates, ours


def rows(table, name, rates, ours, seconds):
    for k, what in enumerate(("for each second of its CPU time", "each second")):
        ratios = [a[k] / b[k] for a, b in zip(rates[True], rates[False])]
        table.row("%s: work %s, median" % (name, what), "", median(ratios))
        table.row("%s: … lowest, highest" % name, "", min(ratios))
        table.row("", "", max(ratios))
    alone = [r[0] for r in rates[False]]
    table.row("%s: windows without differ by" % name, "%", (max(alone) / min(alone) - 1) * 100)
    table.row("%s: our CPU time, all programs" % name, "ms/s", median(ours) / seconds * 1000)


def native(table, seconds, pairs, folder):
    path = os.path.join(folder, "words")
    with target("stopped", path) as process:
        process.wait_for(r"^ready", "did not start")
        with open(path, "rb") as f:
            view = mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ)
            rates, ours = windows(process.pid, lambda: sum(struct.unpack_from("<Q", view, at)[0] for at in (0, 64)), seconds, pairs, folder)
            view.close()
    rows(table, "C, two busy threads", rates, ours, seconds)


def go(table, seconds, pairs, folder):
    with target("goshares-endpoint", "-seconds", 3600) as process:
        url = "http://%s/" % process.wait_for(r"^endpoint (\S+)", "no endpoint")[1]
        process.wait_for(r"^ready", "did not start")
        rates, ours = windows(process.pid, lambda: int(fetch(url + "work")[0]), seconds, pairs, folder)
    rows(table, "Go", rates, ours, seconds)


def stopping(table, quick):
    table.area("ptrace stops at %d Hz : none, the target's work, paired" % HZ)
    seconds, pairs = (2, 4) if quick else (4, 10)
    folder = tempfile.mkdtemp(prefix="bench-stops-")
    try:
        native(table, seconds, pairs, folder)
        go(table, seconds, pairs, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
