#!/usr/bin/env python3
"""Every scope x every endpoint x every kind of credential: one table, all cells.

    matrix.py FOLDER URL PID LOG API ROUTES    run by 37-matrix.sh

For each set of scopes all credentials are given exactly these and the configuration is read anew;
then each asks for each row of the endpoint's table (HEAD, so that nothing is sampled): 403 exactly
where the row's scope is not among them, never 401; the index lists exactly what may be had. One
wrong credential of each kind must be 401 on all of them, whatever anonymous callers may do.
"""
import base64
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time

FOLDER, URL, PID, LOG, API, ROUTES = sys.argv[1:7]
HOST, PORT = URL.split("//")[1].rsplit(":", 1)
SCRAPE = {"cpu", "heap", "goroutine", "contention"}
GROUPS = {
    "view": SCRAPE | {"symbol", "history"},
    "scrape": SCRAPE,
    "all": SCRAPE | {"trace", "cmdline", "symbol", "metrics", "history"},
}
SINGLE = sorted(GROUPS["all"])


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
        return f.read().strip()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


TOKEN = "token-of-the-matrix-0123456789"
JWT = read("jwt")
CERTIFICATE = "certificate"

# kind: headers, or CERTIFICATE; and one of the same kind that is wrong
KINDS = {
    "token": ({"Authorization": "Bearer " + TOKEN}, {"Authorization": "Bearer " + TOKEN + "x"}),
    "basic": ({"Authorization": basic("any", TOKEN)}, None),  # a wrong one is a wrong password
    "header": ({"X-Pprof-Token": TOKEN}, {"X-Pprof-Token": TOKEN + "x"}),
    "htpasswd": ({"Authorization": basic("me", "a password")}, None),  # a wrong one is slowed down
    "mtls": (CERTIFICATE, None),  # what is wrong with those is 35-mtls.sh's
    "jwt": ({"Authorization": "Bearer " + JWT}, {"Authorization": "Bearer " + JWT[:-9] + "AAAAAAAAA"}),
    "kubernetes": ({"X-Pprof-Token": "good-token-0000000001"}, {"X-Pprof-Token": "nobody-token-00000001"}),
    "anonymous": ({}, None),
}


def configure(scopes):
    words = "[" + ", ".join(scopes) + "]"
    sha = subprocess.run(["sha256sum"], input=TOKEN.encode(), capture_output=True, check=True)
    text = f"""
admin: {{tls: {{certificate: "{FOLDER}/tls.crt", key: "{FOLDER}/tls.key", client_ca: "{FOLDER}/client.crt",
                client_auth: optional}}}}
auth:
  tokens: [{{name: token, sha256: "{sha.stdout.decode().split()[0]}", scopes: {words}}}]
  basic: {{htpasswd: "{FOLDER}/htpasswd", scopes: {words}}}
  certificates: [{{name: certificate, cn: matrix, scopes: {words}}}]
  jwt: [{{issuer: "https://issuer.example", audience: pillion, jwks: "{FOLDER}/jwks.json", scopes: {words}}}]
  kubernetes: {{audiences: [pillion], scopes: {words}, api: "{API}", ca: "{FOLDER}/tls.crt",
               token_file: "{FOLDER}/own-token", namespace: prof, pod: demo-1}}
  anonymous: {{scopes: {words}}}
limits: {{handshakes: 1000, per_address: 64, min_interval: 0s}}
"""
    path = os.path.join(FOLDER, "pillion.yaml")
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)


def reloads():
    with open(LOG, encoding="utf-8", errors="replace") as f:
        text = f.read()
    assert "the new configuration is refused" not in text, text[-2000:]
    return text.count('"configuration reloaded"')


def reload():
    before = reloads()
    os.kill(int(PID), signal.SIGHUP)
    end = time.time() + 30
    while reloads() == before:
        assert time.time() < end, "no reload"
        time.sleep(0.05)


class Caller:
    """One connection, made anew when the server has closed it."""

    def __init__(self, certificate):
        self.context = ssl._create_unverified_context()
        if certificate:
            self.context.load_cert_chain(f"{FOLDER}/client.crt", f"{FOLDER}/client.key")
        self.connection = None

    def ask(self, method, path, headers):
        for attempt in (1, 2):
            try:
                if not self.connection:
                    self.connection = http.client.HTTPSConnection(HOST, int(PORT), timeout=30, context=self.context)
                self.connection.request(method, path, headers=headers)
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if attempt == 2:
                    raise


plain, shown = Caller(False), Caller(True)
cells = 0


def check(condition, *what):
    global cells
    cells += 1
    if not condition:
        print("FAIL:", *what)
        sys.exit(1)


def ask(kind, method, path):
    headers = KINDS[kind][0]
    if headers == CERTIFICATE:
        return shown.ask(method, path, {})
    return plain.ask(method, path, headers)


def column(kind, words, have, rows):
    """One kind of credential with these scopes on all endpoints."""
    for row in rows:
        status, _ = ask(kind, "HEAD", row["path"])
        need = set(row["scope"].split(",")) - {""}
        check(
            (status == 403) == bool(need - have) and status not in (401, 421, 500),
            kind, words, row["path"], "needs", sorted(need), "got", status,
        )
    status, body = ask(kind, "GET", "/debug/pprof/?format=json")
    check(status == 200, kind, words, "index", status, body[:200])
    listed = {r["name"] for r in json.loads(body)["profiles"]}
    may = {r["name"] for r in rows if r["listed"] and not set(r["scope"].split(",")) - have}
    check(listed == may, kind, words, "the index lists", sorted(listed), "instead of", sorted(may))


def wrong(words, rows):
    """Nothing is known by a wrong one, and what it says is the same everywhere."""
    for kind, (_, headers) in KINDS.items():
        if headers is None:
            continue
        bodies = set()
        for row in rows:
            status, body = plain.ask("GET", row["path"], headers)
            bodies.add(body)
            check(status == 401, "a wrong", kind, words, row["path"], status)
        check(len(bodies) == 1, "a wrong", kind, "is told different things:", bodies)


def main():
    rows = [json.loads(line) for line in open(ROUTES, encoding="utf-8")]
    rows.append({"path": "/nothing", "name": "nothing", "scope": "", "listed": False})
    assert len(rows) > 25
    sets = [[s] for s in SINGLE] + [[g] for g in GROUPS] + [["cpu", "metrics"], []]
    for words in sets:
        have = set().union(*(GROUPS.get(w, {w}) for w in words))
        configure(words)
        reload()
        for kind in KINDS:
            if words or kind != "anonymous":
                column(kind, words, have, rows)
        if not words:
            for row in rows:
                status, _ = plain.ask("HEAD", row["path"], {})
                check(status == 401, "without credentials", row["path"], status)
        if words in (["all"], []):
            wrong(words, rows)
    print(f"{cells} cells: {len(sets)} sets of scopes, {len(KINDS)} kinds of credentials, {len(rows)} paths")


if sys.argv[-1] == "--configure":
    configure(["all"])
else:
    main()
