"""programs.py: starts targets, Pillion and perf, and says what they used; ends them by pid."""
import contextlib
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("PILLION_BUILD", os.path.join(ROOT, "build/release"))
BIN = os.path.join(ROOT, "tests/targets/bin")
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))
import pprof  # noqa: E402

HZ = 99
PROGRAMS = ["guard", "sampler", "sidecar"]


class CannotRun(Exception):
    pass


def cpu_ns(pid):
    """CPU time of a process, all its threads, those that ended too: its CPU clock.

    The clock's number is made as clock_getcpuclockid(3) does (kernel: include/linux/posix-timers.h,
    CPUCLOCK_SCHED). It counts nanoseconds where /proc/PID/stat counts ticks.
    """
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError as e:  # never 0 instead: that would be a good figure for a dead program
        raise CannotRun("process %d has no CPU clock (any more): %s" % (pid, e)) from e


def children(pid):
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            with open("/proc/%s/stat" % entry, "rb") as f:  # names are any bytes
                if int(f.read().rsplit(b")", 1)[1].split()[1]) == pid:
                    found.append(int(entry))
    return found


def name_of(pid):
    with contextlib.suppress(OSError):
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip().replace("pillion-", "")
    return "?"


def memory(pids):
    """KiB: (PSS, RSS) of all of them; None when it cannot be read (it takes root)."""
    pss = rss = 0
    for pid in pids:
        try:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                text = f.read()
        except OSError:
            return None
        pss += int(re.search(r"^Pss: +(\d+)", text, re.M)[1])
        rss += int(re.search(r"^Rss: +(\d+)", text, re.M)[1])
    return pss, rss


def descriptors(pids):
    try:
        return sum(len(os.listdir("/proc/%d/fd" % p)) for p in pids)
    except OSError:
        return None


class Program:
    """A process with its output in a file; ended by its pid."""

    def __init__(self, argv):
        self.out = tempfile.NamedTemporaryFile(prefix="bench-")
        self.err = tempfile.NamedTemporaryFile(prefix="bench-")
        self.name = os.path.basename(argv[0])
        self.process = subprocess.Popen(argv, stdout=self.out, stderr=self.err,
                                        stdin=subprocess.DEVNULL, cwd=ROOT)
        self.pid = self.process.pid
        self.usage = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def text(self):
        with open(self.out.name, errors="replace") as f:
            return f.read()

    def errors(self):
        with open(self.err.name, errors="replace") as f:
            return f.read()

    def wait_for(self, pattern, what, seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = re.search(pattern, self.text() + "\n" + self.errors(), re.M)
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise CannotRun("%s: %s: %s" % (self.name, what, self.errors()[-300:].strip()))

    def wait(self, seconds=60):
        """The exit status; sets usage, which has the CPU time of those it waited for too."""
        until = time.monotonic() + seconds
        while self.usage is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.usage = usage
                self.process.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                raise CannotRun("%s does not end" % self.name)
            else:
                time.sleep(0.002)
        return self.process.returncode

    def used_ns(self):
        return int((self.usage.ru_utime + self.usage.ru_stime) * 1e9)

    def end(self, sig=signal.SIGTERM):
        if self.process.returncode is None:
            self.process.send_signal(sig)
            try:
                self.wait(10)
            except CannotRun:
                self.process.kill()
                self.wait(10)


class Sleeper(threading.Thread):
    """Sleeps 5 ms at a time and notes how late it wakes up: what the machine did to everybody."""

    def __init__(self):
        super().__init__(daemon=True)
        self.late = []  # (when, ms)
        self.start()

    def run(self):
        while True:
            at = time.monotonic_ns()
            time.sleep(0.005)
            late = (time.monotonic_ns() - at) / 1e6 - 5
            if late > 5:
                self.late.append((time.monotonic(), late))

    def longest(self, since):
        return max((ms for at, ms in list(self.late) if at >= since), default=0.0)


def target(name, *args):
    return Program([os.path.join(BIN, name)] + [str(a) for a in args])


class Answer:
    """A profile over HTTP, with what it cost. Times are nanoseconds of the real-time clock."""

    def __init__(self, body, headers, began, done, seconds):
        self.headers = headers
        self.profile = pprof.Profile(body)
        self.attach_ms = (self.profile.time_ns - began) / 1e6
        self.ended_ns = self.profile.time_ns + int(seconds * 1e9)
        self.late_ms = (done - self.ended_ns) / 1e6
        self.samples = sum(s["values"][0] for s in self.profile.samples)
        self.cpu_ns = {}
        self.tail_ns = 0  # of cpu_ns: after the end of the window


def fetch(url, token="", timeout=90):
    request = urllib.request.Request(url)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    context = ssl._create_unverified_context() if url.startswith("https") else None
    with urllib.request.urlopen(request, timeout=timeout, context=context) as r:
        return r.read(), r.headers


def timed(url, token, seconds):
    began = time.time_ns()
    try:
        body, headers = fetch(url, token)
    except OSError as e:
        text = e.read().decode(errors="replace") if hasattr(e, "read") else ""
        raise CannotRun("%s: %s %s" % (url, e, text.strip())) from e
    return Answer(body, headers, began, time.time_ns(), seconds)


class Pillion(Program):
    CONFIG = "limits: {min_interval: 0s}\nadmin: {listen: ['127.0.0.1:0']}\nlog: {format: json}\n"

    def __init__(self, pid):
        with tempfile.NamedTemporaryFile("w", prefix="bench-", suffix=".yaml", delete=False) as f:
            f.write(self.CONFIG)
            self.config = f.name
        super().__init__([os.path.join(BUILD, "pillion"), "run", "--config", self.config,
                          "--pid", str(pid)])
        self.wait_for(r'"msg":"ready"', "no ready line")
        ready = next(r for r in map(json.loads, self.errors().splitlines()) if r["msg"] == "ready")
        self.mode = ready["mode"]
        self.token = self.wait_for(r"any:([^@]+)@", "no token")[1]
        self.url = "https://%s/debug/pprof/" % ready["admin"]
        self.pids, self.names = self.find_programs()

    def find_programs(self):
        """All three by their pids; a child has its parent's name until it has executed itself."""
        until = time.monotonic() + 10
        looks = 0
        while True:
            pids = [self.pid] + children(self.pid)
            names = {p: name_of(p) for p in pids}
            if sorted(names.values()) == PROGRAMS:
                if looks:
                    print("note: programs were all there at look %d only" % (looks + 1),
                          file=sys.stderr)
                return pids, names
            if time.monotonic() > until:
                raise CannotRun("not guard, sampler and sidecar: %s" % names)
            looks += 1
            time.sleep(0.02)

    def cpu(self):
        """By name; the names are three different ones. A program that died is an error."""
        if sorted(name_of(p) for p in self.pids) != PROGRAMS:
            raise CannotRun("a program is gone: %s; %s" % (self.names, self.errors()[-500:]))
        return {self.names[p]: cpu_ns(p) for p in self.pids}

    def profile(self, seconds, hz=HZ, labels=1, meanwhile=None):
        """One profile, and what all our processes used for it, from the question to the end."""
        marks = []
        over = threading.Event()

        def watch():
            try:
                look()
            except CannotRun:
                over.set()  # cpu() below meets it too, in the right thread

        def look():  # the CPU time around the end of the window
            until = time.time() + seconds - 0.03
            while time.time() < until and not over.is_set():
                if meanwhile:
                    meanwhile()
                time.sleep(min(0.1, max(0, until - time.time())))
            while not over.is_set() and time.time() < until + 2:
                marks.append((time.time_ns(), sum(map(cpu_ns, self.pids))))
                if meanwhile:
                    meanwhile()
                time.sleep(0.002)

        before = self.cpu()
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            answer = timed("%sprofile?seconds=%d&hz=%d&labels=%d" % (self.url, seconds, hz, labels),
                           self.token, seconds)
        finally:
            over.set()
            watcher.join()
        time.sleep(0.15)  # what is tidied up afterwards counts too
        after = self.cpu()
        answer.cpu_ns = {n: after[n] - before[n] for n in after}
        marked = [cpu for at, cpu in marks if at <= answer.ended_ns]
        # None: the machine let nobody look in time; no figure is better than a wrong one
        answer.tail_ns = sum(after.values()) - marked[-1] if marked else None
        return answer

    def end(self, sig=signal.SIGTERM):
        super().end(sig)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.config)


class Perf(Program):
    """`perf record -F 99 -g`; the clock is named because machines without a PMU have no other."""

    def __init__(self, pid, *args):
        self.data = tempfile.NamedTemporaryFile(prefix="bench-", suffix=".perf")
        super().__init__(["perf", "record", "-q", "-F", str(HZ), "-g", "-e", "cpu-clock", "-p",
                          str(pid), "-o", self.data.name, *args])

    def stop(self):
        self.stopped = time.monotonic()
        self.end(signal.SIGINT)

    def script(self):
        """[(time, [(address, name)])] of its samples; sets script_ns, what that used."""
        with Program(["perf", "script", "-i", self.data.name]) as p:
            if p.wait() != 0:
                raise CannotRun("perf script: " + p.errors()[-300:])
            self.script_ns = p.used_ns()
            text = p.text()
        samples = []
        for line in text.splitlines():
            head = re.match(r"\S.* (\d+\.\d+): ", line)
            if head:
                samples.append((float(head[1]), []))
            elif line.strip() and samples:
                address, name = line.split(None, 1)
                name = name.rsplit(" (", 1)[0].split("+0x")[0]
                samples[-1][1].append((int(address, 16), name))
        return samples


def perf_works():
    """None, or why there is nothing to compare with."""
    try:
        with Perf(os.getpid()) as p:
            time.sleep(0.3)
            if p.process.poll() is not None:
                return "perf record: " + p.errors().strip()[-200:]
            p.stop()
    except FileNotFoundError:
        return "perf is not installed"
    return None
