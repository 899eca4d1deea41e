"""One answer or a close, never two: smuggle.py plain|tls PORT TOKEN

Every payload ends with what a second reader would take for a request of its own, with the token. A
second answer, or a 200 where the row does not allow one, ends the test.
"""
import re, socket, ssl, sys, time

kind, port, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
AUTH = f"Authorization: Bearer {token}\r\n"
GET = "GET /debug/pprof/ HTTP/1.1\r\nHost: localhost\r\n" + AUTH
POST = "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\n" + AUTH
SECOND = "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n"
REFUSED, ANY = {"400", "closed"}, None

ROWS = [
    ("CL and TE", POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND, REFUSED),
    ("TE and CL", POST + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SECOND, REFUSED),
    ("TE chunked", POST + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND, REFUSED),
    ("TE with extensions", POST + "Transfer-Encoding: chunked\r\n\r\n0;a=\"\r\n\r\n\"\r\n\r\n" + SECOND, REFUSED),
    ("TE identity", POST + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\na" + SECOND, REFUSED),
    ("TE xchunked", POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SECOND, REFUSED),
    ("TE twice", POST + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND, REFUSED),
    ("TE vertical tab", POST + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SECOND, REFUSED),
    ("TE space before colon", POST + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SECOND, REFUSED),
    ("TE tab before colon", POST + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" + SECOND, REFUSED),
    ("TE folded", POST + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SECOND, REFUSED),
    ("TE in HTTP/1.0", POST.replace("1.1", "1.0") + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND, REFUSED),
    ("CL twice, different", POST + "Content-Length: 0\r\nContent-Length: 9\r\n\r\n" + SECOND, REFUSED),
    ("CL twice, the same", POST + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + SECOND, REFUSED),
    ("CL list", POST + "Content-Length: 0, 0\r\n\r\n" + SECOND, REFUSED),
    ("CL plus", POST + "Content-Length: +0\r\n\r\n" + SECOND, REFUSED),
    ("CL minus", POST + "Content-Length: -1\r\n\r\n" + SECOND, REFUSED),
    ("CL hexadecimal", POST + "Content-Length: 0x0\r\n\r\n" + SECOND, REFUSED),
    ("CL empty", POST + "Content-Length:\r\n\r\n" + SECOND, REFUSED),
    ("CL huge", POST + "Content-Length: 4294967296\r\n\r\n" + SECOND, {"413"}),
    ("CL 2^64", POST + "Content-Length: 18446744073709551616\r\n\r\n" + SECOND, REFUSED | {"413"}),
    ("CL underscore", POST + "Content-Length: 1_0\r\n\r\n" + SECOND, REFUSED),
    ("CL space within", POST + "Content-Length: 1 0\r\n\r\n" + SECOND, REFUSED),
    ("CL of a GET", GET + "Content-Length: %d\r\n\r\n" % len(SECOND) + SECOND, ANY),
    ("bare LF lines", GET.replace("\r\n", "\n") + "\n" + SECOND, REFUSED),
    ("bare LF at the end", GET + "\n" + SECOND, REFUSED),
    ("bare CR", GET + "X: a\rY: b\r\n\r\n" + SECOND, REFUSED),
    ("CR CR LF", GET + "X: a\r\r\n\r\n" + SECOND, REFUSED),
    ("obs-fold", GET + "X: a\r\n b\r\n\r\n" + SECOND, REFUSED),
    ("obs-fold by tab", GET + "X: a\r\n\tb\r\n\r\n" + SECOND, REFUSED),
    ("folded first header", "GET / HTTP/1.1\r\n Host: localhost\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("NUL in a value", GET + "X: a\0b\r\n\r\n" + SECOND, REFUSED),
    ("NUL in a name", GET + "X\0: a\r\n\r\n" + SECOND, REFUSED),
    ("NUL in the target", "GET /debug\0 HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("0x80 in a value", GET + "X: \x85a\xa0\r\n\r\n" + SECOND, REFUSED),
    ("0x80 in the target", "GET /\xff HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("DEL in a value", GET + "X: \x7f\r\n\r\n" + SECOND, REFUSED),
    ("space in a name", GET + "X Y: a\r\n\r\n" + SECOND, REFUSED),
    ("empty name", GET + ": a\r\n\r\n" + SECOND, REFUSED),
    ("no colon", GET + "XY\r\n\r\n" + SECOND, REFUSED),
    ("absolute form", "GET http://localhost/debug/pprof/ HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("absolute form, another host", "GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("authority form", "GET localhost:80 HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("asterisk", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("CONNECT", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("Upgrade h2c", GET + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" + SECOND, REFUSED),
    ("Upgrade websocket", GET + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + SECOND, REFUSED),
    ("Expect", POST + "Content-Length: 1\r\nExpect: 100-continue\r\n\r\na" + SECOND, {"417"}),
    ("HTTP/0.9", "GET /debug/pprof/\r\n" + SECOND, REFUSED),
    ("HTTP/0.9 with headers", "GET /debug/pprof/\r\nHost: localhost\r\n" + AUTH + "\r\n", REFUSED),
    ("HTTP/1.2", GET.replace("1.1", "1.2") + "\r\n" + SECOND, REFUSED),
    ("HTTP/2.0 line", GET.replace("1.1", "2.0") + "\r\n" + SECOND, REFUSED),
    ("HTTP/11", GET.replace("1.1", "11") + "\r\n" + SECOND, REFUSED),
    ("HTTP/1.10", GET.replace("1.1", "1.10") + "\r\n" + SECOND, REFUSED),
    ("http in lower case", GET.replace("HTTP", "http") + "\r\n" + SECOND, REFUSED),
    ("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SECOND, REFUSED),
    ("RTSP", GET.replace("HTTP/1.1", "RTSP/1.0") + "\r\n" + SECOND, REFUSED),
    # RFC 9112 3 lets a reader split the line at any white space: there is one way to read this one
    ("two spaces", "GET  /metrics HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n" + SECOND, {"200", "400"}),
    ("tabs", "GET\t/\tHTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("space before the method", " " + GET + "\r\n" + SECOND, REFUSED),
    ("words behind the version", GET.replace("HTTP/1.1", "HTTP/1.1 x", 1) + "\r\n" + SECOND, REFUSED),
    ("method in lower case", GET.replace("GET", "get", 1) + "\r\n" + SECOND, REFUSED),
    ("unknown method", GET.replace("GET", "FOO", 1) + "\r\n" + SECOND, REFUSED),
    ("no Host", "GET / HTTP/1.1\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("two Hosts", GET + "Host: evil\r\n\r\n" + SECOND, REFUSED),
    ("two Authorizations", GET + AUTH + "\r\n" + SECOND, REFUSED),
    ("65 headers", GET + "".join(f"X{i}: a\r\n" for i in range(64)) + "\r\n" + SECOND, {"431"}),
    ("a header of 20 KB", GET + "X: " + "a" * 20000 + "\r\n\r\n" + SECOND, {"431"}),
    ("a target of 3 KB", "GET /" + "a" * 3000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n" + SECOND, {"414"}),
    ("a fragment", "GET /debug/pprof/#x HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n" + SECOND, REFUSED),
    ("encoded slash", "GET /debug%2fpprof/ HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n", {"404"}),
    ("encoded dots", "GET /livez/%2e%2e/metrics HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n", {"404"}),
    ("dots", "GET /livez/../metrics HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n", {"404"}),
    ("two slashes", "GET //metrics HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n", {"404"}),
    ("backslash", "GET /debug\\pprof HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n", {"404"}),
    ("encoded CR LF", "GET /x%0d%0aX:%20y HTTP/1.1\r\nHost: localhost\r\n" + AUTH + "\r\n", {"404"}),
    ("pipelined", GET + "\r\n" + SECOND, {"200"}),
    ("pipelined after a body", POST + "Content-Length: 3\r\n\r\n0x1" + SECOND, ANY),
    ("a body and more of it", POST + "Content-Length: 0\r\n\r\n0x1\r\n" + SECOND, ANY),
    ("chunk without TE", POST + "Content-Length: 3\r\n\r\n0\r\n\r\n" + SECOND, ANY),
    ("empty lines first", "\r\n\r\n" + GET + "\r\n" + SECOND, {"200", "400"}),
    ("nothing but lines", "\r\n" * 200 + SECOND, {"200", "400"}),
    ("a TLS hello in the middle", GET + "X: \x16\x03\x01\r\n\r\n" + SECOND, REFUSED),
]


def connect():
    s = socket.create_connection(("127.0.0.1", port), timeout=20)
    if kind == "tls":
        c = ssl._create_unverified_context()
        s = c.wrap_socket(s, server_hostname="localhost")
    return s


def ask(data, split):
    """All that the server says until it closes, or is quiet for half a second after an answer."""
    s, out = connect(), b""
    try:
        if split:
            s.sendall(data[:split])
            time.sleep(0.01)
        s.sendall(data[split:])
        while True:
            s.settimeout(0.5 if out else 15)
            more = s.recv(65536)
            if not more:
                break
            out += more
    except (TimeoutError, ConnectionError, ssl.SSLError):
        pass
    finally:
        s.close()
    return out


checks, wrong = 0, []
for name, text, want in ROWS:
    data = text.encode("latin-1")
    for split in (0, 10) if kind == "plain" else (0,): # within the first request
        out = ask(data, split)
        answers = re.findall(rb"HTTP/1\.[01] (\d\d\d) ", out)
        got = answers[0].decode() if answers else "closed"
        if len(answers) > 1:
            sys.exit(f"{kind}: {name}: {len(answers)} answers: {out[:2000]!r}")
        if out and not out.startswith(b"HTTP/1.1 "):
            sys.exit(f"{kind}: {name}: not an answer: {out[:200]!r}")
        if want is not None and got not in want:
            wrong.append(f"{name}: {got} instead of {sorted(want)}")
        checks += 1
if wrong:
    sys.exit("\n".join(wrong))
print(f"ok: {kind}: {checks} requests, one answer or a close each")
