"""What 46-family.sh wants to know of a profile with target.all.

check_family.py cpu PID...                          CPU time of each, ns, one a line
check_family.py profile FILE PARENT NAME GO BUSY HALF LATE
check_family.py shares FILE BEFORE AFTER PID PID     the ratio of two processes' times
check_family.py labels FILE KEY...                   every sample has them
check_family.py comment FILE TEXT...                 some comment has each
check_family.py storm FILE
"""
import re
import sys

import pprof


def cpu(pid):
    with open("/proc/%s/schedstat" % pid) as f:
        return int(f.read().split()[0])


def need(what, holds):
    if not holds:
        sys.exit("check_family: " + what)


def by(p, key):
    out = {}
    for s in p.samples:
        out.setdefault(s["labels"].get(key), []).append(s)
    return out


def time_of(samples):
    return sum(s["values"][1] for s in samples)


def names(samples):
    """Functions of this program, with the time in them."""
    out = {}
    for s in samples:
        for f in set(s["stack"]):
            if f.startswith("work_") or f.startswith("main.") or f == "runtime.goexit":
                out[f] = out.get(f, 0) + s["values"][1]
    return out


def profile(path, parent, name, go, busy, half, late):
    p = pprof.read(path)
    process = by(p, "process")
    pid = by(p, "pid")
    for who, work in (("worker-busy", "work_busy"), ("worker-half", "work_half"), ("worker-late", "work_late")):
        need("nothing of %s in %s" % (who, list(process)), who in process)
        seen = names(process[who])
        need("%s: %s" % (who, seen), seen.get(work, 0) >= 0.8 * time_of(process[who]))
        need("%s has others' functions: %s" % (who, seen), set(seen) <= {work})
    for number, who in ((busy, "worker-busy"), (half, "worker-half"), (late, "worker-late")):
        got = set(s["labels"].get("process") for s in pid.get(int(number), []))
        need("pid %s is %s" % (number, got), got == {who})
    # the program before its exec, and the one after it: same pid
    before = [s for s in p.samples if "work_before" in s["stack"]]
    after = [s for s in p.samples if "work_after" in s["stack"]]
    need("nothing before the exec", before)
    need("nothing after the exec", after)
    need("an exec changes no pid", set(s["labels"]["pid"] for s in before) == set(s["labels"]["pid"] for s in after))
    # Go below C: each with its own names
    need("nothing of %s in %s" % (go, list(process)), go in process)
    seen = names(process[go])
    need("the Go child: %s" % seen, any(f.startswith("main.") for f in seen) and "runtime.goexit" in seen)
    need("the Go child has C's functions: %s" % seen, not any(f.startswith("work_") for f in seen))
    strays = time_of([s for s in p.samples if s["stack"] == ["[processes that were not looked at]"]])
    need("%d ms of strays" % (strays // 1000000), strays < 0.25 * time_of(p.samples))
    need("the parent is no target: %s" % p.comments, any(name in c for c in p.comments if c.startswith("target:")))


def shares(path, before, after, *pids):
    p = pprof.read(path)
    pid = by(p, "pid")
    a = [int(x) for x in open(before).read().split()]
    b = [int(x) for x in open(after).read().split()]
    truth = (b[0] - a[0]) / max(b[1] - a[1], 1)
    seen = time_of(pid[int(pids[0])]) / max(time_of(pid[int(pids[1])]), 1)
    print("ratio %.2f, of the kernel %.2f" % (seen, truth))
    # on a busy machine some 100 samples each: 40 % is more than 2.5 sigma
    need("the ratio is %.2f, of the kernel %.2f" % (seen, truth), truth / 1.6 < seen < truth * 1.6)


def labels(path, *keys):
    p = pprof.read(path)
    need("no samples", p.samples)
    for s in p.samples:
        if not s["stack"][0].startswith("["):
            need("labels %s" % s["labels"], all(k in s["labels"] for k in keys))


def comment(path, *texts):
    p = pprof.read(path)
    for t in texts:
        need("no comment has %r: %s" % (t, p.comments), any(t in c for c in p.comments))


def storm(path):
    p = pprof.read(path)
    c = [c for c in p.comments if c.startswith("processes:")]
    need("no comment: %s" % p.comments, c)
    strays = int(re.search(r"not looked at: (\d+)", c[0]).group(1))
    shown = sum(s["values"][0] for s in p.samples if s["stack"] == ["[processes that were not looked at]"])
    need("%d counted, %d shown" % (strays, shown), strays == shown)
    need("nothing was seen: %s" % c, strays > 0 or any("work_churn" in s["stack"] for s in p.samples))
    need("%d samples" % len(p.samples), len(p.samples) < 20000)


if sys.argv[1] == "cpu":
    for i in sys.argv[2:]:
        print(cpu(i))
else:
    globals()[sys.argv[1]](*sys.argv[2:])
