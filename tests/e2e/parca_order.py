"""parca_order.py FILE: does a profile keep the rule of Parca's normalizer (pkg/normalizer/validate.go)?

Mapping, function and location ids must be 1..n in the order of their tables, all references must
resolve, string_table[0] must be "", labels need keys. Prints "ok" or the first breach (exit 1).
"""
import sys

from pprof import fields, signed, varint

MAPPING, LOCATION, FUNCTION, STRING = 3, 4, 5, 6


def packed(value):
    if isinstance(value, int):
        return [value]
    out, i = [], 0
    while i < len(value):
        v, i = varint(value, i)
        out.append(v)
    return out


def message(value):
    """Scalars by number (the last one wins, 0 when absent), messages as lists."""
    scalars, lists = {}, {}
    for number, v in fields(value):
        scalars[number] = v
        lists.setdefault(number, []).append(v)
    return scalars, lists


def check(data):
    _, top = message(data)
    strings = top.get(STRING, [])
    if not strings or strings[0] != b"":
        return "string_table[0] is not empty"
    for s in strings:
        s.decode("utf-8")  # raises: Pyroscope refuses other bytes
    sizes = {}
    for table, name in ((MAPPING, "mapping"), (FUNCTION, "function"), (LOCATION, "location")):
        rows = top.get(table, [])
        sizes[table] = len(rows)
        for i, row in enumerate(rows):
            if message(row)[0].get(1, 0) != i + 1:
                return "%s %d has the id %d" % (name, i + 1, message(row)[0].get(1, 0))
    for row in top.get(LOCATION, []):
        scalars, lists = message(row)
        if scalars.get(2, 0) > sizes[MAPPING]:
            return "a location has an unknown mapping"
        for line in lists.get(4, []):
            if not 1 <= message(line)[0].get(1, 0) <= sizes[FUNCTION]:
                return "a line has an unknown function"
    types = len(top.get(1, []))
    for row in top.get(2, []):
        _, lists = message(row)
        values = [v for part in lists.get(2, []) for v in packed(part)]
        if len(values) != types:
            return "a sample has %d values for %d types" % (len(values), types)
        for part in lists.get(1, []):
            if any(not 1 <= v <= sizes[LOCATION] for v in packed(part)):
                return "a sample has an unknown location"
        for label in lists.get(3, []):
            if not 0 < signed(message(label)[0].get(1, 0)) < len(strings):
                return "a label has no key"
    if 11 not in top:
        return "no period_type"
    return "ok"


def main():
    with open(sys.argv[1], "rb") as f:
        verdict = check(f.read())
    print(verdict)
    return 0 if verdict == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
