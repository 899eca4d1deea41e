#!/usr/bin/env python3
"""forge.py BASE DIR [CASE...]: copies of the program BASE (bare.c) with tables that lie, one
DIR/CASE/hostile each. The kernel loads all of them; what readers of symbols and of Go's tables make
of them is the question. Without arguments it prints the names of the cases."""
import os
import struct
import sys

M63 = 1 << 63
M64 = (1 << 64) - 1


class Elf:
    def __init__(self, data):
        self.b = bytearray(data)
        self.sparse = 0  # the file's size in the end, a hole behind what is written
        self.shoff, = struct.unpack_from("<Q", self.b, 40)
        self.shnum, self.shstrndx = struct.unpack_from("<HH", self.b, 60)
        names = self.section(self.shstrndx)
        self.index = {}
        for i in range(self.shnum):
            at = names[4] + self.section(i)[0]
            self.index[self.b[at:self.b.index(0, at)].decode()] = i

    def section(self, i):
        return list(struct.unpack_from("<IIQQQQIIQQ", self.b, self.shoff + 64 * i))

    def set(self, section, **fields):
        order = ["name", "type", "flags", "addr", "offset", "size", "link", "info", "align", "entsize"]
        i = self.index[section]
        s = self.section(i)
        for k, v in fields.items():
            s[order.index(k)] = v & (M64 if k not in ("name", "type", "link", "info") else 0xffffffff)
        struct.pack_into("<IIQQQQIIQQ", self.b, self.shoff + 64 * i, *s)

    def at(self, name):
        return self.section(self.index[name])[4]

    def addr(self, name):
        return self.section(self.index[name])[3]

    def size(self, name):
        return self.section(self.index[name])[5]

    def write(self, name, data, into=0):
        at = self.at(name) + into
        assert into + len(data) <= self.size(name), name
        self.b[at:at + len(data)] = data

    def append(self, data):
        self.b += bytes(-len(self.b) % 16)
        at = len(self.b)
        self.b += data
        return at

    def phdrs(self):
        off, = struct.unpack_from("<Q", self.b, 32)
        n, = struct.unpack_from("<H", self.b, 56)
        return [off + 56 * i for i in range(n)]

    def spare_phdr(self):  # PT_GNU_STACK: nobody misses it
        for at in self.phdrs():
            if struct.unpack_from("<I", self.b, at)[0] == 0x6474e551:
                return at
        raise KeyError

    def symbols(self):
        s = self.section(self.index[".symtab"])
        return range(s[4], s[4] + s[5], 24)

    def functions(self):
        return [at for at in self.symbols() if self.b[at + 4] & 15 == 2]


CASES = {}


def case(f):
    CASES[f.__name__.replace("_", "-")] = f
    return f


# ---- the header and the sections

@case
def shnum_65535(e):
    struct.pack_into("<H", e.b, 60, 65535)


@case
def shnum_in_section_0(e):
    struct.pack_into("<H", e.b, 60, 0)
    struct.pack_into("<Q", e.b, e.shoff + 32, M63)


@case
def shstrndx_lies(e):
    struct.pack_into("<H", e.b, 62, 65534)


@case
def shstrndx_extended(e):
    struct.pack_into("<H", e.b, 62, 0xffff)
    struct.pack_into("<I", e.b, e.shoff + 40, 0xffffffff)


@case
def shoff_at_the_top(e):
    struct.pack_into("<Q", e.b, 40, M64 - 63)


@case
def shoff_behind_the_end(e):
    struct.pack_into("<Q", e.b, 40, len(e.b) - 32)


@case
def shentsize_0(e):
    struct.pack_into("<H", e.b, 58, 0)


@case
def section_names_nowhere(e):
    for i in range(e.shnum):
        struct.pack_into("<I", e.b, e.shoff + 64 * i, 0xfffffff0)


@case
def section_names_without_end(e):
    at = e.append(b"A" * 300000)
    e.set(".shstrtab", offset=at, size=M63)
    for i in range(e.shnum):
        struct.pack_into("<I", e.b, e.shoff + 64 * i, i)


@case
def sections_of_random_bytes(e):
    e.b[e.shoff:e.shoff + 64 * e.shnum] = os.urandom(64 * e.shnum)


# ---- symbols

@case
def symtab_of_2_63_bytes(e):
    e.set(".symtab", size=M63)


@case
def symtab_at_the_top(e):
    e.set(".symtab", offset=M64 - 47)


@case
def symtab_entsize_0(e):
    e.set(".symtab", entsize=0)


@case
def symtab_entsize_1(e):
    e.set(".symtab", entsize=1)


@case
def symtab_links_to_itself(e):
    e.set(".symtab", link=e.index[".symtab"])


@case
def symtab_links_nowhere(e):
    e.set(".symtab", link=0xffffffff)


@case
def names_out_of_range(e):
    for at in e.symbols():
        struct.pack_into("<I", e.b, at, 0xfffffff0)


@case
def names_unterminated(e):
    at = e.append(b"leaf_without_an_end")
    e.set(".strtab", offset=at, size=M64 - at)
    for s in e.functions():
        struct.pack_into("<I", e.b, s, 1)


@case
def names_of_10_mb(e):
    e.set(".strtab", offset=e.append(b"\0" + b"N" * 10_000_000 + b"\0"), size=10_000_002)
    for s in e.functions():
        struct.pack_into("<I", e.b, s, 1)


@case
def names_not_utf8(e):
    text = b"\0\xff\xfe\x1b[31mred\x07\r\n\xc0\x80\xed\xa0\x80" + b"\xf0\x9f\x98\x80" * 2000 + b"\0"
    e.set(".strtab", offset=e.append(text), size=len(text))
    for s in e.functions():
        struct.pack_into("<I", e.b, s, 1)


@case
def functions_of_2_63_bytes(e):
    for s in e.functions():
        struct.pack_into("<Q", e.b, s + 16, M63)


@case
def functions_that_wrap(e):
    for s in e.functions():
        struct.pack_into("<QQ", e.b, s + 8, M64 - 5, 100)


def many_symbols(e, n, nested):
    t = bytearray(os.urandom(24 * n) if not nested else bytes(24 * n))
    text = e.addr(".text")
    t[4::24] = b"\x12" * n
    t[5::24] = bytes(n)
    t[6::24] = b"\x01" * n
    t[7::24] = bytes(n)
    t[0::24] = b"\x01" * n
    for k in (1, 2, 3):
        t[k::24] = bytes(n)
    if nested:  # all begin before the text, none is long enough, each is reached over by the first
        t[8::24] = bytes(i & 255 for i in range(n))
        t[9::24] = bytes(i >> 8 & 255 for i in range(n))
        t[10::24] = bytes((text - 0x10000 >> 16) & 255 for i in range(n))
        t[16::24] = b"\x01" * n
        struct.pack_into("<QQ", t, 8, text - 0x10000, 0x10000 - 1)
    else:
        for k in (11, 12, 13, 14, 15):
            t[k::24] = bytes(n)
    e.set(".symtab", offset=e.append(t), size=24 * n, link=e.index[".strtab"])


@case
def symbols_5_million(e):
    many_symbols(e, 5_000_000, False)


@case
def symbols_nested(e):
    many_symbols(e, 60_000, True)


@case
def symbols_in_a_hole(e):
    e.set(".symtab", offset=(len(e.b) + 4095) & ~4095, size=1 << 40)
    e.sparse = 1 << 41


# ---- segments and notes

@case
def note_of_2_31_bytes(e):
    note = struct.pack("<III4s", 4, 1 << 31, 3, b"GNU\0") + b"\xab" * 64
    struct.pack_into("<IIQQQQQQ", e.b, e.spare_phdr(), 4, 4, e.append(note), 0, 0, M63, M63, 4)


@case
def notes_without_end(e):
    at = e.append(struct.pack("<III4s", 0, 0, 9, b"") * 100000)
    struct.pack_into("<IIQQQQQQ", e.b, e.spare_phdr(), 4, 4, at, 0, 0, M64, M64, 1)


@case
def note_at_the_top(e):
    struct.pack_into("<IIQQQQQQ", e.b, e.spare_phdr(), 4, 4, M64 - 7, 0, 0, M64, M64, 8)


@case
def dynamic_that_lies(e):
    a = e.addr(".gopclntab")
    d = b"".join(struct.pack("<QQ", t, v) for t, v in
                 ((6, a), (5, a + 64), (10, M64), (0x6ffffef5, a + 128), (4, 0), (14, M63)))
    e.write(".gopclntab", struct.pack("<IIII", 0xffffffff, 0xffffffff, 0xffffffff, 63), 128)
    struct.pack_into("<IIQQQQQQ", e.b, e.spare_phdr(), 2, 4, e.append(d), 0, 0, M63, M63, 8)
    struct.pack_into("<H", e.b, 60, 0)  # no sections: the dynamic table is all there is
    struct.pack_into("<Q", e.b, 40, 0)


@case
def dynamic_hash_cycle(e):
    a = e.addr(".gopclntab")
    d = b"".join(struct.pack("<QQ", t, v) for t, v in ((6, a), (5, a), (10, 1000), (0x6ffffef5, a + 128)))
    # one bucket whose chain has no last link
    e.write(".gopclntab", struct.pack("<IIII", 1, 1, 0, 0) + struct.pack("<I", 1) + b"\x02" * (10 << 20), 128)
    struct.pack_into("<IIQQQQQQ", e.b, e.spare_phdr(), 2, 4, e.append(d), 0, 0, M63, M63, 8)
    struct.pack_into("<H", e.b, 60, 0)
    struct.pack_into("<Q", e.b, 40, 0)


# ---- Go's tables

class Go:
    """A pc-line table that holds together, of one function or several over all of the text."""

    def __init__(self, e, version=b"go1.26.1", nfunc=1):
        self.e, self.version, self.nfunc = e, version, nfunc
        self.text, self.textsize = e.addr(".text"), e.size(".text")
        self.names = b"\0main.evil\0main.inlined\0"
        self.cus = struct.pack("<I", 0)
        self.files = b"evil.go\0"
        # value -1 + 1 = 0 over all of the text, then the end
        self.pctab = b"\0" + b"\x02" + self.varint(self.textsize) + b"\0"
        self.flag, self.funcdata, self.npcdata = 0, [0xffffffff] * 4, 3
        self.pcdata = [0, 0, 0]
        self.name, self.pcsp, self.pcfile, self.pcln, self.cu = 1, 1, 1, 1, 0
        self.functab = None
        self.nfunc_said = None
        self.funcs = b""
        self.module = {}
        self.hole = 0  # bytes that the table of units claims to be long, in a hole of the file

    @staticmethod
    def varint(v):
        out = b""
        while v >= 128:
            out += bytes([v & 127 | 128])
            v >>= 7
        return out + bytes([v])

    def record(self, entry):
        return struct.pack("<IiiIIIIIIiBBBB", entry, self.name, 0, 0, self.pcsp, self.pcfile, self.pcln,
                           self.npcdata, self.cu, 7, 0, self.flag, 0, len(self.funcdata)) + \
            b"".join(struct.pack("<I", v) for v in self.pcdata) + \
            b"".join(struct.pack("<I", v) for v in self.funcdata)

    def table(self):
        names = 72
        cus = names + len(self.names)
        files = cus + len(self.cus)
        pctab = files + len(self.files)
        funcs = pctab + len(self.pctab)
        n, step = self.nfunc, max(1, self.textsize // self.nfunc)
        if self.functab is None:
            body, records, at = b"", b"", 8 * n + 4
            for i in range(n):
                body += struct.pack("<II", i * step, at + len(records))
                records += self.record(i * step)
            self.functab = body + struct.pack("<I", self.textsize) + records
        said = n if self.nfunc_said is None else self.nfunc_said
        head = struct.pack("<IHBBQQQ", 0xfffffff1, 0, 1, 8, said, 1, 0)
        head += struct.pack("<QQQQQ", names, cus, files, pctab, funcs)
        return head, self.names + self.cus + self.files + self.pctab + self.functab

    def put(self):
        e = self.e
        head, body = self.table()
        e.write(".gopclntab", head + body)
        info = b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16)
        info += self.varint(len(self.version)) + self.version + b"\0"
        e.write(".go.buildinfo", info)
        p = e.addr(".gopclntab")
        words = struct.unpack_from("<QQQQQ", head, 32)
        said = (self.nfunc if self.nfunc_said is None else self.nfunc_said) + 1
        m = {0: p, 8: p + words[0], 128: p + words[4], 136: said & M64, 144: said & M64,
             176: self.text, 184: self.text + self.textsize, 192: e.addr(".moduledata"),
             248: e.addr(".moduledata") + 4096, 312: e.addr(".inltree"), 320: e.addr(".inltree")}
        m.update(self.module)
        for k, v in m.items():
            e.write(".moduledata", struct.pack("<Q", v & M64), k)


def go(f):
    def made(e):
        g = Go(e)
        f(g)
        g.put()
    CASES["go-" + f.__name__.replace("_", "-")] = made
    return made


@go
def plain(g):
    pass


@go
def many_functions(g):
    g.nfunc = 3


@go
def nfunc_2_63(g):
    g.nfunc_said = M63


@go
def nfunc_2_32(g):
    g.nfunc_said = 1 << 32


@go
def nfunc_too_many(g):
    g.nfunc_said = 3_000_000


@go
def functab_descends(g):
    g.functab = b"".join(struct.pack("<II", 1000 - 10 * i, 8 * 64 + 4) for i in range(64))
    g.functab += struct.pack("<I", g.textsize) + g.record(1000)
    g.nfunc_said = 64


@go
def functab_goes_round(g):
    g.functab = struct.pack("<II", 0, 0) * 1_000_000 + struct.pack("<I", g.textsize)
    g.nfunc_said = 1_000_000


@go
def functab_points_nowhere(g):
    g.functab = struct.pack("<II", 0, 0xfffffff0) + struct.pack("<I", g.textsize) + g.record(0)


@go
def functab_end_at_the_top(g):
    g.functab = struct.pack("<II", 0, 12) + struct.pack("<I", 0xffffffff) + g.record(0)


@go
def names_without_end(g):
    g.names = b"\0" + b"x" * 10_000_000


@go
def names_of_10_mb(g):
    g.names = b"\0" + b"runtime.\xff\x1b\n" * 1_000_000 + b"\0"


@go
def names_70000_of_the_runtime(g):
    g.names = b"\0main.evil\0" + b"runtime.a\0" * 70_000


@go
def name_nowhere(g):
    g.name = 0x7ffffff0


@go
def name_negative(g):
    g.name = -5


@go
def varints_without_end(g):
    g.pctab = b"\0" + b"\x80" * 10_000_000


@go
def steps_that_stand_still(g):
    g.pctab = b"\0" + b"\x02\0" * 5_000_000


@go
def steps_that_stand_still_many_functions(g):
    g.pctab = b"\0" + b"\x02\0" * 4_000_000
    g.nfunc = 200


@go
def no_pc_tables(g):
    g.pcsp = g.pcfile = g.pcln = 0xfffffff0


@go
def frames_of_2_gb(g):
    g.pctab = b"\0" + g.varint(0xfffffffe) + g.varint(g.textsize) + b"\0"


@go
def units_nowhere(g):
    g.cu = 0xfffffff0


@go
def files_nowhere(g):
    g.cus = struct.pack("<I", 0x7ffffff0)


@go
def files_not_utf8(g):
    g.files = b"\xff\xfe\x1b[2J/\n" + b"d/" * 4000 + b"\0"


@go
def npcdata_2_32(g):
    g.npcdata = 0xffffffff


def inline(g, entries, values):
    """An inline tree of the given (parent pc) entries; `values` is the table of the index."""
    tree = b"".join(struct.pack("<IiiI", 0, 11, pc & 0xffffffff if pc < 1 << 31 else pc - (1 << 32), 3)
                    for pc in entries)
    g.e.write(".inltree", tree)
    g.funcdata = [0xffffffff] * 3 + [0]
    g.pcdata = [0, 0, len(g.pctab)]
    g.pctab += values


@go
def inline_of_itself(g):
    inline(g, [0] * 4, b"\x02" + g.varint(g.textsize) + b"\0")


@go
def inline_cycle(g):
    half = g.textsize // 2
    inline(g, [0, half], b"\x04" + g.varint(half) + b"\x01" + g.varint(g.textsize - half) + b"\0")


@go
def inline_index_2_31(g):
    inline(g, [0], g.varint(0xfffffffe) + g.varint(g.textsize) + b"\0")


@go
def inline_parent_nowhere(g):
    inline(g, [0xffffffff] * 4, b"\x02" + g.varint(g.textsize) + b"\0")


@go
def inline_500_deep(g):
    # index i at pc i, whose parent is at pc i - 1
    n = min(500, g.textsize - 1)
    values = b"\x02\x01" + b"\x02\x01" * (n - 2) + b"\x02" + g.varint(g.textsize) + b"\0"
    inline(g, [max(0, i - 1) for i in range(n)], values)


@go
def module_text_0(g):
    g.module = {176: 0, 184: M64}


@go
def module_text_elsewhere(g):
    g.module = {176: 0x7f0000000000, 184: 0x7f0000001000}


@go
def module_gofunc_at_the_top(g):
    g.module = {320: M64 - 3}
    g.funcdata = [0xffffffff] * 3 + [0xfffffff0]
    g.pcdata = [0, 0, 1]


@go
def module_data_everything(g):
    g.module = {192: 0, 248: M64}


@go
def version_not_text(g):
    g.version = b"go1.26\xff\n\x1b[31m" + b"v" * 16000


@go
def version_999(g):
    g.version = b"go1.999"


@go
def version_old(g):
    g.version = b"go1.18"


def in_a_hole(e, names):
    """The table of names (or of units) is 7 TiB long, all of it a hole."""
    g = Go(e)
    g.put()
    head, body = g.table()
    at = (len(e.b) + 4095) & ~4095
    far = 7 << 40
    words = [72, 72 + far, 72 + far + 64, 72 + far + 128, 72 + far + 256] if names else \
        [72, 128, 128 + far, 192 + far, 256 + far]
    table = head[:32] + struct.pack("<QQQQQ", *words) + body[:56]
    e.set(".gopclntab", offset=at, size=far + (1 << 30))
    e.b += bytes(at - len(e.b))
    e.b += table
    p = e.addr(".gopclntab")
    e.write(".moduledata", struct.pack("<QQ", p, p + words[0]))
    e.write(".moduledata", struct.pack("<Q", p + words[4] & M64), 128)
    e.sparse = at + far + (1 << 30)
    e.tail = (at + words[4], struct.pack("<II", 0, 12) + struct.pack("<I", g.textsize) + g.record(0))


@case
def go_names_in_a_hole(e):
    in_a_hole(e, True)


@case
def go_units_in_a_hole(e):
    in_a_hole(e, False)


@case
def go_sections_of_random_bytes(e):
    Go(e).put()
    for name in (".gopclntab", ".moduledata"):
        e.write(name, os.urandom(4096))


@case
def go_a_thousand_beginnings(e):
    Go(e).put()
    head, _ = Go(e).table()
    e.set(".gopclntab", name=1)  # not found by its name: searched for
    e.write(".gopclntab", (head[:32] + struct.pack("<QQQQQ", *([M63] * 5))) * 10_000)


@case
def go_modules_without_number(e):
    Go(e).put()
    e.write(".moduledata", struct.pack("<Q", 2) * 512)


def main():
    if len(sys.argv) == 1:
        print("\n".join(sorted(CASES)))
        return
    base = open(sys.argv[1], "rb").read()
    for name in sys.argv[3:] or sorted(CASES):
        e = Elf(base)
        CASES[name](e)
        os.makedirs(os.path.join(sys.argv[2], name), exist_ok=True)
        path = os.path.join(sys.argv[2], name, "hostile")
        with open(path, "wb") as f:
            f.write(e.b)
            if e.sparse:
                try:
                    f.truncate(e.sparse)
                    if hasattr(e, "tail"):
                        f.seek(e.tail[0])
                        f.write(e.tail[1])
                except OSError as why:  # a file system without files of that size
                    f.truncate(len(e.b))
                    print(f"note: {name}: {why}", file=sys.stderr)
        os.chmod(path, 0o755)
        print(name)


main()
