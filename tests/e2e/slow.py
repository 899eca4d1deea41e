"""Readers who take a large answer a byte a second, and whether others are served meanwhile.

slow.py PORT TOKEN GUARD READERS PATH SECONDS WAIT_S MEBIBYTES: one reader an address, who comes again
when he is sent away. The last two are bounds for what one who works here waits, and for the memory of
all our programs (PSS, where it may be read; else RSS). Prints what it saw; a breach ends it.
"""
import http.client, os, re, socket, ssl, sys, threading, time

port, token, guard, readers, path = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
seconds, wait_s, mebibytes = float(sys.argv[6]), float(sys.argv[7]), float(sys.argv[8])
ENOUGH = readers / 4
LEFT_MIB = 12  # what heaps keep of it
context = ssl._create_unverified_context()
HEADERS = {"Authorization": "Bearer " + token, "Host": "localhost"}


def programs():
    found = [guard]
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat", "rb") as f:
                if entry.isdigit() and int(f.read().rsplit(b")", 1)[1].split()[1]) == guard:
                    found.append(int(entry))
        except OSError:
            pass
    return found


PROGRAMS = programs()


def memory():
    kib = 0
    for pid in PROGRAMS:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                kib += int(re.search(r"^Pss: +(\d+)", f.read(), re.M)[1])
        except OSError:
            with open(f"/proc/{pid}/status") as f:
                kib += int(re.search(r"^VmRSS:\s+(\d+)", f.read(), re.M)[1])
    return kib / 1024


def descriptors():
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in PROGRAMS)


def ask(what="/api/v1/status"):
    """Until it is served, as a client that tries again does: the seconds that took, and the bytes."""
    began = time.monotonic()
    while True:
        c = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        try:
            c.request("GET", what, headers=HEADERS)
            r = c.getresponse()
            n = len(r.read())
            if r.status == 200:
                return time.monotonic() - began, n
        except (OSError, http.client.HTTPException):
            pass
        finally:
            c.close()
        if time.monotonic() - began > wait_s:
            sys.exit(f"not served for {wait_s} s; {len(ever)} slow readers so far")
        time.sleep(0.05)


stop, ever = threading.Event(), set()


def read(i):
    while not stop.is_set():
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(60)
        try:
            s.bind((f"127.0.1.{1 + i}", 0))
            s.connect(("127.0.0.1", port))
            tls = context.wrap_socket(s)
            tls.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            if tls.recv(12).endswith(b" 200"):
                ever.add(i)
                while not stop.is_set() and tls.recv(1):
                    stop.wait(1)
        except OSError:
            pass
        finally:
            s.close()
        stop.wait(2)


_, size = ask(path)
time.sleep(1)
before, files = memory(), descriptors()
threads = [threading.Thread(target=read, args=(i,), daemon=True) for i in range(readers)]
for t in threads:
    t.start()
end, worst, most, asked = time.monotonic() + seconds, 0.0, 0.0, 0
while time.monotonic() < end or (len(ever) < ENOUGH and time.monotonic() < end + 40):
    worst = max(worst, ask()[0])
    most = max(most, memory())
    asked += 1
    time.sleep(0.1)
stop.set()
for t in threads:
    t.join(10)
left = time.monotonic() + 30
while time.monotonic() < left and descriptors() > files:
    time.sleep(0.2)
after = memory()
print(f"ok: {readers} readers of {size / 1048576:.1f} MiB, a byte a second: {len(ever)} got theirs")
print(f"ok: meanwhile {asked} requests on new connections, the longest took {worst * 1000:.0f} ms")
print(f"ok: memory of all programs: {before:.1f} MiB before, {most:.1f} at most, {after:.1f} afterwards")
if size < 4000000 or len(ever) < ENOUGH:
    sys.exit("that was no test")
if most > mebibytes:
    sys.exit(f"{most:.1f} MiB")
if after > before + LEFT_MIB and mebibytes < 1000:
    sys.exit("memory is not given back")
if descriptors() > files:
    sys.exit(f"descriptors: {descriptors()}, {files} before")
