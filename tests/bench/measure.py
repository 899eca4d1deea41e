"""measure.py: the measurements, one function an area. Each adds its rows to the table."""
import json
import math
import os
import re
import statistics
import time

from programs import BUILD, HZ, CannotRun, Perf, Pillion, Program
from programs import cpu_ns, descriptors, fetch, memory, target, timed

LEAVES = ["main.leafHalf", "main.leafQuarter", "main.leafSeventh", "main.leafTenth"]
CALLERS = ["main.callerMost", "main.callerFew"]
C_LEAVES = ["leaf_1", "leaf_2", "leaf_3", "leaf_4"]
median = statistics.median
IDLE_SECONDS = 10


def ms(ns):
    return ns / 1e6


def go_count(stacks, seen):
    """Adds [(names leaf first, count)] of goshares to seen; `wrong` are samples of the frameless
    leaf whose caller is not the one that called it."""
    for names, n in stacks:
        if "main.hot" in names:
            at = names.index("main.hot") + 1
            key = names[at] if at < len(names) and names[at] in CALLERS else "wrong"
        else:
            key = next((x for x in names if x in LEAVES), None)
        if key:
            seen[key] = seen.get(key, 0) + n


def c_count(stacks, seen):
    for names, n in stacks:
        if names and names[0] in C_LEAVES:
            seen[names[0]] = seen.get(names[0], 0) + n


def stacks_of(answer):
    return [(s["stack"], s["values"][0]) for s in answer.profile.samples]


def stacks_of_perf(samples):
    return [([name for _, name in frames], 1) for _, frames in samples]


def errors(seen, truth, keys):
    """(largest |share - truth|, largest |z|), z by the binomial sigma of as many samples"""
    total = sum(seen.get(k, 0) for k in keys)
    if not total:
        raise CannotRun("a profile without the target's functions")
    off = {k: seen.get(k, 0) / total - truth[k] for k in keys}
    z = {k: off[k] / math.sqrt(truth[k] * (1 - truth[k]) / total) for k in keys}
    return max(map(abs, off.values())), max(map(abs, z.values()))


class Window:
    """Work and CPU time of the target between two moments."""

    def __init__(self, process, url):
        self.process, self.url = process, url
        self.began = self.now()

    def now(self):
        work = int(fetch(self.url + "work")[0])
        return work, cpu_ns(self.process.pid), time.monotonic()

    def close(self):
        work, cpu, at = (b - a for a, b in zip(self.began, self.now()))
        self.rate = work / cpu
        self.cores = cpu / at / 1e9  # that the target kept busy


class Rounds:
    """Windows of the busy target in turns: alone, with Pillion, perf, its own profiler."""

    def __init__(self, seconds, with_perf):
        self.seconds, self.with_perf = seconds, with_perf
        self.rates = {"none": [], "pillion": [], "perf": [], "own": []}
        self.answers = {"pillion": [], "own": []}
        self.perfs = []
        self.taken = {"pillion": [], "perf": [], "own": []}

    def run(self, rounds):
        with target("goshares-endpoint", "-seconds", 3600) as go:
            url = "http://%s/" % go.wait_for(r"^endpoint (\S+)", "no endpoint")[1]
            go.wait_for(r"^ready", "did not start")
            with Pillion(go.pid) as pillion:
                self.idle(pillion)
                order = ["none", "pillion", "own"] + (["perf"] if self.with_perf else [])
                for i in range(rounds):
                    for what in order[i % len(order):] + order[:i % len(order)]:
                        window = Window(go, url)
                        getattr(self, what)(go, url, pillion, window)
                        self.rates[what].append(window.rate)
                self.extra(pillion)
            self.truth = json.loads(fetch(url + "truth")[0])

    def idle(self, pillion):
        time.sleep(1)
        before = sum(pillion.cpu().values())
        time.sleep(IDLE_SECONDS)
        self.idle_cpu_ns = (sum(pillion.cpu().values()) - before) / IDLE_SECONDS
        self.idle_memory = memory(pillion.pids)
        self.busy_memory = []

    def extra(self, pillion):
        """Without labels; at a higher rate; once more idle, after all that work."""
        self.no_labels = pillion.profile(self.seconds, labels=0)
        # what a sample costs is the slope between two rates: starting and symbols cost the same
        self.slopes = {0: [], 1: []}
        for _ in range(3):
            for x in (0, 1):
                a, b = (pillion.profile(2, hz=hz, labels=x) for hz in (20, 1000))
                cost = sum(b.cpu_ns.values()) - sum(a.cpu_ns.values())
                self.slopes[x].append(cost / max(1, b.samples - a.samples))
        self.after_memory = memory(pillion.pids)

    def none(self, *args):
        time.sleep(self.seconds)
        args[-1].close()

    def pillion(self, _go, _url, pillion, window):
        def look():
            m = memory(pillion.pids)
            if m:
                self.busy_memory.append(m)

        # memory is looked at in the first window only: looking costs us CPU time too
        a = pillion.profile(self.seconds, meanwhile=None if self.busy_memory else look)
        window.close()
        self.answers["pillion"].append(a)
        self.taken["pillion"].append(a.samples / (HZ * window.cores * self.seconds))

    def own(self, _go, url, _pillion, window):
        a = timed("%sdebug/pprof/profile?seconds=%d" % (url, self.seconds), "", self.seconds)
        window.close()
        self.answers["own"].append(a)
        self.taken["own"].append(a.samples / (100 * window.cores * self.seconds))

    def perf(self, go, _url, _pillion, window):
        p = Perf(go.pid)
        time.sleep(self.seconds)
        p.stop()
        window.close()
        p.cores = window.cores
        self.perfs.append(p)

    def read_perfs(self):
        for p in self.perfs:
            p.samples = p.script()
            times = [t for t, _ in p.samples]
            span = max(times) - min(times)  # perf's own start is none of its window
            self.taken["perf"].append(len(times) / (HZ * p.cores * span))


def rounds(table, quick, with_perf):
    r = Rounds(4 if quick else 6, with_perf)
    r.run(2 if quick else 6)
    r.read_perfs()
    rows_cpu(table, r)
    rows_memory(table, r)
    rows_right(table, r)
    rows_target(table, r)
    return r


def rows_cpu(table, r):
    ours = median(sum(a.cpu_ns.values()) for a in r.answers["pillion"])
    perf = median(p.used_ns() for p in r.perfs) if r.perfs else None
    script = median(p.script_ns for p in r.perfs) if r.perfs else None
    table.area("CPU time for one profile of %d s at 99 Hz, symbols and pprof included" % r.seconds)
    table.ratio("all our processes : perf record", "ms", ms(ours), perf and ms(perf), "<=", 0.5)
    table.ratio("all our processes : perf record + perf script", "ms", ms(ours),
                perf and ms(perf + script))
    for name in ("guard", "sampler", "sidecar"):
        table.row("  of it %s" % name, "ms",
                  ms(median(a.cpu_ns[name] for a in r.answers["pillion"])))
    table.ratio("  the same with labels=0", "ms", ms(sum(r.no_labels.cpu_ns.values())),
                perf and ms(perf))
    table.row("CPU while idle, a minute", "ms", ms(r.idle_cpu_ns * 60))
    for x, what in ((0, "labels=0"), (1, "labels=1, a wake-up a sample")):
        table.row("CPU a sample, %s" % what, "us", median(r.slopes[x]) / 1e3)


def rows_memory(table, r):
    table.area("Memory of guard, sampler and sidecar (PSS; RSS counts shared pages in each)")
    perf = max(p.usage.ru_maxrss for p in r.perfs) / 1024 if r.perfs else None
    for what, m, goal in (("idle, before the first profile", r.idle_memory, 12),
                          ("idle, after profiles", r.after_memory, 12),
                          ("busy, the most that was seen", max(r.busy_memory, default=None), 24)):
        busy = perf if what.startswith("busy") else None
        table.row("PSS " + what, "MiB", m and m[0] / 1024, None, None, "<=", goal)
        table.row("RSS " + what, "MiB", m and m[1] / 1024, busy)


def rows_right(table, r):
    table.area("Right or not, against a Go target that knows its shares")
    table.row("samples taken / expected, median", "", *(
        median(r.taken[k]) if r.taken[k] else None for k in ("pillion", "perf", "own")))
    seen = {"pillion": {}, "perf": {}, "own": {}}
    for kind in ("pillion", "own"):
        for a in r.answers[kind]:
            go_count(stacks_of(a), seen[kind])
    for p in r.perfs:
        go_count(stacks_of_perf(p.samples), seen["perf"])
    truth = {k: r.truth[k] for k in LEAVES}
    truth["main.hot"] = sum(r.truth[k] for k in CALLERS)
    for s in seen.values():
        s["main.hot"] = sum(s.get(k, 0) for k in CALLERS + ["wrong"])
    off = {k: errors(s, truth, truth) if any(s.values()) else None for k, s in seen.items()}
    table.row("largest share error, all windows together", "%", *(
        off[k] and off[k][0] * 100 for k in ("pillion", "perf", "own")))
    wrong = {k: s.get("wrong", 0) * 100 / s["main.hot"] if s["main.hot"] else None
             for k, s in seen.items()}
    table.row("caller of a frameless leaf wrong", "%", wrong["pillion"], wrong["perf"],
              wrong["own"])


def rows_target(table, r):
    table.area("The target with a profiler : without, work for each second of its CPU time, paired")
    ratios = {k: [a / b for a, b in zip(r.rates[k], r.rates["none"])] for k in r.rates}
    table.row("throughput, median", "", *(
        median(ratios[k]) if ratios[k] else None for k in ("pillion", "perf", "own")))
    table.row("throughput, lowest", "", *(
        min(ratios[k]) if ratios[k] else None for k in ("pillion", "perf", "own")))
    spread = max(r.rates["none"]) / min(r.rates["none"]) - 1
    table.row("windows without any profiler differ by", "%", spread * 100)


def rows_response(table, r, quick, stall_ms):
    """From the end of the window to the last byte, over TLS; and what a symbol costs."""
    late, per_address, addresses = [], [], []
    with target("demo", "-clients", 8, "-pause", "0s") as demo:
        demo.wait_for("serving", "did not start")
        with Pillion(demo.pid) as pillion:
            for _ in range(5 if quick else 12):
                late.append(pillion.profile(1).late_ms)
            for _ in range(2 if quick else 4):
                a = pillion.profile(4, hz=250)
                late.append(a.late_ms)
                addresses.append(len(a.profile.locations))
                if a.tail_ns is not None:
                    per_address.append(a.tail_ns / 1e3 / max(1, addresses[-1]))
    late += [a.late_ms for a in r.answers["pillion"]]
    own = [a.late_ms for a in r.answers["own"]]
    table.area("From the end of the window to the last byte (HTTPS; %d profiles)" % len(late))
    table.row("median", "ms", median(late), None, median(own), "<=", 100)
    table.row("longest", "ms", max(late), None, max(own), "<=", 100)
    table.row("  a thread that only sleeps was late by, at most", "ms", stall_ms)
    table.row("CPU after the window for each distinct address", "us",
              median(per_address) if per_address else None)
    table.row("  distinct addresses of these profiles", "", int(median(addresses)))


def known_shares(table, quick, with_perf):
    """The C target of known shares, then the one that aliases; perf beside us on the same one."""
    table.area("Shares of C targets that know them; perf's fixed period at the same time")
    off, z, perf_off, perf_z = c_runs("shares", 1, 6 if quick else 10, with_perf)
    table.row("largest share error", "%", off[0] * 100, perf_off and perf_off[0] * 100)
    table.row("largest |z|", "", z[0], perf_z and perf_z[0], None, "<=", 3)
    n = 3 if quick else 10
    off, z, perf_off, perf_z = c_runs("alias", n, 3 if quick else 4, with_perf)
    table.row("aliasing target, %d runs: largest |z|" % n, "", max(z),
              perf_z and max(perf_z), None, "<=", 3)
    table.row("aliasing target: runs with |z| > 3", "", sum(x > 3 for x in z),
              perf_z and sum(x > 3 for x in perf_z), None, "<=", 0)
    table.row("aliasing target: largest share error", "%", max(off) * 100,
              perf_off and max(perf_off) * 100)


def c_runs(name, runs, seconds, with_perf):
    off, z, perf_off, perf_z = [], [], [], []
    for _ in range(runs):
        with target(name, seconds + 60) as t:
            t.wait_for(r"leaf_1", "did not start")
            with Pillion(t.pid) as pillion:
                p = Perf(t.pid) if with_perf else None
                answer = pillion.profile(seconds, labels=0)
                if p:
                    p.stop()
            samples = p.script() if p else []
            t.end()
            truth = json.loads(t.text().splitlines()[-1])
        seen = {}
        c_count(stacks_of(answer), seen)
        e = errors(seen, truth, C_LEAVES)
        off.append(e[0])
        z.append(e[1])
        if p:
            seen = {}
            c_count(stacks_of_perf(samples), seen)
            e = errors(seen, truth, C_LEAVES)
            perf_off.append(e[0])
            perf_z.append(e[1])
    return off, z, perf_off, perf_z


def label_counts(answer):
    right = wrong = bare = 0
    for s in answer.profile.samples:
        truth = {"even" for f in s["stack"] if f == "main.phaseEven"} | \
                {"odd" for f in s["stack"] if f == "main.phaseOdd"}
        if len(truth) != 1:
            continue
        if "phase" not in s["labels"]:
            bare += s["values"][0]
        elif s["labels"]["phase"] in truth:
            right += s["values"][0]
        else:
            wrong += s["values"][0]
    return right, wrong, bare


def labels(table, quick):
    table.area("Labels (99 Hz, two goroutines that change theirs with every span)")
    seconds = 3 if quick else 6
    for span, goal in (("100us", None), ("1ms", 5), ("10ms", 1)):
        with target("gospans-local", "-span", span, "-for", "300s") as t:
            t.wait_for("ready", "did not start")
            with Pillion(t.pid) as pillion:
                a = pillion.profile(seconds, labels=1)
                b = pillion.profile(seconds, labels=0)
        right, wrong, bare = label_counts(a)
        table.row("spans of %s: wrong of the labelled" % span, "%",
                  wrong * 100 / (right + wrong) if right + wrong else None,
                  None, None, "<=" if goal else "", goal)
        table.row("  samples left without a label", "%", bare * 100 / max(1, right + wrong + bare))
        delay = re.search(r"read (\d+) us after the sample on average, (\d+) us at most",
                          "\n".join(a.profile.comments))
        table.row("  delay of the reading: mean", "us", float(delay[1]) if delay else None)
        table.row("  delay of the reading: longest", "us", float(delay[2]) if delay else None)
        table.row("  CPU of the profile with labels : without", "",
                  sum(a.cpu_ns.values()) / sum(b.cpu_ns.values()))


def attach(table, quick, with_perf):
    """A target of 200 threads: what opening and closing takes, next to one of a single thread."""
    table.area("Attaching to 200 threads")
    used, first, fds = {}, {}, 0
    perf = perf_fds = None
    for mode, count in (("busy", 1), ("many", 200)):
        with target("threads", mode, 120, 200) as t:
            t.wait_for("ready", "did not start")
            time.sleep(0.3)
            with Pillion(t.pid) as pillion:
                before = descriptors(pillion.pids)
                most = []
                answers = [pillion.profile(1, hz=10, labels=0,
                                           meanwhile=lambda: most.append(descriptors(pillion.pids)))
                           for _ in range(2 if quick else 4)]
            used[count] = min(sum(a.cpu_ns.values()) for a in answers)
            first[count] = min(a.attach_ms for a in answers)
            fds = max(most) - before if before is not None else None
            if with_perf and count == 200:
                with Perf(t.pid) as p:
                    looks = []
                    for _ in range(20):  # it opens its events when the machine lets it
                        time.sleep(0.05)
                        looks.append(descriptors([p.pid]) or 0)
                    perf_fds = max(looks)
                    p.stop()
                perf = ms(p.used_ns())
    table.row("descriptors, while a profile runs", "", fds, perf_fds)
    table.row("CPU of a 1 s profile", "ms", ms(used[200]), perf)
    table.row("  of it for each further thread", "us", (used[200] - used[1]) / 199 / 1e3)
    table.row("from the question to the first moment sampled", "ms", first[200])
    table.row("  with one thread (TLS handshake included)", "ms", first[1])


def record(table, r, quick):
    """`pillion record` as a command, from nothing to the file."""
    used = []
    with target("goshares-endpoint", "-seconds", 3600) as go:
        go.wait_for(r"^ready", "did not start")
        for _ in range(1 if quick else 3):
            with Program([os.path.join(BUILD, "pillion"), "record", "--pid", str(go.pid),
                          "--seconds", str(r.seconds), "--hz", str(HZ), "-o", "/dev/null"]) as p:
                if p.wait(r.seconds + 60) != 0:
                    raise CannotRun("pillion record: " + p.errors()[-300:])
                used.append(p.used_ns())
    perf = median(p.used_ns() + p.script_ns for p in r.perfs) if r.perfs else None
    table.area("`pillion record` as a command, start and end included")
    table.ratio("CPU : perf record + perf script", "ms", ms(median(used)), perf and ms(perf))
