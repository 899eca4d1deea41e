#!/usr/bin/env python3
"""chains.py FILE CHECK...: what a profile says about callers. Stacks are leaf first, "<" means
"called by". Checks, all of them have to hold:

  'a<b<c>=60'   at least 60 % of the samples have these frames side by side; "<=" for at most
  'leaf:a>=60'  …and a is the leaf
  'only:REGEX'  every frame's name matches
  'depth<=12'   no stack is deeper
  'at:PATH'     leaves without a name lie within their mapping, 90 % of them in that file; there are some
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pprof  # noqa: E402


def has(stack, wanted, leaf):
    last = 1 if leaf else len(stack) - len(wanted) + 1
    return any(stack[i:i + len(wanted)] == wanted for i in range(max(last, 0)))


def share(p, chain):
    leaf = chain.startswith("leaf:")
    wanted = chain.removeprefix("leaf:").split("<")
    total = sum(s["values"][0] for s in p.samples)
    hits = sum(s["values"][0] for s in p.samples if has(s["stack"], wanted, leaf))
    return 100 * hits / total if total else 0


def nameless_in(p, path):
    """A moment in another file without names (ld.so at start, the C library) is no error, but it has
    to lie where it says, and nine of ten have to be in the file that is asked for."""
    one = lambda m, n: m.get(n, [0])[0]  # noqa: E731
    leaves = [(p.locations[s["leaf"]], s["values"][0]) for s in p.samples if s["leaf"] and 4 not in p.locations[s["leaf"]]]
    there = 0
    for loc, count in leaves:
        m = p.mappings.get(one(loc, 2))
        if not m or not one(m, 2) <= one(loc, 3) < one(m, 3):
            return "%#x of %s" % (one(loc, 3), p.strings[one(m, 5)] if m else "nothing")
        there += count if p.strings[one(m, 5)] == path else 0
    total = sum(count for _, count in leaves)
    if not total:
        return "no leaf without a name"
    return "" if there * 10 >= total * 9 else "%d of %d" % (there, total)


def check(p, c):
    if c.startswith("only:"):
        bad = {n for s in p.samples for n in s["stack"] if not re.fullmatch(c[5:], n)}
        return "frames %s" % sorted(bad)[:5] if bad else ""
    if c.startswith("at:"):
        return nameless_in(p, c[3:])
    if c.startswith("depth<="):
        deepest = max((len(s["stack"]) for s in p.samples), default=0)
        return "%d deep" % deepest if deepest > int(c[7:]) else ""
    chain, least, number = re.fullmatch(r"(.*?)([<>])=([\d.]+)", c).groups()
    found = share(p, chain)
    fine = found >= float(number) if least == ">" else found <= float(number)
    return "" if fine else "%.1f %%" % found


def main():
    p = pprof.read(sys.argv[1])
    wrong = [(c, w) for c in sys.argv[2:] for w in [check(p, c)] if w]
    if not p.samples:
        wrong.append(("samples", "none"))
    for c, w in wrong:
        print("  %s: %s" % (c, w))
    if wrong:
        for s in sorted(p.samples, key=lambda s: -s["values"][0])[:12]:
            print("   ", s["values"][0], " < ".join(s["stack"]))
        print("   ", "\n    ".join(p.comments))
    return 1 if wrong else 0


sys.exit(main())
