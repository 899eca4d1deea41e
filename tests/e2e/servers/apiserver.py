#!/usr/bin/env python3
"""A Kubernetes API server as far as TokenReview and SubjectAccessReview go, and an issuer's key set
at /jwks. Answers have the shapes that kube-apiserver 1.36 was seen to give.

    apiserver.py FOLDER     FOLDER has tls.crt, tls.key; writes the port to FOLDER/port, and one line
                            a request to FOLDER/asked. FOLDER/mode: ok 403 401 500 silent broken huge
                            FOLDER/jwks.json is what /jwks serves.

It takes the token "pod-token-of-pillion-0001" of FOLDER/own-token as the asker's. Callers:
good-* is system:serviceaccount:prof:scraper, denied-* system:serviceaccount:prof:other, wrongaud-*
is valid for another audience, noaud-* gets an answer without audiences, both-* is authenticated and
has an error, anything else is nobody.
"""
import http.server
import json
import os
import ssl
import sys
import time

folder = sys.argv[1]


def read(name):
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            return f.read().strip()
    except FileNotFoundError:
        return ""


def user(name):
    return {
        "username": f"system:serviceaccount:prof:{name}",
        "uid": "1c6d5f9e-0000-4000-8000-000000000001",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:prof", "system:authenticated"],
        "extra": {"authentication.kubernetes.io/credential-id": ["JTI=1"]},
    }


def token_review(spec):
    token, audiences = spec["token"], spec.get("audiences", [])
    # what comes as a JSON Web Token says who it is in its middle
    kind = token.split("-")[0].split(".")[-1]
    if kind == "good":
        status = {"authenticated": True, "user": user("scraper"), "audiences": audiences}
    elif kind == "denied":
        status = {"authenticated": True, "user": user("other"), "audiences": audiences}
    elif kind == "noaud":
        status = {"authenticated": True, "user": user("scraper")}
    elif kind == "both":
        status = {"authenticated": True, "user": user("scraper"), "audiences": audiences, "error": "x"}
    elif kind == "wrongaud":
        status = {
            "user": {},
            "error": '[invalid bearer token, token audiences ["https://kubernetes.default.svc"] is '
            f"invalid for the target audiences {json.dumps(audiences)}]",
        }
    else:
        status = {"user": {}, "error": "invalid bearer token"}
    return status


def access_review(spec):
    resource = spec.get("resourceAttributes")
    other = spec.get("nonResourceAttributes")
    asked = (
        resource
        == {
            "namespace": "prof",
            "verb": "get",
            "group": "",
            "resource": "pods",
            "subresource": "pprof",
            "name": "demo-1",
        }
        or (other and other["verb"] == "get" and other["path"].startswith("/debug/pprof/"))
    )
    known = spec["groups"] == user("")["groups"] and spec["extra"] == user("")["extra"] and spec["uid"]
    if asked and known and spec["user"] == user("scraper")["username"]:
        return {"allowed": True, "reason": 'RBAC: allowed by RoleBinding "scraper-pprof/prof"'}
    return {"allowed": False}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def note(self, what):
        with open(os.path.join(folder, "asked"), "a", encoding="utf-8") as f:
            f.write(what + "\n")

    def do_GET(self):
        self.note("GET " + self.path)
        if self.path == "/jwks" and read("mode") != "500":
            self.send(200, read("jwks.json").encode())
        else:
            self.send(404, b"{}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        mode = read("mode")
        review = json.loads(body)
        self.note(review["kind"] + (" " + mode if mode != "ok" else ""))
        if mode == "silent":
            time.sleep(30)
        if mode == "huge":
            self.send(201, b"[" * 400000)
        elif mode == "broken":
            self.send(201, b'{"kind":"TokenReview","status":{"authenticated":"true"')
        elif mode in ("401", "403", "500"):
            self.send(int(mode), b'{"kind":"Status","status":"Failure","reason":"Forbidden"}')
        elif self.headers["Authorization"] != "Bearer " + read("own-token"):
            self.send(401, b'{"kind":"Status","status":"Failure","reason":"Unauthorized"}')
        elif self.path == "/apis/authentication.k8s.io/v1/tokenreviews":
            # the request comes back, token and all: nobody may log this
            review["status"] = token_review(review["spec"])
            self.send(201, json.dumps(review).encode())
        elif self.path == "/apis/authorization.k8s.io/v1/subjectaccessreviews":
            review["status"] = access_review(review["spec"])
            self.send(201, json.dumps(review).encode())
        else:
            self.send(404, b"{}")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key"))
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(os.path.join(folder, "port.new"), "w", encoding="utf-8") as out:
    out.write(str(server.server_address[1]))
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
