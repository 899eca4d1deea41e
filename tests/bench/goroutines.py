"""goroutines.py: 100,000 goroutines read from outside, beside the target's own endpoint."""
import os
import re
import statistics
import sys
import threading
import time

from programs import CannotRun, Pillion, Program, fetch, memory, target

HERE = os.path.dirname(os.path.abspath(__file__))
FORMS = [("debug=0", ""), ("debug=1", "?debug=1"), ("debug=2", "?debug=2"),
         ("labels=detail", "?labels=detail")]
median = statistics.median


class Window:
    """What a client of the target met between two moments."""

    def __init__(self, probe, began, ended):
        rows = [tuple(map(int, r.split())) for r in probe.text().splitlines() if r.count(" ") == 1]
        # a request that was under way then was met, whenever it began
        self.ms = [took / 1e6 for at, took in rows if at < ended and at + took > began]
        if not self.ms:
            raise CannotRun("the target answered nobody meanwhile")
        self.longest = max(self.ms)
        self.median = median(self.ms)


class Reading:
    """One answer, with what it cost all our processes."""

    def __init__(self, pillion, query, n):
        before = pillion.cpu()
        self.began = time.monotonic_ns()
        body, self.headers = fetch(pillion.url + "goroutine" + query, pillion.token)
        self.ended = time.monotonic_ns()
        self.wall_ms = (self.ended - self.began) / 1e6
        time.sleep(0.2)  # what is tidied up afterwards counts too, and the kind rests
        after = pillion.cpu()
        self.cpu_ms = {k: (after[k] - before[k]) / 1e6 / (n / 10000) for k in after}
        self.bytes = len(body)
        if int(self.headers["Pillion-Goroutines"]) < n:
            raise CannotRun("only %s goroutines were read" % self.headers["Pillion-Goroutines"])


def peaks(pillion, query, n):
    """MiB: (the most PSS that was seen, the peaks of RSS added), None without the right to look."""
    try:
        for pid in pillion.pids:
            with open("/proc/%d/clear_refs" % pid, "w") as f:
                f.write("5")  # proc(5): the peak begins anew
    except OSError:
        return None, None
    seen, over = [], threading.Event()

    def look():
        while not over.is_set():
            seen.append(memory(pillion.pids)[0] / 1024)
            time.sleep(0.002)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        Reading(pillion, query, n)
    finally:
        over.set()
        watcher.join()
    highest = 0
    for pid in pillion.pids:
        with open("/proc/%d/status" % pid) as f:
            highest += int(re.search(r"^VmHWM:\s+(\d+)", f.read(), re.M)[1]) / 1024
    return max(seen), highest


def rounds(go, url, pillion, probe, n, count):
    """In turns: nobody, each of our forms, the target's own debug=2; and their windows."""
    ours = {name: [] for name, _ in FORMS}
    own, times = [], {"nobody": [], "own": []}
    for _ in range(count):
        began = time.monotonic_ns()
        time.sleep(0.3)
        times["nobody"].append((began, time.monotonic_ns()))
        for name, query in FORMS:
            ours[name].append(Reading(pillion, query, n))
        began = time.monotonic_ns()
        fetch(url + "goroutine?debug=2")
        own.append((time.monotonic_ns() - began) / 1e6)
        times["own"].append((began, time.monotonic_ns()))
        time.sleep(0.2)
    for name, readings in ours.items():
        times[name] = [(r.began, r.ended) for r in readings]
    windows = {k: [Window(probe, *t) for t in v] for k, v in times.items()}
    return ours, own, windows


def rows(table, n, ours, own, windows, high):
    longest = {k: median(w.longest for w in v) for k, v in windows.items()}
    table.area("%d goroutines, read while a client asks the target every ms (%d rounds)" %
               (n, len(own)))
    table.row("a request's median delay: nobody reads", "ms",
              median(w.median for w in windows["nobody"]))
    table.row("  debug=2 is read", "ms", median(w.median for w in windows["debug=2"]), None,
              median(w.median for w in windows["own"]))
    table.row("its longest delay, median of all rounds: nobody reads", "ms", longest["nobody"])
    for name, _ in FORMS:
        table.row("  %s is read" % name, "ms", longest[name], None,
                  longest["own"] if name == "debug=2" else None)
    worst = max(longest[name] for name, _ in FORMS)
    table.row("  more than when nobody reads, worst form", "ms", max(0.0, worst - longest["nobody"]),
              None, longest["own"] - longest["nobody"], "<=", 2)
    for name, _ in FORMS:
        table.row("time of one answer, %s" % name, "ms", median(r.wall_ms for r in ours[name]), None,
                  median(own) if name == "debug=2" else None)
    for name, _ in FORMS:
        table.row("CPU of all our processes for 10,000, %s" % name, "ms",
                  median(sum(r.cpu_ms.values()) for r in ours[name]), None, None, "<=", 12)
        for program in ("guard", "sampler", "sidecar"):
            table.row("  of it %s" % program, "ms", median(r.cpu_ms[program] for r in ours[name]))
    for name, (pss, hwm) in high.items():
        table.row("PSS at its highest, %s" % name, "MiB", pss, None, None, "<=", 32)
        table.row("  peak RSS of each, added (the upper bound)", "MiB", hwm, None, None, "<=", 32)


def goroutines(table, quick):
    n = 100000
    with target("goruntime-bench", "-n", n) as go:
        address = go.wait_for(r"^listen (\S+)", "does not listen")[1]
        go.wait_for(r"^ready", "did not start", 60)
        url = "http://%s/debug/pprof/" % address
        with Pillion(go.pid) as pillion:
            with Program([sys.executable, os.path.join(HERE, "probe.py")] +
                         address.rsplit(":", 1)) as probe:
                Reading(pillion, "", n)  # the first one looks at the program too
                ours, own, windows = rounds(go, url, pillion, probe, n, 3 if quick else 7)
            high = {name: peaks(pillion, query, n) for name, query in FORMS}
    rows(table, n, ours, own, windows, high)
