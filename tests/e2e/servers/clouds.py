#!/usr/bin/env python3
"""Datadog's agent and intake, Google's profiler, token and metadata servers, an object store: as
strict as what is known of them (the official clients' own uploads, the API's definitions).

    clouds.py DIR PUBLIC_KEY [--unix PATH] [--no-flavor]

Prints "port N" when it listens, ends with its standard input. The first part of a path is the name
of the backend that asks (but for /token and /computeMetadata): what it uploads is written to
DIR/NAME/N.json and DIR/NAME/N.pb, what was wrong with it to DIR/violations; each token that was
given for a signature is a line of DIR/signed.
"""
import base64
import ctypes
import ctypes.util
import gzip
import hashlib
import hmac
import http.server
import json
import os
import re
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import pprof  # noqa: E402

DIR, PUBLIC_KEY = sys.argv[1:3]
FLAVOR = "--no-flavor" not in sys.argv
API_KEY = "0123456789abcdef0123456789abcdef"
S3 = {"AKEXAMPLE": ("very/Secret+key", "session/token==", "bucket", "eu-central-1")}
LOCK = threading.Lock()
STATE = {"n": 0, "tokens": set(), "times": {}, "asked": {}, "names": {}}


def wrong(text):
    with LOCK, open(os.path.join(DIR, "violations"), "a", encoding="utf-8") as f:
        f.write(text + "\n")


def must(condition, text):
    if not condition:
        raise AssertionError(text)


def store(name, facts, data):
    with LOCK:
        n = STATE["n"]
        STATE["n"] += 1
    folder = os.path.join(DIR, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "%d.pb" % n), "wb") as f:
        f.write(data)
    with open(os.path.join(folder, "%d.tmp" % n), "w", encoding="utf-8") as f:
        json.dump(facts, f)
    os.rename(os.path.join(folder, "%d.tmp" % n), os.path.join(folder, "%d.json" % n))


def unzstd(data):
    lib = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    lib.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
    lib.ZSTD_findFrameCompressedSize.restype = ctypes.c_size_t
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    must(data[:4] == b"\x28\xb5\x2f\xfd", "no zstd frame")
    must(lib.ZSTD_findFrameCompressedSize(data, ctypes.c_size_t(len(data))) == len(data), "more than one zstd frame")
    size = lib.ZSTD_getFrameContentSize(data, ctypes.c_size_t(len(data)))
    must(size < 1 << 30, "the zstd frame does not tell its size")
    out = ctypes.create_string_buffer(size or 1)
    must(lib.ZSTD_decompress(out, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data))) == size, "bad zstd")
    return out.raw[:size]


def strict(data):
    """A profile that every reader takes."""
    p = pprof.message(data)
    must(p[6][0] == b"", "string 0 is not empty")
    for field in (3, 4, 5):
        ids = [pprof.message(m).get(1, [0])[0] for m in p.get(field, [])]
        must(ids == list(range(1, len(ids) + 1)), "ids of field %d: %s" % (field, ids[:9]))
    must(11 in p and 12 in p, "no period")
    parsed = pprof.Profile(data)
    must(all(len(s["values"]) == len(parsed.types) for s in parsed.samples), "values and types differ")
    return parsed


# --- Datadog

GO_FILES = {"cpu.pprof": [("samples", "count"), ("cpu", "nanoseconds")],
            "delta-heap.pprof": [("alloc_objects", "count"), ("alloc_space", "bytes"),
                                 ("inuse_objects", "count"), ("inuse_space", "bytes")],
            "delta-block.pprof": [("contentions", "count"), ("delay", "nanoseconds")],
            "delta-mutex.pprof": [("contentions", "count"), ("delay", "nanoseconds")],
            "goroutines.pprof": [("goroutine", "count")]}
NATIVE = {("cpu-samples", "count"), ("cpu-time", "nanoseconds"), ("alloc-samples", "count"),
          ("alloc-space", "bytes"), ("inuse-objects", "count"), ("inuse-space", "bytes")}
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def multipart(headers, body):
    kind = re.fullmatch(r'multipart/form-data; boundary=([0-9a-zA-Z]{16,70})', headers["content-type"])
    must(kind, "Content-Type " + headers["content-type"])
    mark = b"--" + kind.group(1).encode()
    must(body.startswith(mark + b"\r\n") and body.endswith(b"\r\n" + mark + b"--\r\n"), "bad multipart frame")
    parts = {}
    for piece in (b"\r\n" + body[:-len(mark) - 6]).split(b"\r\n" + mark + b"\r\n")[1:]:
        head, data = piece.split(b"\r\n\r\n", 1)
        lines = dict(line.split(": ", 1) for line in head.decode("ascii").split("\r\n"))
        name = re.fullmatch(r'form-data; name="([^"]+)"; filename="([^"]+)"', lines.pop("Content-Disposition"))
        must(name, "bad Content-Disposition")
        want = "application/json" if name.group(1) == "event" else "application/octet-stream"
        must(lines == {"Content-Type": want}, "part headers %s" % lines)
        must(name.group(1) not in parts, "twice: " + name.group(1))
        must(name.group(2) == ("event.json" if name.group(1) == "event" else name.group(1)), "filename")
        parts[name.group(1)] = data
    return kind.group(1), parts


def nanoseconds(stamp):
    must(STAMP.fullmatch(stamp), "stamp " + stamp)
    whole = time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")
    import calendar
    return calendar.timegm(whole) * 10**9 + int(stamp[20:29])


def tags_of(event):
    pairs = [t.partition(":") for t in event["tags_profiler"].split(",")]
    must(all(k and c and v for k, c, v in pairs), "tags " + event["tags_profiler"])
    keys = [k for k, _, _ in pairs]
    must(len(keys) == len(set(keys)), "a tag twice: %s" % keys)
    tags = {k: v for k, _, v in pairs}
    for key in ("service", "runtime-id", "process_id", "profile_seq", "profiler_version", "host"):
        must(key in tags, "no tag " + key)
    must(UUID.fullmatch(tags["runtime-id"]), "runtime-id " + tags["runtime-id"])
    must(tags["profile_seq"].isdigit() and tags["process_id"].isdigit(), "not a number")
    if event["family"] == "go":
        must(tags.get("runtime") == "go", "no runtime:go")
    else:
        must(tags.get("language") == "native", "no language:native")
    return tags


def datadog(name, path, headers, body, agentless):
    must(path == ("/api/v2/profile" if agentless else "/profiling/v1/input"), path)
    must(headers.get("dd-api-key") == (API_KEY if agentless else None), "DD-API-KEY")
    must("content-encoding" not in headers, "Content-Encoding")
    must(headers["dd-evp-origin"] and headers["dd-evp-origin-version"], "no origin")
    container = headers.get("datadog-container-id")
    must(container is None or (re.fullmatch(r"[0-9a-f]{64}", container) and
                               headers["datadog-entity-id"] == "ci-" + container), "container")
    ident, parts = multipart(headers, body)
    event = json.loads(parts.pop("event"))
    must(set(event) <= {"start", "end", "attachments", "tags_profiler", "family", "version", "info",
                        "endpoint_counts", "custom_attributes", "internal", "process_tags"}, "event keys")
    must(event["version"] == "4" and event["family"] in ("go", "native"), "version or family")
    must(event["attachments"] == list(parts), "attachments")
    start, end = nanoseconds(event["start"]), nanoseconds(event["end"])
    must(start < end <= time.time_ns() + 10**9 and time.time_ns() - start < 300 * 10**9, "window")
    tags = tags_of(event)
    for file, data in parts.items():
        must(len(data) <= 10 << 20, "above 10 MiB")
        raw = unzstd(data)
        p = strict(raw)
        if event["family"] == "go":
            must(p.types == GO_FILES[file], "%s has %s" % (file, p.types))
            want = start if file == "cpu.pprof" else end
            must(abs(p.time_ns - want) < 2 * 10**9, "%s: time is not that of the window" % file)
        else:
            must(file == "profile.pprof" and set(p.types) <= NATIVE, "%s has %s" % (file, p.types))
        must(("goroutine" in file) == (p.duration_ns == 0), "%s: duration %d" % (file, p.duration_ns))
        store(name, {"id": ident, "file": file, "tags": tags, "event": event}, raw)
    return (202 if agentless else 200), {}, b""


# --- Google

TYPES = {"CPU": ["samples", "cpu"], "HEAP": ["inuse_objects", "inuse_space"], "THREADS": ["goroutine"],
         "HEAP_ALLOC": ["alloc_objects", "alloc_space"], "CONTENTION": ["contentions", "delay"]}


def deployment_ok(d, project):
    must(set(d) <= {"projectId", "target", "labels"} and d["projectId"] == project, "deployment")
    must(re.fullmatch(r"[a-z][-a-z0-9:.]{4,61}[a-z0-9]", project), "project " + project)
    must(re.fullmatch(r"[a-z0-9]([-a-z0-9_.]{0,253}[a-z0-9])?", d["target"]), "target " + d["target"])
    must(d["labels"]["language"] in ("java", "go", "python", "ruby", "nodejs", "php", "dotnet"), "language")
    for key, value in d["labels"].items():
        must(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", key) and len(value) <= 512, "label " + key)


def google_bytes(name, profile):
    data = base64.b64decode(profile["profileBytes"], validate=True)
    must(data[:3] == b"\x1f\x8b\x08", "not gzip")
    p = strict(gzip.decompress(data))
    kind = profile["profileType"]
    must([t for t, _ in p.types] == TYPES[kind], "%s has %s" % (kind, p.types))
    if "duration" in profile:
        must(re.fullmatch(r"\d+(\.\d{1,9})?s", profile["duration"]), "duration " + profile["duration"])
    must("duration" in profile or kind == "THREADS", "%s without duration" % kind)
    must(set(profile["labels"]) == {"instance"}, "labels")
    # in ascending order; those that were read at about the same moment may be exchanged
    last = STATE["times"].get(name, 0)
    must(p.time_ns >= last - 2 * 10**9, "not ascending: %s %d after %d" % (kind, p.time_ns, last))
    STATE["times"][name] = max(last, p.time_ns)
    store(name, {"type": kind, "time": p.time_ns, "profile": {**profile, "profileBytes": ""}}, gzip.decompress(data))


def google(name, method, path, headers, body):
    must(headers["authorization"].removeprefix("Bearer ") in STATE["tokens"], "not our token")
    must(headers["x-goog-api-format-version"] == "2" and headers["content-type"] == "application/json", "headers")
    m = re.fullmatch(r"/v2/projects/([^/]+)/profiles(:createOffline|/([A-Z0-9]+))?", path)
    must(m, path)
    project, action, which = m.groups()
    message = json.loads(body)
    if action == ":createOffline":
        must(method == "POST" and set(message) <= {"profileType", "deployment", "duration", "profileBytes", "labels"},
             "createOffline keys %s" % list(message))
        deployment_ok(message["deployment"], project)
        google_bytes(name, message)
        return 200, {}, json.dumps({"name": "projects/%s/profiles/X" % project}).encode()
    if which:
        must(method == "PATCH" and "alt" not in path, method)
        given = STATE["names"].pop(which)
        for key, value in given.items():
            must(message.get(key) == value, "%s is not echoed" % key)
        google_bytes(name, message)
        return 200, {}, b"{}"
    must(method == "POST" and set(message) == {"deployment", "profileType"}, "create keys %s" % list(message))
    must(isinstance(message["profileType"], list) and set(message["profileType"]) <= set(TYPES), "types")
    deployment_ok(message["deployment"], project)
    asked = STATE["asked"].setdefault(name, [])
    asked.append(time.time())
    if len(asked) == 1:
        error = {"code": 409, "status": "ABORTED", "message": "generic::aborted: action throttled, backoff for 1.5s",
                 "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}]}
        return 409, {}, json.dumps({"error": error}).encode()
    must(asked[1] - asked[0] >= 1.5, "it did not wait for retryDelay")
    if len(asked) == 2:
        time.sleep(12)  # it hangs until the server wants one: longer than any usual time-out
    which = "P%d" % len(asked)
    given = {"name": "projects/%s/profiles/%s" % (project, which), "profileType": message["profileType"][0],
             "deployment": message["deployment"], "duration": "1s"}
    STATE["names"][which] = given
    return 200, {}, json.dumps(given).encode()


def unurl64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def token(headers, body):
    must(headers["content-type"] == "application/x-www-form-urlencoded", "token: Content-Type")
    form = urllib.parse.parse_qs(body.decode(), strict_parsing=True)
    must(form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"], "grant_type")
    head, claims, signature = form["assertion"][0].split(".")
    must("=" not in form["assertion"][0], "padding")
    must(json.loads(unurl64(head)) == {"typ": "JWT", "alg": "RS256", "kid": "key-1"}, "JWT head")
    c = json.loads(unurl64(claims))
    must(set(c) == {"iss", "aud", "scope", "iat", "exp"} and c["iss"] == "robot@p.example", "claims %s" % c)
    must(c["aud"].endswith("/token") and c["scope"].endswith("/auth/monitoring.write"), "claims %s" % c)
    must(abs(c["iat"] - time.time()) < 60 and c["exp"] - c["iat"] == 3600, "times")
    with tempfile.NamedTemporaryFile() as f:
        f.write(unurl64(signature))
        f.flush()
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", PUBLIC_KEY, "-signature", f.name],
                              input=(head + "." + claims).encode(), capture_output=True, check=False)
    must(done.returncode == 0, "the signature does not verify")
    with LOCK, open(os.path.join(DIR, "signed"), "a", encoding="utf-8") as f:
        f.write(c["iss"] + "\n")
    return grant()


def grant():
    text = "ya29.token-%d" % len(STATE["tokens"])
    STATE["tokens"].add(text)
    return 200, {}, json.dumps({"access_token": text, "expires_in": 3599, "token_type": "Bearer"}).encode()


def metadata(path, headers):
    must(headers.get("metadata-flavor") == "Google", "no Metadata-Flavor")
    flavor = {"Metadata-Flavor": "Google"} if FLAVOR else {}
    if path.endswith("/project/project-id"):
        return 200, flavor, b"meta-project"
    must(path.endswith("/instance/service-accounts/default/token"), path)
    return 200, flavor, grant()[2]


# --- S3, by the specification of Signature Version 4

def s3_error(status, code):
    return status, {}, ("<?xml version=\"1.0\"?>\n<Error><Code>%s</Code></Error>" % code).encode()


def s3(name, method, path, headers, body):
    m = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request,\s*"
                     r"SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})", headers["authorization"])
    must(m and method == "PUT", "Authorization")
    key, date, region, signed, signature = m.groups()
    secret, session, bucket, home = S3[key]
    names = signed.split(";")
    must(names == sorted(names) and {"host", "x-amz-content-sha256", "x-amz-date"} <= set(names), signed)
    must(all(n in names for n in headers if n.startswith("x-amz-")), "an x-amz- header is not signed")
    must(hashlib.sha256(body).hexdigest() == headers["x-amz-content-sha256"], "hash of the body")
    stamp = headers["x-amz-date"]
    must(stamp.startswith(date) and re.fullmatch(r"\d{8}T\d{6}Z", stamp), "date")
    raw = urllib.parse.quote(urllib.parse.unquote(path), safe="/-_.~")
    must(raw == path, "not encoded as S3 wants it: " + path)
    canonical = "\n".join([method, raw, "", *("%s:%s" % (n, " ".join(headers[n].split())) for n in names), "",
                           signed, headers["x-amz-content-sha256"]])
    scope = "/".join([date, region, "s3", "aws4_request"])
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    k = ("AWS4" + secret).encode()
    for step in scope.split("/"):
        k = hmac.new(k, step.encode(), hashlib.sha256).digest()
    if hmac.new(k, text.encode(), hashlib.sha256).hexdigest() != signature:
        return s3_error(403, "SignatureDoesNotMatch")
    if headers.get("x-amz-security-token") != session or region != home:
        return s3_error(403, "AccessDenied")
    found = urllib.parse.unquote(path).removeprefix("/" + name).split("/", 2)
    if found[1] != bucket:
        return s3_error(404, "NoSuchBucket")
    store(name, {"key": found[2]}, body)
    return 200, {"ETag": '"x"'}, b""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def handle_one(self):
        headers = {k.lower(): v for k, v in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        must(len(headers) == len(self.headers.items()), "a header twice")
        must("?" not in self.path, "a query")
        if self.path == "/token":
            return token(headers, body)
        if self.path.startswith("/computeMetadata/v1/"):
            return metadata(self.path, headers)
        name, slash, rest = self.path[1:].partition("/")
        if name.startswith("dd"):
            return datadog(name, slash + rest, headers, body, name == "dd-intake")
        if name.startswith("gcp"):
            return google(name, self.command, slash + rest, headers, body)
        return s3(name, self.command, self.path, headers, body)

    def any_method(self):
        try:
            status, headers, body = self.handle_one()
        except (AssertionError, KeyError, ValueError, IndexError, OSError) as e:
            wrong("%s %s: %s %s" % (self.command, self.path, type(e).__name__, e))
            status, headers, body = 400, {}, b"wrong"
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = any_method


class UnixHandler(Handler):
    def handle_one(self):  # no room for a name in such a URL
        self.path = "/dd-unix" + self.path
        return super().handle_one()


class Tcp(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def main():
    server = Tcp(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if "--unix" in sys.argv:
        unix = Unix(sys.argv[sys.argv.index("--unix") + 1], UnixHandler)
        threading.Thread(target=unix.serve_forever, daemon=True).start()
    print("port %d" % server.server_address[1], flush=True)
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


main()
