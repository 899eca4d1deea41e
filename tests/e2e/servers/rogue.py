"""rogue.py LOG: a pprof endpoint that misbehaves, on a free port of 127.0.0.1, which it prints.
The profile's name says how. LOG gets a line for each request and each client that left."""
import gzip
import http.server
import socketserver
import sys
import time

FILE = gzip.compress(b"\x0a\x00" * 5000, mtime=0)
PIECE = bytes(65536)
log = open(sys.argv[1], "a", buffering=1)


class Rogue(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def head(self, status, kind="application/octet-stream", length=None, **more):
        self.send_response_only(status)
        if kind:
            self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def whole(self, status, body, kind="application/octet-stream", **more):
        self.head(status, kind, len(body), **more)
        self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")

    def run(self, name, query):
        text = "text/plain; charset=utf-8"
        if name == "fixed":
            self.whole(200, FILE, Content_Disposition='attachment; filename="evil\\r\\nx"',
                       Set_Cookie="a=b", X_Secret="1")
        elif name == "trace":  # 100 MiB for each second that is asked for
            seconds = int(query.split("seconds=")[1].split("&")[0])
            self.head(200)
            self.chunk(b"go 1.26 trace\0\0\0")
            for _ in range(seconds * 1600):
                self.chunk(PIECE)
            self.wfile.write(b"0\r\n\r\n")
        elif name == "endless":
            self.head(200)
            self.chunk(b"\x1f\x8b")
            while True:
                self.chunk(PIECE)
        elif name == "silent":
            time.sleep(20)
        elif name == "stops":
            self.head(200)
            self.chunk(b"\x1f\x8b" + bytes(1000))
            time.sleep(20)
        elif name == "cut":
            self.head(200)
            self.chunk(b"\x1f\x8b" + bytes(100000))
            self.close_connection = True
        elif name == "garbage":
            self.whole(200, b"what you asked for is not what you get")
        elif name == "page":
            self.whole(200, b"<html><script>alert(1)</script></html>", "text/html; charset=utf-8")
        elif name == "empty":
            self.whole(200, b"")
        elif name == "tiny":
            self.whole(200, b"\x1f\x8b\x08")
        elif name == "zipped":
            self.whole(200, gzip.compress(FILE), Content_Encoding="gzip")
        elif name == "elsewhere":
            self.whole(302, b"", Location="http://127.0.0.1:1/debug/pprof/fixed")
        elif name == "busy":
            self.whole(500, b"Could not enable tracing: tracing already enabled\n", text)
        elif name == "locked":
            self.whole(401, b"who\x1b[31m are\x07 you?\nsecond line\n", text)
        elif name == "chatty":  # an error without end
            self.head(500, text)
            while True:
                self.chunk(b"sorry " * 100)
        elif name == "liar":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef")
            self.close_connection = True
        else:
            self.whole(404, b"Unknown profile\n", text)

    def do_GET(self):
        log.write("GET %s\n" % self.path)
        path, _, query = self.path.partition("?")
        name = path.rsplit("/", 1)[1]
        try:
            self.run(name, query)
        except (BrokenPipeError, ConnectionResetError):
            log.write("gone %s\n" % name)
            self.close_connection = True

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Rogue)
print(server.server_address[1], flush=True)
server.serve_forever()
