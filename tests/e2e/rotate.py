"""Fifty clients that work while tokens, certificates, a CA and a revocation list are exchanged.

rotate.py PORT HEALTH LIVE PKI CLIENTS: LIVE has ..data -> a folder with token, tls.crt, tls.key, ca.crt,
crl.pem: v1 is in force; v2 has another token, server certificate and client CA; v3 revokes one
client's certificate; broken is half a set. PKI has the clients' certificates old (of v1's CA), new
and gone (of v2's; v3 revokes gone). Half of the clients keep their connection, the others make a new
one for each request. Nothing is ever tried twice: any breach of the promise ends the test.
"""
import http.client, os, ssl, sys, threading, time, urllib.request

port, health, live, pki, clients = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])
TAKEN_S = 5.0  # the promise
WORK_S = 1.0  # how long each state is worked in
PAUSE_S = 0.3  # of a client between two rounds
lock, failures, answers, stop = threading.Lock(), [], {}, threading.Event()


def text(version, name):
    return open(f"{live}/{version}/{name}").read().strip()


def context(certificate=None):
    c = ssl._create_unverified_context()
    if certificate:
        c.load_cert_chain(f"{pki}/{certificate}.pem", f"{pki}/{certificate}.key")
    return c


class Credential:
    """A token or a client certificate: what is sent with it, and what says that it is refused."""

    def __init__(self, name, token=None, certificate=None):
        self.name, self.context = name, context(certificate)
        self.headers = {"Host": "localhost"}
        # a certificate is refused by an alert in the handshake, on an open connection by a 403
        self.refused = (0, 403) if certificate else (401,)
        if token:
            self.headers["X-Pprof-Token"] = token

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=self.context)

    def ask(self, c):
        """Status and whether the connection can go on; 0: it was closed or refused."""
        try:
            c.request("GET", "/api/v1/status", headers=self.headers)
            r = c.getresponse()
            r.read()
            return r.status, r.getheader("Connection") != "close"
        except (OSError, http.client.HTTPException) as e:
            self.last = repr(e)
            return 0, False


t1, t2 = Credential("token v1", token=text("v1", "token")), Credential("token v2", token=text("v2", "token"))
old, new, gone = (Credential(f"certificate {n}", certificate=n) for n in ("old", "new", "gone"))
state = {"right": {t1, old}, "wrong": set()}  # what must be let in, and what must not


def work(i):
    """Each credential that matters now, of the kind that this client has."""
    kept, keeps, tokens = {}, i % 2 == 0, i % 4 < 2
    while not stop.is_set():
        for kind in ("right", "wrong"):
            for x in [x for x in list(state[kind]) if (x in (t1, t2)) == tokens]:
                began, known = time.monotonic(), x in state[kind]
                c = kept.pop(x, None) or x.connect()
                status, goes_on = x.ask(c)
                if keeps and goes_on:
                    kept[x] = c
                else:
                    c.close()
                with lock:
                    answers[kind, status] = answers.get((kind, status), 0) + 1
                    # judged by the rules that held when it was sent and when it came
                    good = status == 200 if kind == "right" else status in x.refused
                    if known and x in state[kind] and not good:
                        why = getattr(x, "last", "") if status == 0 else ""
                        failures.append(f"{x.name}, {kind}: {status} after {time.monotonic() - began:.2f} s {why}")
        time.sleep(PAUSE_S)


def certificate():
    s = context().wrap_socket(__import__("socket").create_connection(("127.0.0.1", port), timeout=20))
    der = s.getpeercert(True)
    s.close()
    return ssl.DER_cert_to_PEM_cert(der).split()


def swap(version):
    os.symlink(version, f"{live}/..new")
    os.rename(f"{live}/..new", f"{live}/..data")
    return time.monotonic()


def exchange(version, right, wrong):
    """Between the two, either may be in force; after TAKEN_S, ${right} is and ${wrong} is not."""
    idle = [(x, x.connect()) for x in wrong & state["right"] for _ in range(3)]
    for x, c in idle:
        if x.ask(c) != (200, True):
            sys.exit(f"{x.name}: not let in before the swap")
    with lock:
        state["right"] -= wrong
    began = swap(version)
    probe = next(iter(right - state["right"]), None)
    while probe and time.monotonic() - began < TAKEN_S:
        c = probe.connect()
        status, _ = probe.ask(c)
        c.close()
        if status == 200:
            print(f"ok: {version}: {probe.name} is taken after {time.monotonic() - began:.1f} s")
            break
        time.sleep(0.1)
    time.sleep(max(0, began + TAKEN_S - time.monotonic()))
    with lock:
        state["right"], state["wrong"] = right, wrong
    for x, c in idle:  # authenticated before, unused since: what they showed is judged anew
        status, _ = x.ask(c)
        if status not in x.refused:
            sys.exit(f"{x.name}: {status} on a connection from before the swap")
        c.close()
    if certificate() != text(version, "tls.crt").split():
        sys.exit(f"the certificate of {version} is not served")
    time.sleep(WORK_S)


def reload_successful():
    said = urllib.request.urlopen(f"http://{health}/metrics", timeout=20).read().decode()
    return [l for l in said.splitlines() if l.startswith("pillion_config_last_reload_successful ")][0][-1] == "1"


threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(clients)]
for t in threads:
    t.start()
time.sleep(WORK_S)
exchange("v2", {t2, new}, {t1, old})
with lock:
    state["right"] = {t2, new, gone}
time.sleep(WORK_S)
exchange("v3", {t2, new}, {gone, old, t1})
swap("broken")  # an empty token file, half a key: nothing may change
end = time.monotonic() + TAKEN_S
while reload_successful():
    if time.monotonic() > end:
        sys.exit("a broken set is not in the metrics")
    time.sleep(0.1)
time.sleep(WORK_S)
if certificate() != text("v3", "tls.crt").split():
    sys.exit("a broken certificate has changed what is served")
stop.set()
for t in threads:
    t.join(30)
if failures:
    sys.exit(f"{len(failures)} failures, the first: {failures[:5]}")
if not answers.get(("right", 200)) or not answers.get(("wrong", 401)) or not answers.get(("wrong", 0)):
    sys.exit(f"nothing was asked: {answers}")
print(f"ok: {answers}")
