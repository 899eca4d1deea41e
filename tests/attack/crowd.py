"""A crowd of clients, good and bad, for MINUTES: what soak.sh lets loose on a build with a sanitizer.

crowd.py PORT FOLDER MINUTES: FOLDER has token, live/token, jwts, pki/NAME.{pem,key}. Each member is a
thread that goes on whatever comes back. At the end a line "NAME CODE COUNT" for each answer (0: none).
"""
import base64, http.client, os, random, socket, ssl, sys, threading, time

port, folder, minutes = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
end = time.monotonic() + minutes * 60
lock, counts = threading.Lock(), {}
plain = ssl._create_unverified_context()


def read(name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return f.read().strip()


TOKEN = read("token")
BY_TOKEN = {"Authorization": "Bearer " + TOKEN}
jwts = read("jwts").split("\n")


def count(name, code):
    with lock:
        counts[name, code] = counts.get((name, code), 0) + 1


def certificate(name):
    context = ssl._create_unverified_context()
    context.load_cert_chain(f"{folder}/pki/{name}.pem", f"{folder}/pki/{name}.key")
    return context


def dial(source, timeout=30):
    s = socket.socket()
    s.settimeout(timeout)
    s.bind((source, 0))
    s.connect(("127.0.0.1", port))
    return s


def ask(name, paths, headers, source="127.0.0.1", context=plain, timeout=60, method="GET"):
    """Some requests on one connection, as a client that keeps it does."""
    c = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=context, source_address=(source, 0))
    try:
        for path in paths:
            c.request(method, path, headers=dict(headers, Host="localhost"))
            r = c.getresponse()
            r.read()
            count(name, r.status)
    except (OSError, http.client.HTTPException, ValueError):
        count(name, 0)
    finally:
        c.close()


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def some():
    return "%016x" % random.getrandbits(64)


STATUS = "/api/v1/status"
KINDS = ["goroutine", "heap", "allocs", "block", "mutex", "threadcreate", "delta_heap", "delta_block", "delta_mutex",
         "goroutine?debug=1", "goroutine?debug=2", "heap?debug=1", "heap?seconds=1", "block?seconds=1", "goroutine?seconds=1",
         "goroutine?labels=detail", "open_connections", "cmdline", "symbol?0x1", "trace?seconds=0.2"]
PAGES = ["/", "/debug/pprof/", "/debug/pprof/?format=json", STATUS, "/api/v1/targets", "/metrics", "/livez", "/readyz",
         "/api/v1/profiles?limit=5", "/api/v1/profiles/merge?type=goroutine&from=-1h",
         "/api/v1/profiles/merge?type=cpu&from=-1h", "/nothing"]
BROKEN = [b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n",
          b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n" * 300,
          b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 3000,
          b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20]


# --- those who may
def cpu():
    how = random.choice(["hz=200", "hz=999&labels=0", "hz=49&kernel=0", "hz=100"])
    ask("cpu", [f"/debug/pprof/profile?seconds={random.choice([1, 2])}&{how}"], BY_TOKEN)


def kinds():
    ask("kinds", ["/debug/pprof/" + k for k in random.sample(KINDS, 6)], BY_TOKEN)


def pages():
    ask("pages", random.sample(PAGES, 4), BY_TOKEN, method=random.choice(["GET", "GET", "HEAD"]))
    time.sleep(0.2)


def rotated():
    """The token that is exchanged below us: right until it is wrong, then read anew."""
    ask("rotated", [STATUS], {"X-Pprof-Token": read("live/token")}, "127.0.0.7")
    time.sleep(0.3)


def users():
    user = random.choice(["sha512", "bcrypt", "yescrypt"])
    ask("users", [STATUS, "/debug/pprof/"], basic(user, "secret-of-" + user), "127.0.0.8")
    time.sleep(0.2)


def robots():
    ask("robots", ["/debug/pprof/cmdline", "/debug/pprof/"], {"Authorization": "Bearer " + random.choice(jwts)}, "127.0.0.9")
    time.sleep(0.2)


def accounts():
    who = "good-" + some() if random.random() < 0.6 else "good-token-that-stays"
    ask("accounts", [STATUS, "/metrics"], {"Authorization": "Bearer " + who}, "127.0.0.10", timeout=20)
    time.sleep(0.1)


certified_by = {name: certificate(name) for name in ("valid", "rsa", "chain", "revoked", "expired", "roguish")}


def certified():
    name = random.choice(["valid", "rsa", "chain"])
    ask("certified", [STATUS, "/debug/pprof/heap"], {}, "127.0.0.11", certified_by[name])
    time.sleep(0.2)


def slow_readers():
    """A large answer, read by pieces, and sometimes left half way."""
    try:
        c = plain.wrap_socket(dial("127.0.0.12"))
        c.sendall(b"GET /debug/pprof/%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n"
                  % (random.choice([b"goroutine?debug=2", b"trace?seconds=1", b"heap"]), TOKEN.encode()))
        n = 0
        for _ in range(random.randrange(1, 400)):
            got = c.recv(random.choice([1, 100, 2000]))
            if not got:
                break
            n += len(got)
            time.sleep(0.01)
        count("slow_readers", 200 if n else 0)
        c.close()
    except OSError:
        count("slow_readers", 0)


# --- those who may not
def impostors():
    wrong = random.choice([
        lambda: {"Authorization": "Bearer wrong-" + some()}, lambda: basic("sha512", some()), lambda: basic("nobody", some()),
        lambda: {"Authorization": "Bearer " + jwts[0][:-6] + "AAAAAA"}, lambda: {"Authorization": "Bearer denied-" + some()},
        lambda: {"Authorization": "Bearer garbage-" + some()}, lambda: {}, lambda: {"Authorization": "Basic !!!"},
        lambda: {"X-Pprof-Token": some()}])()
    ask("impostors", [STATUS, "/debug/pprof/profile?seconds=1"], wrong, f"127.0.4.{random.randrange(1, 200)}", timeout=20)
    time.sleep(0.2)


def bad_certificates():
    name = random.choice(["revoked", "expired", "roguish"])
    ask("bad_certificates", [STATUS], {}, f"127.0.5.{random.randrange(1, 200)}", certified_by[name])
    time.sleep(0.5)


def leavers():
    ask("leavers", ["/debug/pprof/profile?seconds=3"], BY_TOKEN, "127.0.0.13", timeout=0.7)
    ask("leavers", ["/debug/pprof/goroutine?debug=2"], BY_TOKEN, "127.0.0.13", timeout=0.05)
    ask("leavers", [STATUS], {"Authorization": "Bearer good-" + some()}, "127.0.0.13", timeout=0.05)
    time.sleep(0.3)


def noise():
    try:
        raw = dial(f"127.0.6.{random.randrange(1, 200)}", 5)
        kind = random.randrange(5)
        if kind == 0:
            raw.sendall(os.urandom(random.randrange(1, 2000)))
        elif kind == 1:
            raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[:random.randrange(1, 12)] + os.urandom(40))
        elif kind == 2:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        else:
            tls = plain.wrap_socket(raw)
            tls.sendall(random.choice(BROKEN + [os.urandom(300)]))
            if kind == 4:
                tls.recv(1000)
            tls.close()
        raw.close()
    except OSError:
        pass
    count("noise", 0)
    time.sleep(0.1)


def floods():
    """Each minute some hundred silent connections, then half hellos, then slow heads."""
    held = []
    for i in range(300):
        try:
            s = dial(f"127.0.7.{1 + i % 250}", 5)
            if i % 3 == 1:
                s.sendall(bytes.fromhex("1603010200010001fc0303") + os.urandom(100))
            if i % 3 == 2:
                s.sendall(b"\x16\x03\x01\x02\x00\x01")
            held.append(s)
        except OSError:
            pass
        time.sleep(0.01)
    time.sleep(12)
    for s in held:
        s.close()
    count("floods", 0)
    time.sleep(random.randrange(10, 40))


def always(member):
    while time.monotonic() < end:
        member()


threads = [threading.Thread(target=always, args=(m,), daemon=True) for m in (
    cpu, kinds, kinds, pages, rotated, users, robots, accounts, certified, slow_readers, slow_readers, impostors, impostors,
    bad_certificates, leavers, noise, floods)]
for t in threads:
    t.start()
for t in threads:
    t.join(max(1, end - time.monotonic() + 90))
for (name, code), n in sorted(counts.items()):
    print(name, code, n)
