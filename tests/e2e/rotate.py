"""Fifty clients that work while a token and a certificate are exchanged below them.

rotate.py PORT LIVE CLIENTS: LIVE has ..data -> a folder with token, tls.crt, tls.key, and the folders
v1 (in force), v2, broken. Prints what it saw; any breach of the promise ends it.
"""
import http.client, os, ssl, sys, threading, time

port, live, clients = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
TAKEN_S = 8  # files are looked at every 5 s; the rest is for a loaded machine
context = ssl._create_unverified_context()
lock, failures, answers, stop = threading.Lock(), [], {}, threading.Event()


def token(version):
    return open(f"{live}/{version}/token").read().strip()


def swap(version):
    os.symlink(version, f"{live}/..new")
    os.rename(f"{live}/..new", f"{live}/..data")
    return time.monotonic()


state = {"right": {token("v1")}, "wrong": set()}  # what must be let in, and what must not


def work():
    """New and kept connections in turn, with each token that matters now."""
    c = None
    while not stop.is_set():
        for kind in ("right", "wrong"):
            for t in sorted(state[kind]):
                began, known = time.monotonic(), set(state[kind])
                for attempt in range(3):  # a connection may be asked to leave between two requests
                    try:
                        if c is None:
                            c = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
                        c.request("GET", "/api/v1/status", headers={"X-Pprof-Token": t, "Host": "localhost"})
                        r = c.getresponse()
                        r.read()
                        status = r.status
                        if r.getheader("Connection") == "close":
                            c.close()
                            c = None
                        break
                    except (OSError, http.client.HTTPException):
                        c.close()
                        c, status = None, 0
                        time.sleep(0.05)
                with lock:
                    answers[kind, status] = answers.get((kind, status), 0) + 1
                    # judged by the rules that held when it was sent and when it came
                    if t in known and t in state[kind] and status != (200 if kind == "right" else 401):
                        failures.append(f"{kind} {status} after {time.monotonic() - began:.2f} s")
        time.sleep(0.1)


def certificate():
    s = context.wrap_socket(__import__("socket").create_connection(("127.0.0.1", port), timeout=20))
    der = s.getpeercert(True)
    s.close()
    return ssl.DER_cert_to_PEM_cert(der).split()


def served(version):
    return certificate() == open(f"{live}/{version}/tls.crt").read().split()


threads = [threading.Thread(target=work, daemon=True) for _ in range(clients)]
for t in threads:
    t.start()
time.sleep(1.5)
with lock:
    state["right"] = set()  # between the two, either may be in force
swap("v2")
time.sleep(TAKEN_S)
with lock:
    state["right"], state["wrong"] = {token("v2")}, {token("v1")}
if not served("v2"):
    sys.exit("the new certificate is not served")
time.sleep(1.5)
swap("broken")  # an empty token file, half a key: nothing may change
time.sleep(TAKEN_S)
if not served("v2"):
    sys.exit("a broken certificate has changed what is served")
stop.set()
for t in threads:
    t.join(30)
if failures:
    sys.exit(f"{len(failures)} failures, the first: {failures[:5]}")
if not answers.get(("right", 200)) or not answers.get(("wrong", 401)):
    sys.exit(f"nothing was asked: {answers}")
print(f"ok: {answers}")
