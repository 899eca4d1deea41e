"""check_labels.py FILE: of the labelled samples of gospans, which share has the right label?

Prints JSON {labelled, wrong, share_right, unlabelled}: a sample is right when the label `phase` is
that of the phase function in its stack.
"""
import json
import sys

import pprof

labelled = wrong = unlabelled = 0
for s in pprof.read(sys.argv[1]).samples:
    truth = {"even" for f in s["stack"] if f == "main.phaseEven"} | \
            {"odd" for f in s["stack"] if f == "main.phaseOdd"}
    if len(truth) != 1:
        continue
    n = s["values"][0]
    if "phase" not in s["labels"]:
        unlabelled += n
        continue
    labelled += n
    if s["labels"]["phase"] not in truth:
        wrong += n
json.dump({"labelled": labelled, "wrong": wrong, "unlabelled": unlabelled,
           "share_right": 1 - wrong / labelled if labelled else None}, sys.stdout)
print()
