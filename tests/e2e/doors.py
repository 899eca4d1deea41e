"""Raw connections for the end-to-end tests of who may come in.

doors.py proxy PORT TOKEN     PROXY v2 headers, good and bad, in front of plain HTTP
doors.py bind ADDRESS HOST PORT REQUEST   one request from a loopback address; prints its status,
                              "closed" when there is no answer
"""
import socket, struct, sys

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command, family, body):
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(body)) + body


def tcp4(source, port=4711):
    return socket.inet_aton(source) + socket.inet_aton("10.0.0.1") + struct.pack(">HH", port, 443)


def tcp6(source, port=4711):
    return socket.inet_pton(socket.AF_INET6, source) + b"\0" * 16 + struct.pack(">HH", port, 443)


def ask(port, data, bind=None, timeout=20):
    """All that comes back, b"" when the connection is just closed."""
    s = socket.socket()
    s.settimeout(timeout)
    if bind:
        s.bind((bind, 0))
    out = b""
    try:
        s.connect(("127.0.0.1", port))
        for piece in data if isinstance(data, list) else [data]:
            s.sendall(piece)
        while True:
            more = s.recv(65536)
            if not more:
                break
            out += more
    except (ConnectionError, BrokenPipeError):
        pass
    finally:
        s.close()
    return out


def status(answer):
    return answer.split(b" ")[1].decode() if answer.startswith(b"HTTP/1.1 ") else "closed"


def request(token, more=""):
    return (f"GET /debug/pprof/?format=json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Authorization: Bearer {token}\r\n{more}\r\n").encode()


def proxy(port, token):
    get = request(token)
    rows = [
        ("TCP4", v2(0x21, 0x11, tcp4("203.0.113.9")) + get, "200"),
        ("TCP6", v2(0x21, 0x21, tcp6("2001:db8::7")) + get, "200"),
        ("with TLVs", v2(0x21, 0x11, tcp4("203.0.113.9") + b"\x03\0\x04abcd\x04\0\x01x") + get, "200"),
        ("at the limit", v2(0x21, 0x11, tcp4("203.0.113.9") + b"x" * 1012) + get, "200"),
        ("above it", v2(0x21, 0x11, tcp4("203.0.113.9") + b"x" * 1013) + get, "closed"),
        ("LOCAL", v2(0x20, 0, b"") + get, "200"),
        ("UNSPEC", v2(0x21, 0, b"abc") + get, "200"),
        ("byte by byte", [bytes([b]) for b in v2(0x21, 0x11, tcp4("203.0.113.9"))] + [get], "200"),
        ("a client that may not", v2(0x21, 0x11, tcp4("198.51.100.7")) + get, "closed"),
        ("UDP", v2(0x21, 0x12, tcp4("203.0.113.9")) + get, "closed"),
        ("version 1", b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\n" + get, "closed"),
        ("none", get, "closed"),
        ("too short for its addresses", v2(0x21, 0x11, tcp4("203.0.113.9")[:11]) + get, "closed"),
        ("late", v2(0x21, 0x11, tcp4("203.0.113.9"))[:15], "closed"),
    ]
    for name, data, want in rows:
        got = status(ask(port, data))
        if got != want:
            sys.exit(f"PROXY header, {name}: {got} instead of {want}")
        print(f"ok: PROXY header, {name}: {got}")
    # who is not a trusted proxy may not connect at all, whatever he says
    got = status(ask(port, v2(0x21, 0x11, tcp4("203.0.113.9")) + get, bind="127.0.0.9"))
    if got != "closed":
        sys.exit(f"a PROXY header from a stranger: {got}")


if __name__ == "__main__":
    if sys.argv[1] == "proxy":
        proxy(int(sys.argv[2]), sys.argv[3])
    else:
        text = sys.argv[4].encode().decode("unicode_escape").encode("latin-1")
        print(status(ask(int(sys.argv[3]), text, bind=sys.argv[2])))
