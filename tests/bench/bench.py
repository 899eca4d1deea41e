"""bench.py: runs every measurement and prints the table; bench.sh builds what it needs first."""
import datetime
import json
import os
import subprocess
import sys
import time

import floods
import goroutines
import keeping
import measure
import starting
import stopping
from programs import BUILD, ROOT, CannotRun, Sleeper, perf_works

WIDTHS = (52, 11, 13, 12, 10, 5)
HEADS = ("", "pillion", "perf record", "in process", "to reach", "")


def shown(value, unit):
    if value is None:
        return "-"
    if isinstance(value, int):
        return ("%d %s" % (value, unit)).strip()
    digits = 3 if not unit else 2 if abs(value) < 10 else 1
    return ("%.*f %s" % (digits, value, unit)).strip()


class Table:
    """Rows as they come, printed at once: a run takes minutes."""

    def __init__(self):
        self.rows, self.lines = [], []
        self.title = ""

    def line(self, text=""):
        self.lines.append(text.rstrip())
        print(self.lines[-1], flush=True)

    def cells(self, *cells):
        first = cells[0].ljust(WIDTHS[0])
        self.line(first + "".join(c.rjust(w) for c, w in zip(cells[1:], WIDTHS[1:])))

    def area(self, title):
        self.title = title
        self.line()
        self.line(title)

    def row(self, what, unit, ours, perf=None, own=None, sense="", goal=None):
        reached = None if goal is None or ours is None else ours <= goal
        self.rows.append({"area": self.title, "what": what.strip(), "unit": unit, "pillion": ours,
                          "perf": perf, "in_process": own, "goal": goal, "reached": reached})
        self.cells("  " + what, shown(ours, unit), shown(perf, unit), shown(own, unit),
                   "" if goal is None else "%s %g" % (sense, goal),
                   {None: "", True: "yes", False: "NO"}[reached])

    def ratio(self, what, unit, ours, perf, sense="", goal=None):
        """Both figures in one row, their ratio in the next."""
        self.row(what, unit, ours, perf)
        if perf:
            self.row("  ratio", "", ours / perf, 1.0, None, sense, goal)


def head(table, quick, no_perf):
    cores = len(os.sched_getaffinity(0))
    kernel = os.uname().release.split("-")[0]
    version = subprocess.run([os.path.join(BUILD, "pillion"), "version"], capture_output=True,
                             text=True, check=False).stdout.split("\n")[0].strip()
    load = os.getloadavg()[0]
    facts = {"date": datetime.date.today().isoformat(), "cores": cores, "kernel": kernel,
             "version": version, "quick": quick, "load_at_start": load}
    table.line("%s, %s: %d cores, kernel %s, load %.1f at the start%s" % (
        version, facts["date"], cores, kernel, load, ", a quick run" if quick else ""))
    table.line("perf record -F 99 -g -e cpu-clock; medians where there are several runs")
    if no_perf:
        table.line("nothing from perf: " + no_perf)
    table.cells(*HEADS)
    return facts


def main():
    quick = os.environ.get("BENCH_QUICK", "") not in ("", "0")
    began = time.monotonic()
    table = Table()
    sleeper = Sleeper()
    no_perf = perf_works()
    facts = head(table, quick, no_perf)
    starting.starting(table, quick)
    r = measure.rounds(table, quick, not no_perf)
    measure.rows_response(table, r, quick, sleeper.longest(began))
    measure.record(table, r, quick)
    measure.known_shares(table, quick, not no_perf)
    measure.labels(table, quick)
    measure.attach(table, quick, not no_perf)
    stopping.stopping(table, quick)
    goroutines.goroutines(table, quick)
    keeping.keeping(table, quick)
    floods.floods(table, quick)
    facts["seconds"] = round(time.monotonic() - began)
    table.line()
    facts["longest_stall_ms"] = round(sleeper.longest(began), 1)
    table.line("%d s; every figure is of this run, none is a test" % facts["seconds"])
    table.line("a thread that only slept, woke up %.1f ms late at worst: the machine's own stalls" %
               facts["longest_stall_ms"])
    with open(os.path.join(ROOT, "build/bench.txt"), "w") as f:
        f.write("\n".join(table.lines) + "\n")
    with open(os.path.join(ROOT, "build/bench.json"), "w") as f:
        json.dump({"run": facts, "rows": table.rows}, f, indent=1)
        f.write("\n")


try:
    main()
except CannotRun as e:
    sys.exit("bench: %s" % e)
