"""compare.py THEIRS OURS RULE: two outputs of the decoders say the same, as far as RULE's backend
has it: which labels go along, what is cut, how the series is named, which durations."""
import json
import sys

theirs, ours = (json.load(open(p)) for p in sys.argv[1:3])
rule, _, arg = sys.argv[3].partition("=")
NAMES = {"cpu": "process_cpu", "heap": "memory", "allocs": "memory"}
IDS = ("span_id", "trace_id", "span id")


def stop(text):
    print(text)
    sys.exit(1)


def want(ok, text):
    if not ok:
        stop(text)


def relabel(sums, change):
    """The sums with labels as ${change} makes them, samples with negative values left out."""
    out = {}
    for key, value in sums.items():
        head, _, labels = key.rpartition("|")
        pairs = [p.partition("=")[::2] for p in labels.split(",") if p]
        pairs = change(pairs)
        if value > 0:
            key = head + "|" + ",".join(sorted("%s=%s" % p for p in pairs))
            out[key] = out.get(key, 0) + value
    return out


def shorten(sums):
    """Stacks of more than 1,000 frames lose their middle."""
    out = {}
    for key, value in sums.items():
        kind, stack, labels = key.rsplit("|", 2)
        frames = stack.split(";")
        if len(frames) > 1000:
            frames = frames[:500] + ["[%d frames cut]:0" % (len(frames) - 999)] + frames[-499:]
        out["|".join((kind, ";".join(frames), labels))] = value
    return out


def same(a, b):
    for key in sorted(set(a) | set(b)):
        if a.get(key) != b.get(key):
            stop("%s: %s and %s" % (key[:300], a.get(key), b.get(key)))


def totals(sums):
    out = {}
    for key, value in sums.items():
        out[key.split("|")[0]] = out.get(key.split("|")[0], 0) + value
    return out


want(theirs["sums"] and ours["sums"], "nothing to compare")
if rule == "total":
    want(int(arg) in totals(ours["sums"]).values(), "go tool pprof says %s: %s" % (arg, totals(ours["sums"])))
elif rule in ("pyroscope", "ingest", "kept"):
    change = lambda pairs: []
    if rule == "kept":
        # without text labels nothing is changed, numbers go along for the server to drop
        plain = not theirs["texts"]

        def change(pairs):
            kept = [p for p in pairs if plain or p[0] in ("tenant", "span_id", "trace_id")]
            return kept + [("span_id", "%016x" % int(v)) for k, v in pairs if k == "span id"]
    same(shorten(relabel(theirs["sums"], change)), ours["sums"])
    want(ours["negative"] == 0 and ours["depth"] <= 1000, "negative or deep")
    if rule == "pyroscope":
        labels = ours["labels"]
        want(set(ours["texts"]) <= set(IDS), "text labels: %s" % ours["texts"])
        want(labels["__name__"] == NAMES.get(arg, arg), labels)
        want(labels["service_name"] == "shop" and labels["__delta__"] == "false", labels)
        want(labels["pyroscope_spy"] == "pillion" and labels["k8s_team"] == "a-b", labels)
        want(ours["ids"] == ["01234567-89ab-cdef-0123-456789abcdef"], ours["ids"])
elif rule == "parca":
    change = lambda pairs: [
        ("otel.traceid" if k == "trace_id" else k, v) for k, v in pairs if k not in ("span_id", "span id")
    ]
    same(relabel(theirs["sums"], change), ours["sums"])
    want(ours["labels"]["__name__"] == NAMES.get(arg, arg), ours["labels"])
    want(ours["labels"]["job"] == "shop" and ours["labels"]["instance"] == "shop-1", ours["labels"])
    durations = ours["durations"]
    if arg in ("heap", "allocs"):
        want(len(durations) == 2 and durations[0] == 0 and durations[1] > 0, durations)
    elif arg in ("goroutine", "threadcreate"):
        want(durations == [0], durations)
    else:
        want(len(durations) == 1 and durations[0] > 0, durations)
elif rule == "otlp":
    sums = relabel(theirs["sums"], lambda pairs: pairs)
    if arg == "cpu":
        # samples/count with the period says it all
        sums = {k: v for k, v in sums.items() if k.startswith("samples/")}
        want(ours["periods"] == {"samples/count": "cpu/nanoseconds 10000000"}, ours["periods"])
    same(sums, ours["sums"])
    want(len(set(ours["ids"])) == len(ours["ids"]), ours["ids"])
    want(ours["labels"]["service.name"] == "shop" and ours["labels"]["k8s.pod.name"] == "shop-1", ours["labels"])
    for kind, duration in ours["durations"].items():
        snapshot = kind.startswith("inuse_") or arg in ("goroutine", "threadcreate")
        want((duration == 0) == snapshot, "%s has a duration of %d" % (kind, duration))
    if arg == "wall":
        want(ours["links"] == ["4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7"], ours["links"])
else:
    stop("no rule %s" % rule)
