# shellcheck shell=bash
# credentials.sh: sourced by tests of credentials: an API server with a key set (servers/apiserver.py)
# and tokens signed by openssl(1).
#
#   issue_begin              the folder $ISSUE: certificates, keys r.key (RSA) and e.key (EC), the set
#   issue_server             starts the server; sets API
#   jwt KEY [CLAIMS]         a token on standard output; CLAIMS is a Python dict's text over the usual
#   hash_of METHOD PASSWORD  a line's hash
ISSUE=$TMP/issue

issue_begin() {
    mkdir -p "$ISSUE"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=api \
        -addext 'subjectAltName=IP:127.0.0.1' -keyout "$ISSUE/tls.key" -out "$ISSUE/tls.crt" \
        2>/dev/null || fail "no certificate for the API server"
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$ISSUE/r.key" 2>/dev/null
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$ISSUE/e.key"
    echo ok >"$ISSUE/mode"
    echo "pod-token-of-pillion-0001" >"$ISSUE/own-token"
    : >"$ISSUE/asked"
    key_set r e >"$ISSUE/jwks.json" || fail "no key set"
    chmod 755 "$TMP" "$ISSUE"
    chmod 644 "$ISSUE"/*
}

key_set() { # KEY...: their public halves
    python3 - "$ISSUE" "$@" <<'PY'
import base64, json, re, subprocess, sys
def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
keys = []
for name in sys.argv[2:]:
    path = f"{sys.argv[1]}/{name}.key"
    der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
                         capture_output=True, check=True).stdout
    if name.startswith("e"):  # an uncompressed point is the end of it
        keys.append({"kty": "EC", "crv": "P-256", "kid": name, "use": "sig",
                     "x": b64(der[-64:-32]), "y": b64(der[-32:])})
    else:
        text = subprocess.run(["openssl", "rsa", "-in", path, "-noout", "-modulus"],
                              capture_output=True, check=True).stdout.decode()
        n = bytes.fromhex(re.search("=([0-9A-F]+)", text).group(1))
        keys.append({"kty": "RSA", "kid": name, "alg": "RS256", "n": b64(n), "e": "AQAB"})
print(json.dumps({"keys": keys}))
PY
}

issue_server() {
    python3 "$ROOT/tests/e2e/servers/apiserver.py" "$ISSUE" >"$TMP/api.out" 2>&1 &
    PIDS+=("$!")
    wait_for 20 test -s "$ISSUE/port" || fail "the API server does not start: $(cat "$TMP/api.out")"
    # shellcheck disable=SC2034 # for those who source this
    API=https://127.0.0.1:$(cat "$ISSUE/port")
}

jwt() {
    python3 - "$ISSUE" "$@" <<'PY'
import base64, json, subprocess, sys, time
def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
folder, name = sys.argv[1:3]
now = int(time.time())
claims = {"iss": "https://issuer.example", "aud": "pillion", "sub": "robot", "exp": now + 600}
header = {"alg": "ES256" if name.startswith("e") else "RS256", "typ": "JWT", "kid": name}
if len(sys.argv) > 3:
    claims.update(eval(sys.argv[3], {"now": now}))
header.update(claims.pop("header", {}))
text = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())
made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", f"{folder}/{name}.key"],
                      input=text.encode(), capture_output=True, check=True).stdout
if name.startswith("e"):  # SEQUENCE of two INTEGERs
    r = made[4:4 + made[3]]
    s = made[4 + made[3] + 2:]
    made = int.from_bytes(r, "big").to_bytes(32, "big") + int.from_bytes(s, "big").to_bytes(32, "big")
print(text + "." + b64(made))
PY
}

# openssl-passwd(1) makes sha-crypt; the other two by libcrypt, which perl(1) has
# shellcheck disable=SC2016 # the dollars are the hash's
hash_of() {
    case $1 in
    sha512) openssl passwd -6 -salt saltsalt "$2" ;;
    sha256) openssl passwd -5 -salt saltsalt "$2" ;;
    bcrypt) perl -e 'print crypt($ARGV[0], q($2b$06$abcdefghijklmnopqrstuu)), "\n"' "$2" ;;
    yescrypt) perl -e 'print crypt($ARGV[0], q($y$j9T$saltsaltsaltsalt$)), "\n"' "$2" ;;
    esac
}
