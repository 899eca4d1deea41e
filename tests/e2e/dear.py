"""Chains of certificates that are dear to verify, and what they do to others.

dear.py make DIR              the files NAME.pem (leaf first) and NAME.key of each kind below
dear.py hold PORT HEALTH SECONDS DIR NAME...
                              three clients that show these chains as fast as they can, by TLS 1.2
                              and 1.3, while a fourth asks HEALTH for /livez: prints its longest wait
dear.py from PORT PROXIED TOKEN WORD...
                              one connection after the other from the address PROXIED (by a PROXY
                              header): broken:N garbage instead of a handshake, left:N gone in its
                              middle, shown:N:FILE a certificate, token:N a request with TOKEN;
                              prints for each word how many were looked at (token: served)
The numbers in the keys are random: nobody needs the private half to make a server work.
"""
import os, random, socket, ssl, struct, subprocess, sys, threading, time, urllib.request


# --- as little of DER as a certificate needs
def der(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x80 | len(b := n.to_bytes((n.bit_length() + 7) // 8, "big"))]) + b
    return bytes([tag]) + size + body


def number(n):
    return der(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def name(text):
    return der(0x30, der(0x31, der(0x30, bytes.fromhex("0603550403"), der(0x0C, text.encode()))))


SHA256_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")
RSA = bytes.fromhex("300d06092a864886f70d0101010500")
CA = der(0xA3, der(0x30, bytes.fromhex("300f0603551d130101ff040530030101ff")))
DATES = der(0x30, der(0x17, b"250101000000Z"), der(0x17, b"490101000000Z"))


def rsa(bits, exponent_bits):
    n = random.getrandbits(bits) | 1 << (bits - 1) | 1
    e = 65537 if exponent_bits == 17 else random.getrandbits(exponent_bits) | 1 << (exponent_bits - 1) | 1
    return der(0x30, RSA, der(3, b"\0", der(0x30, number(n), number(e))))


def certificate(subject, issuer, key, signer_bits, ca=True):
    body = der(0x30, bytes.fromhex("a003020102"), number(random.getrandbits(60)), SHA256_RSA, name(issuer), DATES, name(subject),
               key, CA if ca else b"")
    return der(0x30, body, SHA256_RSA, der(3, b"\0", random.getrandbits(signer_bits - 8).to_bytes(signer_bits // 8, "big")))


KINDS = {  # of the issuers: how many, bits of the key, bits of the exponent
    "exponent": (3, 8192, 8190),  # the dearest that fit into a message
    "wide": (3, 8192, 17),
    "above": (1, 4104, 17),
    "least": (1, 2048, 33),
    "many": (12, 2048, 17),
    "allowed": (3, 4096, 32),  # the dearest that are verified
}


def make(folder):
    os.makedirs(folder, exist_ok=True)
    for kind, (count, bits, exponent) in KINDS.items():
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{folder}/{kind}.key"], check=True)
        key = subprocess.run(["openssl", "pkey", "-in", f"{folder}/{kind}.key", "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        chain = [certificate("leaf", "above", key, bits, ca=False)]
        # all of one name: each is tried, for none of them has signed anything
        chain += [certificate("above", "above", rsa(bits, exponent), bits) for _ in range(count)]
        with open(f"{folder}/{kind}.pem", "w") as f:
            f.write("".join(ssl.DER_cert_to_PEM_cert(c) for c in chain))


def context(folder=None, kind=None, version=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.set_ciphers("DEFAULT@SECLEVEL=0")
    if kind:
        c.load_cert_chain(f"{folder}/{kind}.pem", f"{folder}/{kind}.key")
    if version:
        c.minimum_version = c.maximum_version = version
    return c


def hold(port, health, seconds, folder, kinds):
    end, shown, taken = time.monotonic() + seconds, [0], []
    lock = threading.Lock()

    def show(i):
        contexts = [context(folder, k, v) for k in kinds for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
        while time.monotonic() < end:
            for c in contexts:
                try:
                    s = c.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20))
                    s.sendall(b"GET /debug/pprof/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    with lock:
                        taken.append(s.recv(100))
                    s.close()
                except OSError:
                    pass
                with lock:
                    shown[0] += 1

    threads = [threading.Thread(target=show, args=(i,), daemon=True) for i in range(3)]
    for t in threads:
        t.start()
    longest = 0.0
    while time.monotonic() < end:
        began = time.monotonic()
        urllib.request.urlopen(f"http://{health}/livez", timeout=60).read()
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.02)
    for t in threads:
        t.join(60)
    if any(taken):
        sys.exit(f"one of them was served: {taken[0]}")
    print(f"{longest * 1000:.0f} {shown[0]}")


def proxied(port, address):
    s = socket.create_connection(("127.0.0.1", port), timeout=20)
    s.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", 12) + socket.inet_aton(address) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 4711, 443))
    return s


def one(port, address, token, kind, file):
    """True: it was not closed before TLS; of a token, and served."""
    with proxied(port, address) as s:
        try:
            if kind == "broken":
                s.sendall(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00")
                return len(s.recv(100)) > 0  # an alert
            if kind == "left":
                out = ssl.MemoryBIO()
                try:
                    context().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
                except ssl.SSLWantReadError:
                    s.sendall(out.read())
                return len(s.recv(100)) > 0  # a server hello
            c = context(*os.path.split(file), ssl.TLSVersion.TLSv1_2) if file else context()
            t = c.wrap_socket(s)
            t.sendall(f"GET /debug/pprof/ HTTP/1.1\r\nHost: localhost\r\nX-Pprof-Token: {token}\r\n\r\n".encode())
            return t.recv(100).startswith(b"HTTP/1.1 200")
        except ssl.SSLError as e:
            return "ALERT" in str(e)  # of a certificate that is refused
        except OSError:
            return False


def each(port, address, token, words):
    for word in words:
        kind, count, file = (word.split(":") + [None])[:3]
        print(sum(one(port, address, token, kind, file) for _ in range(int(count))), end=" ")
    print()


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    elif sys.argv[1] == "hold":
        hold(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), sys.argv[5], sys.argv[6:])
    else:
        each(int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5:])
