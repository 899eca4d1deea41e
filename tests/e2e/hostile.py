#!/usr/bin/env python3
"""hostile.py record|judge ...: does a profile of a hostile target end in time, small, and well?

    record NAME PILLION OUT LIMIT_S MAX_RSS_KIB ARG...   run `pillion record ARG... -o OUT`
    judge NAME FILE                                      a profile that came over HTTP

PPROF: path of Go's pprof tool, which has to read each profile, too.

Prints one line: NAME, seconds, the sampler's peak memory, what came of it. Exits 1 when the run took
longer than LIMIT_S, the sampler grew beyond MAX_RSS_KIB or died, the profile is invalid, or its error is
not one line of text."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pprof  # noqa: E402

# sampler/symbols/frame.h, FRAME_NAME_BYTES; a byte that is no UTF-8 becomes three
NAME_MAX_BYTES = 3 * 1024


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(c) for c in f.read().split()]
    except OSError:
        return []


def peaks(pid, found):
    """VmHWM of each sampler below pid, by pid."""
    for c in children(pid):
        try:
            with open("/proc/%d/cmdline" % c, "rb") as f:
                name = f.read().split(b"\0")[0]
            if name.endswith(b"pillion-sampler"):
                with open("/proc/%d/status" % c) as f:
                    for line in f:
                        if line.startswith("VmHWM:"):
                            found[c] = max(found.get(c, 0), int(line.split()[1]))
        except (OSError, ValueError):
            pass
        peaks(c, found)


def judge(path):
    """Problems of a profile file, and a word about what is in it."""
    try:
        p = pprof.read(path)
    except UnicodeDecodeError as why:
        return ["a string is not UTF-8: %s" % why], ""
    except Exception as why:  # whatever it is, the file is broken
        return ["cannot be read: %r" % why], ""
    wrong = ["a string of %d bytes" % len(s.encode()) for s in p.strings
             if len(s.encode()) > NAME_MAX_BYTES][:1]
    wrong += ["a sample with the wrong values" for s in p.samples if len(s["values"]) != 2][:1]
    tool = os.environ.get("PPROF", "")  # symbolize: it would open the target's files itself
    raw = tool and subprocess.run([tool, "-symbolize=none", "-raw", path], capture_output=True)
    if raw and raw.returncode != 0:
        wrong.append("go tool pprof: " + raw.stderr.decode(errors="replace")[-200:])
    names = {}
    for s in p.samples:
        for n in s["stack"][:1]:
            names[n] = names.get(n, 0) + s["values"][0]
    top = max(names, key=names.get)[:60] if names else "nothing"
    notes = [c for c in p.comments if c.startswith("symbols:")]
    return wrong, "%d samples, leaf %r, %s" % (sum(s["values"][0] for s in p.samples), top, notes)


def record(name, pillion, out, limit_s, max_kib, args):
    found, wrong, began = {}, [], time.monotonic()
    run = subprocess.Popen([pillion, "record", *args, "-o", out], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.set_blocking(run.stderr.fileno(), False)
    text = b""
    while run.poll() is None and time.monotonic() - began < 4 * limit_s + 30:
        peaks(run.pid, found)
        text += run.stderr.read() or b""
        time.sleep(0.03)
    took = time.monotonic() - began
    if run.poll() is None:
        run.send_signal(signal.SIGTERM)
        time.sleep(2)
        run.kill()
        wrong.append("it never ended")
    run.wait()
    text += run.stderr.read() or b""
    said = text.decode(errors="replace").strip()
    # the bound is of our work: on a machine with more to do than CPUs all of it takes longer
    if took > limit_s * max(1.0, 1.5 * os.getloadavg()[0] / os.cpu_count()):
        wrong.append("it took %.1f s" % took)
    peak = max(found.values(), default=0)
    if peak > max_kib:
        wrong.append("the sampler had %d KiB" % peak)
    if len(found) > 1:
        wrong.append("the sampler died")
    if "AddressSanitizer" in said or "runtime error" in said:
        wrong.append("sanitizer")
    if run.returncode == 0:
        more, about = judge(out)
        wrong += more
    else:
        about = "exit %d: %s" % (run.returncode, said)
        if run.returncode not in (0, 1, 2, 3) or len(said.splitlines()) != 1 or not said.isprintable():
            wrong.append("no error of one line")
    print("%-40s %5.1f s %7d KiB  %s" % (name, took, peak, about))
    if wrong:
        print("  WRONG: %s\n  %s" % ("; ".join(wrong), said[-3000:]))
    return 1 if wrong else 0


def main():
    if sys.argv[1] == "judge":
        wrong, about = judge(sys.argv[3])
        print("%-40s %s %s" % (sys.argv[2], about, "WRONG: %s" % wrong if wrong else ""))
        return 1 if wrong else 0
    name, pillion, out, limit_s, max_kib = sys.argv[2:7]
    return record(name, pillion, out, float(limit_s), int(max_kib), sys.argv[7:])


sys.exit(main())
