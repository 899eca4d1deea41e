#!/usr/bin/env python3
"""A backend that does what it is told: well, late, in pieces, too much, or not at all.

    backend.py [--tls CERT KEY] [--client-ca FILE] [--unix PATH] [--log FILE] [--bodies DIR]
               [--proxy] [--proxy-auth USER:PASSWORD] [--mute] [STEP...]

Prints "port N" (or "path P") when it listens, ends when its standard input does. A STEP is a query
string; the first request gets the first one, and the last one is for all that follow:

    backend.py 'status=429&header=Retry-After:+2' 'status=500&times=3' 'status=200'

A request whose path begins with /step? brings its own. Keys of a step:

    status=200 body=TEXT bytes=N header=NAME:VALUE (repeatable) type=text/plain
    times=N          this step is for N requests (default 1; the last one: for ever)
    delay=S          seconds before the answer begins
    mode=length      Content-Length (default)     mode=chunked     in chunks of 1000
    mode=close       ends with the connection     mode=cut         half of it, then the end
    mode=cutchunk    chunked, without its end     mode=drip        a byte each interval=S
    mode=huge        10 GB                        mode=hugechunk   the same, chunked
    mode=stall       the head, then nothing       mode=silent      nothing at all
    mode=hangup      the end, no answer           mode=reset       the same with RST
    mode=early       answers before the body was read, and closes
    mode=bighead     a header of a megabyte       mode=raw         the bytes of raw=
    interim=N        that many "100 Continue" before
    vanish=1         closes after the answer without having said so
    connection=close says so, and closes

Each request is a line of JSON in the log when its body has been read: n, method, path, headers,
bytes, sha256, connection, time, and status and mode of what it will be answered; its body is bodies/N.
GET /-/count says how many there were.
"""
import argparse
import base64
import hashlib
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse


class Gone(Exception):
    pass


class Backend:
    def __init__(self, args):
        self.args = args
        self.lock = threading.Lock()
        self.steps = [urllib.parse.parse_qs(s, keep_blank_values=True) for s in args.steps]
        self.used = 0
        self.requests = 0
        self.connections = 0
        self.log = open(args.log, "a", encoding="utf-8") if args.log else None
        self.tls = None
        if args.tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*args.tls)
            if args.client_ca:
                self.tls.load_verify_locations(args.client_ca)
                self.tls.verify_mode = ssl.CERT_REQUIRED
            if args.tls12:
                self.tls.maximum_version = ssl.TLSVersion.TLSv1_2

    def step_of(self, path):
        if path.startswith("/step?"):
            return urllib.parse.parse_qs(path[6:], keep_blank_values=True)
        with self.lock:
            if not self.steps:
                return {}
            step = self.steps[0]
            self.used += 1
            if len(self.steps) > 1 and self.used >= int(step.get("times", ["1"])[0]):
                self.steps.pop(0)
                self.used = 0
            return step

    def record(self, connection, method, path, headers, body, step=None):
        with self.lock:
            n = self.requests
            self.requests += 1
            if self.args.bodies:
                with open(os.path.join(self.args.bodies, str(n)), "wb") as f:
                    f.write(body)
            if self.log:
                line = {"n": n, "method": method, "path": path, "headers": headers,
                        "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(),
                        "connection": connection, "time": time.time(),
                        "status": int(one(step or {}, "status", "200")),
                        "mode": one(step or {}, "mode", "length")}
                self.log.write(json.dumps(line) + "\n")
                self.log.flush()


class Connection:
    def __init__(self, backend, sock, number):
        self.backend = backend
        self.sock = sock
        self.number = number
        self.buffer = b""

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Gone()
        self.buffer += data

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
        return method, target, headers

    def body(self, headers):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self.chunked()
        left = int(headers.get("content-length", "0"))
        while len(self.buffer) < left:
            self.fill()
        body, self.buffer = self.buffer[:left], self.buffer[left:]
        return body

    def chunked(self):
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                self.fill()
            size, self.buffer = self.buffer.split(b"\r\n", 1)
            size = int(size.split(b";")[0], 16)
            while len(self.buffer) < size + 2:
                self.fill()
            body += self.buffer[:size]
            self.buffer = self.buffer[size + 2:]
            if size == 0:
                return body

    def serve(self):
        if self.backend.args.mute:
            while self.sock.recv(65536):
                pass
            return
        if self.backend.tls:
            self.sock = self.backend.tls.wrap_socket(self.sock, server_side=True)
        while True:
            method, target, headers = self.head()
            if method == "CONNECT":
                self.tunnel(target, headers)
                return
            path = target
            if not path.startswith("/"):
                path = "/" + path.split("://", 1)[1].partition("/")[2]
                if not self.proxy_allows(headers):
                    continue
            if path == "/-/count":
                self.answer({"body": [str(self.backend.requests)]}, method)
                continue
            step = self.backend.step_of(path)
            if one(step, "mode") == "early":
                self.answer(step, method)
                self.sock.shutdown(socket.SHUT_WR)
                return
            body = self.body(headers)
            self.backend.record(self.number, method, target, headers, body, step)
            if not self.answer(step, method):
                return

    def proxy_allows(self, headers):
        want = self.backend.args.proxy_auth
        if not want:
            return True
        want = "Basic " + base64.b64encode(want.encode()).decode()
        if headers.get("proxy-authorization") == want:
            return True
        self.answer({"status": ["407"], "header": ["Proxy-Authenticate: Basic"]}, "GET")
        return False

    def tunnel(self, target, headers):
        self.backend.record(self.number, "CONNECT", target, headers, b"")
        if not self.backend.args.proxy:
            self.answer({"status": ["405"]}, "CONNECT")
            return
        if not self.proxy_allows(headers):
            return
        # whatever name was asked for, the tunnel leads to this machine
        far = socket.create_connection(("127.0.0.1", int(target.rsplit(":", 1)[1])))
        self.sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        while True:
            ready, _, _ = select.select([self.sock, far], [], [])
            for s in ready:
                data = s.recv(65536)
                if not data:
                    return
                (far if s is self.sock else self.sock).sendall(data)

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, step, method):
        """Does the connection go on?"""
        mode = one(step, "mode", "length")
        time.sleep(float(one(step, "delay", "0")))
        if mode == "raw":
            self.send(urllib.parse.unquote_to_bytes(one(step, "raw")))
            return not one(step, "vanish") and one(step, "connection") != "close"
        if mode == "silent":
            while self.sock.recv(65536):
                pass
            return False
        if mode == "hangup":
            return False
        if mode == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        for _ in range(int(one(step, "interim", "0"))):
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self.answer_in(mode, step, method)

    def answer_in(self, mode, step, method):
        body = one(step, "body", "").encode()
        if "bytes" in step:
            body = bytes(i * 31 % 251 for i in range(251)) * (int(one(step, "bytes")) // 251 + 1)
            body = body[:int(one(step, "bytes"))]
        closes = mode in ("close", "cut", "cutchunk", "early")
        chunked = mode in ("chunked", "cutchunk", "hugechunk")
        lines = ["HTTP/1.1 %s Told" % one(step, "status", "200"),
                 "Content-Type: " + one(step, "type", "text/plain")]
        lines += step.get("header", [])
        if one(step, "connection"):
            lines.append("Connection: " + one(step, "connection"))
        if mode == "bighead":
            lines.append("X-Big: " + "a" * 1048576)
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        elif mode in ("huge", "stall"):
            lines.append("Content-Length: %d" % (10 << 30))
        elif mode != "close":
            lines.append("Content-Length: %d" % len(body))
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        if method != "HEAD":
            self.answer_body(mode, step, body, chunked)
        return not (closes or one(step, "vanish") or one(step, "connection") == "close")

    def answer_body(self, mode, step, body, chunked):
        if mode == "stall":
            while self.sock.recv(65536):
                pass
        elif mode in ("huge", "hugechunk"):
            zeros = bytes(1 << 20)
            block = b"%x\r\n" % len(zeros) + zeros + b"\r\n" if chunked else zeros
            for _ in range(10 << 10):
                self.send(block)
        elif mode == "drip":
            for i in range(len(body)):
                self.send(body[i:i + 1])
                time.sleep(float(one(step, "interval", "1")))
        elif chunked:
            for i in range(0, len(body), 1000):
                piece = body[i:i + 1000]
                self.send(b"%x\r\n" % len(piece) + piece + b"\r\n")
            if mode == "chunked":
                self.send(b"0\r\n\r\n")
        else:
            self.send(body[:len(body) // 2] if mode == "cut" else body)


def one(step, key, otherwise=""):
    return step.get(key, [otherwise])[0]


def run(backend, sock, number):
    connection = Connection(backend, sock, number)
    try:
        connection.serve()
    except (Gone, OSError, ValueError, IndexError):
        pass
    finally:
        try:
            connection.sock.close()
        except OSError:
            pass


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tls", nargs=2)
    p.add_argument("--tls12", action="store_true")
    p.add_argument("--client-ca")
    p.add_argument("--unix")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--log")
    p.add_argument("--bodies")
    p.add_argument("--proxy", action="store_true")
    p.add_argument("--proxy-auth")
    p.add_argument("--mute", action="store_true")
    p.add_argument("steps", nargs="*")
    backend = Backend(p.parse_args())
    if backend.args.unix:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(backend.args.unix)
        ready = "path " + backend.args.unix
    else:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", backend.args.port))
        ready = "port %d" % listener.getsockname()[1]
    listener.listen(128)
    print(ready, flush=True)

    def until_end():
        while sys.stdin.buffer.read(4096):
            pass
        os._exit(0)

    threading.Thread(target=until_end, daemon=True).start()
    while True:
        sock, _ = listener.accept()
        backend.connections += 1
        threading.Thread(target=run, args=(backend, sock, backend.connections),
                         daemon=True).start()


main()
