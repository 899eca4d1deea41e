# shellcheck shell=bash
# pki.sh: sourced by tests that need certificates. Makes them with openssl(1) in the folder $PKI,
# anew for each run: a root, an intermediate, a rogue root, servers, good and bad clients, lists.
#
#   pki_make                 all of it
#   pki_crl CA [ARG...]      a list of what CA has revoked, on standard output
PKI=$TMP/pki

pki_key() { # NAME [rsa]
    if [ "${2:-}" = rsa ]; then
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$PKI/$1.key" 2>/dev/null
    else
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$PKI/$1.key"
    fi || fail "no key for $1"
}

# An issuer has a data base of its own: openssl-ca(1) wants one for dates and for lists.
pki_db() { # CA
    mkdir -p "$PKI/$1.db"
    : >"$PKI/$1.db/index"
    openssl rand -hex 8 >"$PKI/$1.db/serial"
    echo 01 >"$PKI/$1.db/crlnumber"
    cat >"$PKI/$1.cnf" <<CNF
[ca]
default_ca = d
[d]
dir = $PKI/$1.db
database = $PKI/$1.db/index
serial = $PKI/$1.db/serial
crlnumber = $PKI/$1.db/crlnumber
new_certs_dir = $PKI/$1.db
certificate = $PKI/$1.pem
private_key = $PKI/$1.key
default_md = sha256
default_days = 30
default_crl_days = 30
unique_subject = no
policy = p
[p]
commonName = supplied
CNF
}

pki_root() { # NAME
    pki_key "$1"
    openssl req -x509 -new -key "$PKI/$1.key" -sha256 -days 300 -subj "/CN=$1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -out "$PKI/$1.pem" || fail "no root $1"
    pki_db "$1"
}

pki_sign() { # NAME CA EXTENSIONS [openssl-ca ARG...]
    local name=$1 ca=$2
    printf '%b' "$3" >"$PKI/$name.ext"
    shift 3
    [ -f "$PKI/$name.key" ] || pki_key "$name"
    openssl req -new -key "$PKI/$name.key" -subj "/CN=$name" -out "$PKI/$name.csr" &&
        openssl ca -batch -config "$PKI/$ca.cnf" -in "$PKI/$name.csr" -extfile "$PKI/$name.ext" \
            -out "$PKI/$name.pem" -notext "$@" 2>"$TMP/ca.err" ||
        fail "cannot sign $name: $(cat "$TMP/ca.err")"
}

pki_issuer() { # NAME CA
    pki_sign "$1" "$2" 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n'
    pki_db "$1"
}

pki_crl() { # CA [ARG...]
    local ca=$1
    shift
    openssl ca -config "$PKI/$ca.cnf" -gencrl "$@" 2>/dev/null || fail "no list of $ca"
}

pki_make() {
    local base='basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n'
    local client="${base}extendedKeyUsage=clientAuth\n"
    local server="${base}extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n"
    mkdir -p "$PKI"
    pki_root root
    pki_root rogue
    pki_issuer inter root
    pki_sign server root "$server"
    pki_key rsaserver rsa
    pki_sign rsaserver root "$server"
    pki_sign valid root "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/ci\n"
    pki_key rsa rsa
    pki_sign rsa root "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/rsa\n"
    # an exponent of 41 bits: each bit more is work for who checks a signature
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
        -pkeyopt rsa_keygen_pubexp:1099511627791 -out "$PKI/costly.key" 2>/dev/null || fail "no key"
    pki_sign costly root "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/costly\n"
    pki_sign inner inter "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/inner\n"
    cat "$PKI/inner.pem" "$PKI/inter.pem" >"$PKI/chain.pem"
    cp "$PKI/inner.key" "$PKI/chain.key"
    pki_sign other root "${client}subjectAltName=URI:spiffe://td.example/ns/prodx/sa/ci\n"
    pki_sign byname root "$client"
    pki_sign revoked root "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/revoked\n"
    pki_sign wrongeku root "${base}extendedKeyUsage=serverAuth\nsubjectAltName=URI:spiffe://td.example/ns/prod/sa/x\n"
    pki_sign wrongku root 'basicConstraints=CA:FALSE\nkeyUsage=critical,keyCertSign\nsubjectAltName=URI:spiffe://td.example/ns/prod/sa/x\n'
    pki_sign nousage root 'basicConstraints=CA:FALSE\nsubjectAltName=URI:spiffe://td.example/ns/prod/sa/nousage\n'
    pki_sign twouri root "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/a,URI:spiffe://td.example/ns/prod/sa/b\n"
    pki_sign badname root "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/a b\n"
    pki_sign expired root "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/ci\n" \
        -startdate 20240101000000Z -enddate 20240201000000Z
    pki_sign notyet root "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/ci\n" \
        -startdate 20400101000000Z -enddate 20410101000000Z
    pki_sign roguish rogue "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/ci\n"
    cp "$PKI/valid.pem" "$PKI/stolen.pem" # with a key that is not its own
    cp "$PKI/roguish.key" "$PKI/stolen.key"
    # root > deep1 > deep2 > atlimit: three issuers; and one more
    pki_issuer deep1 root
    pki_issuer deep2 deep1
    pki_issuer deep3 deep2
    pki_sign atlimit deep2 "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/deep\n"
    pki_sign toodeep deep3 "${client}subjectAltName=URI:spiffe://td.example/ns/prod/sa/deep\n"
    cat "$PKI/deep2.pem" "$PKI/deep1.pem" >>"$PKI/atlimit.pem"
    cat "$PKI/deep3.pem" "$PKI/deep2.pem" "$PKI/deep1.pem" >>"$PKI/toodeep.pem"
    openssl ca -config "$PKI/root.cnf" -revoke "$PKI/revoked.pem" 2>/dev/null || fail "cannot revoke"
    for ca in root inter deep1 deep2 deep3; do pki_crl "$ca" >"$PKI/$ca.crl"; done
    pki_crl root -crl_lastupdate 20240101000000Z -crl_nextupdate 20240201000000Z >"$PKI/stale.crl"
    pki_crl root -crl_lastupdate 20400101000000Z -crl_nextupdate 20410101000000Z >"$PKI/future.crl"
    cat "$PKI"/{root,inter,deep1,deep2,deep3}.crl >"$PKI/all.crl"
}
