#!/usr/bin/env python3
"""A receiver that takes everything, for four kinds of backends; prints its port. Ends with stdin."""
import http.server
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body of an answer would wait for each other
    wbufsize = -1

    def log_message(self, *args):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        kind, body = "application/json", b"{}"
        if "grpc" in (self.headers["Content-Type"] or ""):
            end = b"grpc-status:0\r\n"
            kind, body = "application/grpc-web+proto", bytes(5) + b"\x80" + len(end).to_bytes(4, "big") + end
        elif "v1development" in self.path:
            kind, body = "application/x-protobuf", b""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print("port %d" % server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
