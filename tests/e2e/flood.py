"""A flood from many loopback addresses, and whether one who works here is served through it.

flood.py PORT TOKEN METRICS_PORT SILENT MEBIBYTES: prints the longest wait of each kind.
"""
import http.client, os, re, resource, socket, ssl, sys, threading, time, urllib.request

port, token, metrics, silent = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
BOUND_S, RSS_MAX = 5, int(sys.argv[5]) << 20
resource.setrlimit(resource.RLIMIT_NOFILE, (min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 20000),) * 2)
context = ssl._create_unverified_context()
HEADERS = {"Authorization": "Bearer " + token, "Host": "localhost"}


def dial(source):
    s = socket.socket()
    s.settimeout(5)
    s.bind((source, 0))
    s.connect(("127.0.0.1", port))
    return s


def ask(source="127.0.0.1", path="/api/v1/status"):
    """One request on a new connection: its status, and how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < BOUND_S:
        c = http.client.HTTPSConnection("127.0.0.1", port, timeout=BOUND_S, context=context, source_address=(source, 0))
        try:
            c.request("GET", path, headers=HEADERS)
            r = c.getresponse()
            r.read()
            return r.status, time.monotonic() - began
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)  # as a client that tries again does
        finally:
            c.close()
    return 0, time.monotonic() - began


def scrape():
    return urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=20).read().decode()


def rss(text):
    return sum(float(v) for v in re.findall(r"^pillion_process_resident_memory_bytes\{[^}]*\} ([0-9.e+]+)$", text, re.M))


def served(what, while_s, kept):
    """Through new connections and a kept one, all the time: the longest wait."""
    end, worst, n = time.monotonic() + while_s, 0.0, 0
    while time.monotonic() < end:
        status, took = ask()
        if status != 200:
            sys.exit(f"{what}: a new connection is not served: {status} after {took:.1f} s")
        worst, n = max(worst, took), n + 1
        began = time.monotonic()
        kept.request("GET", "/api/v1/status", headers=HEADERS)
        r = kept.getresponse()
        r.read()
        if r.status != 200:
            sys.exit(f"{what}: the kept connection: {r.status}")
        worst = max(worst, time.monotonic() - began)
    if worst > BOUND_S:
        sys.exit(f"{what}: {worst:.2f} s")
    print(f"ok: {what}: {n} requests, the longest took {worst * 1000:.0f} ms", flush=True)


kept = http.client.HTTPSConnection("127.0.0.1", port, timeout=BOUND_S, context=context)
kept.connect()
if ask()[0] != 200:
    sys.exit("not served before the flood")
before = scrape()

# --- silent connections, one after the other without end until they are all made
made, stop = [], threading.Event()


def be_silent(first):
    for i in range(silent // 4):
        if stop.is_set():
            return
        try:
            made.append(dial(f"127.0.1.{1 + (first + i) % 250}"))
        except OSError:
            pass


threads = [threading.Thread(target=be_silent, args=(k * 60,), daemon=True) for k in range(4)]
for t in threads:
    t.start()
served(f"{silent} silent connections", 6, kept)
for t in threads:
    t.join(30)
if len(made) < silent * 0.9:
    sys.exit(f"only {len(made)} connections were made")

# --- handshakes, half a hello each, from as many addresses
HELLO = bytes.fromhex("1603010200010001fc0303") + os.urandom(100)


def shake(first):
    i = 0
    while not stop.is_set():
        i += 1
        try:
            s = dial(f"127.0.2.{1 + (first + i) % 250}")
            s.sendall(HELLO)
            made.append(s)
            if len(made) > 12000:
                made.pop(0).close()
        except OSError:
            time.sleep(0.01)
        time.sleep(0.002)


threads = [threading.Thread(target=shake, args=(k * 60,), daemon=True) for k in range(2)]
for t in threads:
    t.start()
served("a flood of handshakes", 5, kept)
stop.set()
for t in threads:
    t.join(10)

# --- slow heads
slow = []
for i in range(200):
    try:
        s = dial(f"127.0.3.{1 + i % 250}")
        s.settimeout(1)
        s.sendall(b"\x16\x03\x01\x02\x00\x01")
        slow.append(s)
    except OSError:
        pass
served("200 slow ones", 3, kept)

after = scrape()
if rss(after) > RSS_MAX:
    sys.exit(f"memory: {rss(after) / (1 << 20):.1f} MiB")
print(f"ok: memory: {rss(before) / (1 << 20):.1f} MiB before, {rss(after) / (1 << 20):.1f} MiB after, of all programs")
for s in made + slow:
    s.close()
kept.close()
evicted = int(re.search(r"^pillion_connections_evicted_total (\d+)", after, re.M).group(1))
if evicted < silent // 2:
    sys.exit(f"only {evicted} were counted as evicted")
print(f"ok: {evicted} had to leave, and were counted")
