"""The privilege matrix, row by row: who is profiled, by whom, under which filter. In each row an
independent prober, here, tries every call with the very rights that Pillion gets; `pillion doctor`
has to have found the same, to name the mode, and to say why and what would help.

rights.py matrix BIN           all rows; BIN holds the programs
rights.py probe PID            the prober: verdicts as JSON
rights.py filter COMMAND...    exec it where perf_event_open(2) is answered with EPERM
rights.py target KIND          a target that changes itself: undumpable, setuid, userns
rights.py start ROW            start that row's target; prints its pid; lives until killed
rights.py prefix ROW           the words before a command that give it that row's rights
"""
import ctypes
import errno
import json
import os
import platform
import shlex
import signal
import struct
import subprocess
import sys

UID, OTHER = 12345, 12346
DEFAULTS = ("chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,"
            "net_raw,sys_chroot,mknod,audit_write,setfcap")
libc = ctypes.CDLL(None, use_errno=True)
NR_PERF, NR_PIDFD, ARCH = {
    "x86_64": (298, 434, 0xC000003E), "aarch64": (241, 434, 0xC00000B7)}[platform.machine()]


# --- who

def user(uid, gid=None, caps="", bounding=None, groups="--clear-groups"):
    """An ordinary user; capabilities as ambient ones, which an exec keeps."""
    more = "".join(",+" + c for c in caps.split(",") if c)
    words = ["setpriv", "--reuid", str(uid), "--regid", str(gid or uid), groups,
             "--inh-caps=-all" + more]
    if more:
        words.append("--ambient-caps=-all" + more)
    bound = "".join(",+" + c for c in (bounding or caps).split(",") if c)
    return words + ["--bounding-set=-all" + bound]


def root(caps=""):
    """Root with these and no others: what its bounding set holds is permitted at the exec."""
    more = "".join(",+" + c for c in caps.split(",") if c)
    return ["setpriv", "--inh-caps=-all", "--bounding-set=-all" + more]


SLEEP = ["sleep", "600"]
SELF = [sys.executable, os.path.abspath(__file__)]
TARGETS = {
    "plain": user(UID) + SLEEP,
    "group": user(UID, 54321) + SLEEP,
    "groups": user(UID, groups="--groups=7,8") + SLEEP,
    "caps": user(UID, caps="net_bind_service") + SLEEP,
    "root": root() + SLEEP,
    "defaults": root(DEFAULTS) + SLEEP,
    "undumpable": user(UID) + SELF + ["target", "undumpable"],
    "setuid": SELF + ["target", "setuid"],
    "userns": SELF + ["target", "userns"],
}
USER, STRANGER, FILTER = user(UID), user(OTHER), SELF + ["filter"]

# name: target, rights, mode, causes that must be named for (a right, …), words
ROWS = {
    "same-user": ("plain", USER, "perf", {"cpu, kernel frames": "perf_event_paranoid"}),
    "same-user-filter": ("plain", FILTER + USER, "restricted", {"cpu": "seccomp"}),
    "granted-not-taken": ("plain", user(UID, bounding="perfmon,sys_ptrace"), "perf",
                          {"cpu, kernel frames": "not_entry_point"}),
    "other-group": ("group", USER, "none", {"cpu": "other_group", "heap": "other_group"}),
    "other-groups": ("groups", USER, "perf", {}),
    "user-with-caps": ("caps", USER, "none", {"cpu": "more_capabilities", "wall": "more_capabilities"}),
    "other-user": ("plain", STRANGER, "none", {"cpu": "other_user", "goroutine": "other_user"}),
    "other-user-ptrace": ("plain", user(OTHER, caps="sys_ptrace"), "perf", {"wall": "file_mode"}),
    "other-user-perfmon": ("plain", user(OTHER, caps="perfmon"), "perf", {"heap": "other_user"}),
    "other-user-both": ("plain", user(OTHER, caps="perfmon,sys_ptrace"), "full", {}),
    "root-of-user": ("plain", root(), "none", {"cpu": "other_user"}),
    "root-of-user-ptrace": ("plain", FILTER + root("sys_ptrace"), "ptrace", {"cpu": "seccomp"}),
    "root-of-user-perfmon": ("plain", root("perfmon"), "perf", {"heap": "other_user"}),
    "old-rule": ("plain", FILTER + root("perfmon"), "none", {"cpu": "old_seccomp_rule"}),
    "root-both-bare": ("root", root(), "perf", {}),
    "root-both-bare-filter": ("root", FILTER + root(), "restricted", {"cpu": "seccomp"}),
    "root-of-defaults": ("defaults", root(), "none",
                         {"cpu": "more_capabilities", "heap": "more_capabilities"}),
    "defaults-both": ("defaults", root(DEFAULTS), "perf", {}),
    "defaults-both-filter": ("defaults", FILTER + root(DEFAULTS), "restricted", {"cpu": "seccomp"}),
    "defaults-of-two": ("defaults", root("perfmon,sys_ptrace"), "full", {}),
    "undumpable": ("undumpable", USER, "none", {"cpu": "not_dumpable", "heap": "not_dumpable"}),
    "undumpable-of-two": ("undumpable", root("perfmon,sys_ptrace"), "full", {}),
    "setuid": ("setuid", USER, "none", {"cpu": "not_dumpable"}),
    "userns": ("userns", USER, "none", {"cpu": "user_namespace", "heap": "user_namespace"}),
    "userns-of-two": ("userns", root("perfmon,sys_ptrace"), "full", {}),
}
WORDS = {
    "seccomp": "seccomp profile", "other_user": "another user", "other_group": "another group",
    "more_capabilities": "more capabilities than we have", "not_dumpable": "not dumpable",
    "user_namespace": "another user namespace", "perf_event_paranoid": "perf_event_paranoid is",
    "not_entry_point": "bounding set", "file_mode": "user's alone",
    "old_seccomp_rule": "podman before October 2025",
}


# --- the prober

def verdict(ok):
    return "ok" if ok else errno.errorcode[ctypes.get_errno()]


def tried(what):
    try:
        what()
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]


def perf(pid, kernel):
    # PERF_TYPE_SOFTWARE, size, PERF_COUNT_SW_TASK_CLOCK, period, PERF_SAMPLE_IP, read_format,
    # flags: disabled 1, exclude_kernel 1 << 5, exclude_hv 1 << 6
    flags = 1 | 1 << 6 | (0 if kernel else 1 << 5)
    attr = struct.pack("<IIQQQQQ", 1, 128, 1, 10**9, 1, 0, flags).ljust(128, b"\0")
    fd = libc.syscall(NR_PERF, attr, pid, -1, -1, 8)
    if fd >= 0:
        os.close(fd)
    return verdict(fd >= 0)


def readv(pid):
    class Iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
    buf = ctypes.create_string_buffer(8)
    ours, theirs = Iovec(ctypes.addressof(buf), 8), Iovec(4096, 8)
    n = libc.process_vm_readv(pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)
    return verdict(n >= 0 or ctypes.get_errno() == errno.EFAULT)


def seize(pid):
    """Really: the target is this test's own."""
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(0x4206, pid, None, None) != 0:
        return verdict(False)
    libc.ptrace(0x4207, pid, None, None)  # INTERRUPT; only a stopped one can be let go
    os.waitpid(pid, 0x40000000)           # __WALL
    libc.ptrace(17, pid, None, None)
    return "ok"


def probe(pid):
    proc = f"/proc/{pid}/"

    def read(name):
        with open(proc + name, "rb") as f:
            f.read(64)
    fd = libc.syscall(NR_PIDFD, pid, 0)
    return {
        "perf_user": perf(pid, False), "perf_kernel": perf(pid, True),
        "process_vm_readv": readv(pid), "ptrace": seize(pid), "pidfd_open": verdict(fd >= 0),
        "maps": tried(lambda: read("maps")), "exe": tried(lambda: os.readlink(proc + "exe")),
        "root": tried(lambda: os.listdir(proc + "root/.")),
        "environ": tried(lambda: read("environ")), "fd": tried(lambda: os.listdir(proc + "fd")),
        "syscall": tried(lambda: read("syscall")),
    }


# --- filter and targets

def filtered(command):
    """The classic BPF of every runtime: this one call answers EPERM, all others pass."""
    class Prog(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
    code = b"".join(struct.pack("<HBBI", *op) for op in (
        (0x20, 0, 0, 0),                          # the number
        (0x15, 0, 1, NR_PERF),                    # perf_event_open?
        (0x06, 0, 0, 0x00050000 | errno.EPERM),   # SECCOMP_RET_ERRNO
        (0x06, 0, 0, 0x7FFF0000)))                # SECCOMP_RET_ALLOW
    keep = ctypes.create_string_buffer(code, len(code))
    prog = Prog(4, ctypes.addressof(keep))
    # as root, before anything is dropped: without no_new_privs, so that setpriv still works
    if libc.prctl(22, 2, ctypes.byref(prog), 0, 0) != 0:
        sys.exit("no seccomp filter: " + os.strerror(ctypes.get_errno()))
    os.execvp(command[0], command)


def in_userns():
    """Its user outside is UID, its namespace root's: no other one owns it."""
    r, w = os.pipe()
    r2, w2 = os.pipe()
    pid = os.fork()
    if pid == 0:
        if libc.unshare(0x10000000) != 0:
            os._exit(77)
        os.write(w, b"x")
        os.read(r2, 1)
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        os.execvp(SLEEP[0], SLEEP)
    os.close(w)
    if os.read(r, 1) != b"x":
        sys.exit(77)
    for name in "uid_map", "gid_map":
        with open(f"/proc/{pid}/{name}", "w") as f:
            f.write(f"0 {UID} 1\n")
    os.write(w2, b"x")
    print(pid, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: (os.kill(pid, 9), os._exit(0)))
    os.waitpid(pid, 0)


def target(kind):
    if kind == "userns":
        return in_userns()
    if kind == "setuid":
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
    else:
        libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    print(os.getpid(), flush=True)
    while True:
        signal.pause()


class Target:
    """A child with that name; .pid is who is meant."""
    def __init__(self, kind):
        words = TARGETS[kind]
        self.child = subprocess.Popen(words, stdout=subprocess.PIPE, cwd="/")
        self.pid = self.child.pid
        if "target" in words:
            line = self.child.stdout.readline()
            if not line:
                raise LookupError("this kernel has no target \"%s\"" % kind)
            self.pid = int(line)
        self.settle()

    def settle(self):
        """setpriv and the exec of the namespace are behind it."""
        for _ in range(500):
            with open(f"/proc/{self.pid}/cmdline") as f:
                args = f.read().split("\0")
            if os.path.basename(args[0]) != "setpriv" and (
                    "userns" not in args or self.pid == self.child.pid):
                return
            signal.sigtimedwait([], 0.01)

    def end(self):
        self.child.terminate()
        self.child.wait()


# --- the rows

def doctor(bin_dir, rights, pid):
    p = subprocess.run(rights + [bin_dir + "/pillion", "doctor", "--pid", str(pid), "--json"],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", timeout=60)
    if p.returncode not in (0, 1):
        raise AssertionError(f"exit {p.returncode}: {p.stderr.decode()[-800:]}")
    if b"Sanitizer" in p.stderr:
        raise AssertionError(p.stderr.decode()[-800:])
    return p.returncode, json.loads(p.stdout)


def check(name, bin_dir, targets):
    kind, rights, mode, causes = ROWS[name]
    pid = targets[kind].pid
    really = json.loads(subprocess.check_output(rights + SELF + ["probe", str(pid)], cwd="/"))
    code, found = doctor(bin_dir, rights, pid)
    said = found["facts"]["calls"]
    assert said == really, f"doctor says {said}, the prober {really}"
    assert found["mode"] == mode, f"mode {found['mode']} instead of {mode}"
    rows = {r["name"]: r for r in found["profiles"]}
    lacking = [r for r in rows.values() if not r["available"] and "not_recorded" not in r]
    assert code == (1 if lacking else 0) and found["every_right"] == (not lacking), (code, lacking)
    for row in lacking:
        assert row["causes"] and row["reason"], row
        assert "unknown" not in row["causes"], row
        assert row["grants"], f"no way out: {row}"
    for profile, cause in causes.items():
        row = rows[profile]
        assert cause in row["causes"], f"{profile}: {row}"
        assert WORDS[cause] in row["reason"], f"{profile}: {row['reason']}"
    assert rows["cpu"]["available"] == (really["perf_user"] == "ok")
    assert rows["cpu, kernel frames"]["available"] == (really["perf_kernel"] == "ok")
    return ", ".join(sorted({c for r in lacking for c in r["causes"]})) or "every right"


def matrix(bin_dir):
    targets, bad, skipped = {}, 0, 0
    try:
        for name, row in ROWS.items():
            try:
                if row[0] not in targets:
                    targets[row[0]] = Target(row[0])
                print(f"ok: {name}: mode {row[2]}; {check(name, bin_dir, targets)}", flush=True)
            except LookupError as e:
                skipped += 1
                print(f"skipped: {name}: {e}", flush=True)
            except (AssertionError, subprocess.SubprocessError) as e:
                bad += 1
                print(f"FAIL: {name}: {e}", flush=True)
    finally:
        for t in targets.values():
            t.end()
    print(f"{len(ROWS) - bad - skipped} rows agree, {bad} do not, {skipped} skipped")
    return 1 if bad else 0


def start(row):
    t = Target(ROWS[row][0])
    print(t.pid, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: (t.end(), os._exit(0)))
    while True:
        signal.pause()


def main(verb, *args):
    if verb == "matrix":
        sys.exit(matrix(args[0]))
    elif verb == "probe":
        print(json.dumps(probe(int(args[0]))))
    elif verb == "filter":
        filtered(list(args))
    elif verb == "target":
        target(args[0])
    elif verb == "start":
        start(args[0])
    elif verb == "prefix":
        print(shlex.join(ROWS[args[0]][1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
