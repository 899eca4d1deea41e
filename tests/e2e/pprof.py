"""Read a pprof profile (gzip or plain) without any library, for tests.

As a program: pprof.py FILE prints one JSON object: types, samples [{stack (leaf first, inlined
frames apart), values, labels}], comments, duration_ns, period.
"""
import gzip
import json
import sys


def varint(b, i):
    v = s = 0
    while True:
        c = b[i]
        i += 1
        v |= (c & 127) << s
        if c < 128:
            return v, i
        s += 7


def fields(b):
    i = 0
    while i < len(b):
        tag, i = varint(b, i)
        n, w = tag >> 3, tag & 7
        if w == 0:
            v, i = varint(b, i)
        elif w == 2:
            k, i = varint(b, i)
            v, i = b[i:i + k], i + k
            assert len(v) == k, "truncated"
        elif w == 1:
            v, i = int.from_bytes(b[i:i + 8], "little"), i + 8
        else:
            raise ValueError("wire type %d" % w)
        yield n, v


def signed(v):
    return v - (1 << 64) if v >> 63 else v


def numbers(v):
    if isinstance(v, int):
        return [v]
    out, i = [], 0
    while i < len(v):
        x, i = varint(v, i)
        out.append(x)
    return out


def message(b):
    m = {}
    for n, v in fields(b):
        m.setdefault(n, []).append(v)
    return m


class Profile:
    def __init__(self, data):
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        p = message(data)
        self.strings = [s.decode() for s in p.get(6, [])]
        text = self.strings.__getitem__
        one = lambda m, n: m.get(n, [0])[0]
        self.types = [(text(one(t, 1)), text(one(t, 2))) for t in map(message, p.get(1, []))]
        self.functions = {one(f, 1): f for f in map(message, p.get(5, []))}
        self.mappings = {one(m, 1): m for m in map(message, p.get(3, []))}
        self.locations = {one(l, 1): l for l in map(message, p.get(4, []))}
        self.comments = [text(c) for v in p.get(13, []) for c in numbers(v)]
        self.duration_ns = one(p, 10)
        self.time_ns = one(p, 9)
        self.period = one(p, 12)
        self.samples = []
        for s in map(message, p.get(2, [])):
            stack, lines = [], []
            ids = [l for v in s.get(1, []) for l in numbers(v)]
            for l in ids:
                loc = self.locations[l]
                for line in map(message, loc.get(4, [])):
                    f = self.functions[one(line, 1)]
                    stack.append(text(one(f, 2)))
                    lines.append((text(one(f, 4)), one(line, 2), one(f, 5)))
                if 4 not in loc:
                    m = self.mappings.get(one(loc, 2))
                    stack.append("%s@%#x" % (text(one(m, 5)) if m else "?", one(loc, 3)))
                    lines.append(("", 0, 0))
            labels = {}
            for l in map(message, s.get(3, [])):
                labels[text(one(l, 1))] = text(one(l, 2)) if 2 in l else signed(one(l, 3))
            values = [signed(x) for v in s.get(2, []) for x in numbers(v)]
            self.samples.append({"stack": stack, "lines": lines, "values": values, "labels": labels,
                                 "leaf": ids[0] if ids else 0})


def read(path):
    with open(path, "rb") as f:
        return Profile(f.read())


if __name__ == "__main__":
    q = read(sys.argv[1])
    json.dump({"types": q.types, "samples": q.samples, "comments": q.comments,
               "duration_ns": q.duration_ns, "period": q.period}, sys.stdout)
