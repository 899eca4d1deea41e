"""check_shares.py PROFILE TRUTH.json: shares of goshares' leaves, and who called the frameless one.

Exit 1 when a share is more than 3 sigma from the truth, or a caller is wrong.
"""
import json
import math
import sys

import pprof

LEAVES = ["main.leafHalf", "main.leafQuarter", "main.leafSeventh", "main.leafTenth"]
CALLERS = ["main.callerMost", "main.callerFew"]
truth = json.load(open(sys.argv[2]))
profile = pprof.read(sys.argv[1])
seen = dict.fromkeys(LEAVES + CALLERS, 0)
total = orphans = 0
for s in profile.samples:
    n = s["values"][0]
    names = [f for f in s["stack"] if f in seen]
    if "main.hot" in s["stack"]:
        at = s["stack"].index("main.hot")
        caller = s["stack"][at + 1] if at + 1 < len(s["stack"]) else ""
        if caller not in CALLERS:
            orphans += n
            continue
    if len(names) != 1:
        continue
    total += n
    seen[names[0]] += n
bad = total < 200
for name, count in seen.items():
    p = truth[name]
    sigma = math.sqrt(p * (1 - p) / total) if total else 1
    z = (count / total - p) / sigma if total else 99
    print("%-18s %.4f truth %.4f z %+.2f" % (name, count / max(total, 1), p, z))
    bad = bad or abs(z) > 3
print("samples %d, of main.hot with a wrong caller %d" % (total, orphans))
sys.exit(1 if bad or orphans > 0 else 0)
