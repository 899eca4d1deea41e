#!/bin/bash
# Client certificates: every kind of good and bad one, required and optional, by TLS 1.2 and 1.3,
# with openssl, curl and Go: the right verdict, and a reason that each of them can read.
# long: 40 s
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl openssl python3
# shellcheck source=tests/e2e/pki.sh
. "$(dirname "$0")/pki.sh"
gomtls=$("$ROOT/tests/targets/build_go.sh" local gomtls gomtls)
case $? in
0) ;;
77) gomtls="" ;;
*) fail "the Go client does not build" ;;
esac

pki_make
start_target sleep 1000
mkdir -p "$TMP/live/v1"
# as the kubelet lays a secret out: names > ..data > a folder
ln -s v1 "$TMP/live/..data"
for f in tls.crt tls.key ca.crt crl.pem; do ln -s "..data/$f" "$TMP/live/$f"; done

live() { # FOLDER CERTIFICATE LISTS: what is served and believed, put in place by one rename
    mkdir -p "$TMP/live/$1"
    cp "$PKI/$2.pem" "$TMP/live/$1/tls.crt"
    cp "$PKI/$2.key" "$TMP/live/$1/tls.key"
    cp "$PKI/root.pem" "$TMP/live/$1/ca.crt"
    # blank lines at the end, as editors and scripts leave them
    { cat "$PKI/$3" && printf '\n\n \n'; } >"$TMP/live/$1/crl.pem"
    ln -sfn "$1" "$TMP/live/..new"
    mv -T "$TMP/live/..new" "$TMP/live/..data"
}

configure() { # required|optional
    cat >"$TMP/pillion.yaml" <<YAML
admin:
  tls:
    certificate: $TMP/live/tls.crt
    key: $TMP/live/tls.key
    client_ca: $TMP/live/ca.crt
    client_auth: $1
    crl: [$TMP/live/crl.pem]
auth:
  tokens:
    - {name: oncall, sha256: "$(printf %s token-of-oncall-0123456789 | sha256sum | cut -d' ' -f1)", scopes: [view]}
  certificates:
    - {name: prod, uri: "spiffe://td.example/ns/prod/*", scopes: [all]}
    - {name: bare, cn: byname, scopes: [metrics]}
limits: {handshakes: 1000, per_address: 64, unauthenticated: 64}
YAML
}

metric() { # NAME: its value in the last look
    sed -n "s/^$1 //p" "$TMP/metrics"
}

# --- one question of one client; what it got, or what it printed, in $TMP/said
path=/debug/pprof/
by_curl() { # NAME VERSION
    local -a how=(--tls-max 1.2)
    [ "$2" = 12 ] || how=(--tlsv1.3)
    [ "$1" = none ] || how+=(--cert "$PKI/$1.pem" --key "$PKI/$1.key")
    curl -sSk -m 30 "${how[@]}" -w '\n%{http_code}\n' "$URL$path" >"$TMP/said" 2>&1
}

by_openssl() { # NAME VERSION
    local -a how=(-tls1_2)
    [ "$2" = 12 ] || how=(-tls1_3)
    [ "$1" = none ] || how+=(-cert "$PKI/$1.pem" -cert_chain "$PKI/$1.pem" -key "$PKI/$1.key")
    { printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$path" && sleep 0.2; } |
        timeout 30 openssl s_client -connect "$ADDRESS" -quiet -ign_eof "${how[@]}" >"$TMP/said" 2>&1
}

by_go() { # NAME VERSION
    local cert=$PKI/$1.pem
    [ "$1" != none ] || cert=-
    echo "get $1 $URL$path $2 $cert $PKI/$1.key" | "$gomtls" >"$TMP/said" 2>&1
}

# NAME: what it must come to: a status, or the alert in OpenSSL's words and in Go's
expect() { # NAME required|optional
    case $1 in
    valid | rsa | chain | nousage | atlimit) echo "200|200" ;;
    byname | other) [ "$1" = byname ] && echo "200|200" || echo "none of its names|none of its names" ;;
    none) [ "$2" = required ] && echo "certificate required|certificate required" ||
        echo "credentials are needed|credentials are needed" ;;
    inner | roguish | toodeep) echo "unknown ca|unknown certificate authority" ;;
    revoked) echo "certificate revoked|revoked certificate" ;;
    expired | notyet) echo "certificate expired|expired certificate" ;;
    badname) echo "bad certificate|bad certificate" ;;
    wrongeku | wrongku | twouri) echo "unsupported certificate|unsupported certificate" ;;
    esac
}

matrix() { # required|optional
    local name version tool want
    for name in valid rsa chain nousage atlimit byname other none inner roguish toodeep revoked \
        expired notyet wrongeku wrongku twouri badname; do
        for version in 12 13; do
            for tool in curl openssl go; do
                [ "$tool" != go ] || [ -n "$gomtls" ] || continue
                "by_$tool" "$name" "$version"
                want=$(expect "$name" "$1")
                [ "$tool" = go ] && want=${want#*|} || want=${want%|*}
                grep -qF -- "$want" "$TMP/said" ||
                    fail "$1, TLS $version, $tool, $name: not \"$want\" but: $(tail -n 3 "$TMP/said")"
                [ "$want" = 200 ] || ! grep -qE '(^| )200( |$)' "$TMP/said" || fail "$1 $tool $name: 200"
                CHECKS=$((CHECKS + 1))
            done
        done
        echo "ok: $1: $name: ${want}"
    done
    # another's certificate without its key
    for version in 12 13; do
        [ -n "$gomtls" ] || continue
        by_go stolen "$version"
        grep -q '^stolen error' "$TMP/said" || fail "$1, TLS $version: a stolen certificate: $(cat "$TMP/said")"
        # in TLS 1.3 mbedTLS has encrypted the alert for a client that is already further
        [ "$version" = 13 ] || grep -q "error decrypting message" "$TMP/said" ||
            fail "$1, TLS $version: a stolen certificate: $(cat "$TMP/said")"
        ok "$1, TLS $version: a certificate without its key is of no use"
    done
}

costly() { # a key that is dear to check is not checked
    local version
    for version in 12 13; do
        ! by_curl costly "$version" || fail "TLS $version: a key with a long exponent is taken"
        ! grep -q 200 "$TMP/said" || fail "TLS $version: a key with a long exponent: 200"
    done
    ok "a key with a long exponent is not taken"
}

as() { # NAME CURL-ARG...: by curl, with a certificate
    local name=$1
    shift
    raw "$path" --cert "$PKI/$name.pem" --key "$PKI/$name.key" "$@"
}

# --- required
live v1 server all.crl
configure required
start_pillion --config "$TMP/pillion.yaml"
path=/metrics
as byname && wants 200 "a common name of the list"
path=/debug/pprof/heap
as byname && wants 403 "a common name without that scope" && says "auth.certificates"
path=/debug/pprof/
matrix required
costly
grep '"msg":"client certificate refused"' "$LOG" | grep -q '"reason":"a client certificate is required"' ||
    fail "the log does not say that a certificate was missing"
grep -q '"msg":"client certificate refused".*"more_before":[1-9]' "$LOG" ||
    fail "the log is not bounded, or does not say what it left out"
path=/metrics
as valid && cp "$BODY" "$TMP/metrics"
[ "$(metric pillion_client_certificates_refused_total)" -ge 20 ] ||
    fail "refused certificates are not counted: $(metric pillion_client_certificates_refused_total)"
end=$(date -d "$(openssl x509 -enddate -noout -in "$PKI/server.pem" | cut -d= -f2)" +%s)
[ "$(metric pillion_cert_expiry_timestamp_seconds)" = "$end" ] || fail "the end of the certificate is not $end"
grep -q 'pillion_auth_decisions_total{method="mtls",decision="allowed"} [1-9]' "$TMP/metrics" ||
    fail "decisions by certificate are not counted"
ok "counted: refusals, decisions, when the certificate ends"
grep '"audit":true' "$LOG" | grep -q '"identity":"prod".*"mtls"\|"mtls".*"identity":"prod"' ||
    fail "the audit log does not name the identity"
ok "the audit log names who it was"

# --- a token beside a certificate
path=/debug/pprof/cmdline
as valid && wants 200 "a certificate with all scopes"
as valid -H "X-Pprof-Token: token-of-oncall-0123456789" && wants 403 "a token names the identity"
as valid -H "X-Pprof-Token: nonsense" && wants 401 "a wrong token is not made good"
path=/debug/pprof/
as other -H "X-Pprof-Token: token-of-oncall-0123456789" && wants 200 "a token by anybody's valid certificate"
raw / -H "X-Pprof-Token: token-of-oncall-0123456789"
[ "$STATUS" = 000 ] || fail "a token alone where a certificate is required: $STATUS"
ok "a token alone does not do where a certificate is required"

# --- reload: connections stay, what they showed is looked at again
if [ -n "$gomtls" ]; then
    mkfifo "$TMP/ask"
    "$gomtls" <"$TMP/ask" >"$TMP/go.out" 2>&1 &
    PIDS+=($!)
    exec 8>"$TMP/ask"
    answers() { [ "$(wc -l <"$TMP/go.out")" -ge "$1" ]; }
    n=0
    go() { # COMMAND...: the answer in $line
        echo "$*" >&8
        n=$((n + 1))
        wait_for 30 answers "$n" || fail "the Go client does not answer"
        line=$(sed -n "${n}p" "$TMP/go.out")
    }
    go open a "$URL/debug/pprof/" 13 "$PKI/valid.pem" "$PKI/valid.key"
    [[ $line == "a 200 new "* ]] || fail "before the reload: $line"
    go open b "$URL/debug/pprof/" 12 "$PKI/rsa.pem" "$PKI/rsa.key"
    [[ $line == "b 200 new "* ]] || fail "before the reload: $line"
fi
served() { # what certificate a new client sees
    echo | openssl s_client -connect "$ADDRESS" 2>/dev/null | openssl x509 -noout -subject 2>/dev/null
}
if [ -n "$gomtls" ]; then
    # 20 clients while the files are swapped: they must not notice
    echo "many swap $URL/debug/pprof/ 13 $PKI/valid.pem $PKI/valid.key 20 9" | "$gomtls" >"$TMP/many" 2>&1 &
    many=$!
    PIDS+=("$many")
fi
[[ $(served) == *server ]] || fail "not the server's certificate: $(served)"
openssl ca -config "$PKI/root.cnf" -revoke "$PKI/rsa.pem" 2>/dev/null || fail "cannot revoke"
{ pki_crl root && cat "$PKI"/{inter,deep1,deep2,deep3}.crl; } >"$PKI/newer.crl"
live v2 rsaserver newer.crl
new_server() { [[ $(served) == *rsaserver ]]; }
wait_for 20 new_server || fail "the new certificate is not served: $(served)"
ok "a swap of ..data: the new certificate is served"
as rsa
[ "$STATUS" = 000 ] || fail "a certificate that was revoked meanwhile: $STATUS"
as valid && wants 200 "another one, after the swap"
if [ -n "$gomtls" ]; then
    go again a "$URL/debug/pprof/"
    [[ $line == "a 200 reused "* ]] || fail "the connection did not live through the swap: $line"
    go again b "$URL/debug/pprof/"
    [[ $line == "b 403 reused "*revoked* ]] || fail "a revoked certificate lives on: $line"
    ok "open connections stay; one with a revoked certificate gets a 403 that says so"
fi

if [ -n "$gomtls" ]; then
    wait "$many"
    said=$(cat "$TMP/many")
    [[ $said =~ ^swap\ good=[0-9]{3,}\ bad=0\ connections=20\ $ ]] || fail "20 clients during the swap: $said"
    ok "20 clients during the swap: ${said#swap }"
fi

# --- a broken new file changes nothing
refused_reload() {
    path=/metrics
    as valid
    grep -q '^pillion_config_last_reload_successful 0' "$BODY"
}
reloaded() {
    path=/metrics
    as valid
    grep -q '^pillion_config_last_reload_successful 1' "$BODY"
}
for broken in crl.pem ca.crt tls.key; do
    live "broken-$broken" rsaserver newer.crl
    head -c 300 "$TMP/live/v2/$broken" >"$TMP/live/broken-$broken/$broken"
    ln -sfn "broken-$broken" "$TMP/live/..new"
    mv -T "$TMP/live/..new" "$TMP/live/..data"
    kill -HUP "$PID"
    wait_for 20 refused_reload || fail "half a $broken is taken"
    grep '"msg":"the new configuration is refused' "$LOG" | tail -n 1 | grep -qF "$broken" ||
        fail "the log does not name $broken"
    as rsa
    [ "$STATUS" = 000 ] || fail "half a $broken: a revoked certificate gets $STATUS"
    [[ $(served) == *rsaserver ]] || fail "half a $broken: $(served) is served"
    ok "half a $broken is refused, logged and counted; the old one stays"
    live v2 rsaserver newer.crl
    kill -HUP "$PID"
    wait_for 20 reloaded || fail "not reloaded after $broken"
done

# --- lists: stale, not valid yet, not there for each issuer
says_at_curl() { # NAME TEXT
    by_curl "$1" 13
    grep -qF -- "$2" "$TMP/said"
}
path=/debug/pprof/
live v3 rsaserver root.crl
kill -HUP "$PID"
wait_for 20 says_at_curl chain "access denied" || fail "no list of the intermediate: $(tail -n 2 "$TMP/said")"
says_at_curl valid 200 || fail "no list of an intermediate that is not in the chain: $(tail -n 2 "$TMP/said")"
named() { by_curl chain 13 && return 1 || grep -q 'no trustworthy revocation list' "$LOG"; } # a line a second
wait_for 10 named || fail "the log does not name the missing list"
ok "without a list of the intermediate: refused; others are not"
for list in future stale; do # the stale one last: the log tells of it
    live "$list" rsaserver "$list.crl"
    kill -HUP "$PID"
    path=/debug/pprof/
    wait_for 20 says_at_curl valid "access denied" || fail "$list list: $(tail -n 2 "$TMP/said")"
    for version in 12 13; do
        for tool in curl openssl go; do
            [ "$tool" != go ] || [ -n "$gomtls" ] || continue
            for name in valid nousage; do
                "by_$tool" "$name" "$version"
                grep -qF "access denied" "$TMP/said" || fail "$list list, $tool, TLS $version: $(cat "$TMP/said")"
            done
            "by_$tool" none "$version"
            grep -qF "certificate required" "$TMP/said" || fail "$list list, none: $(cat "$TMP/said")"
        done
    done
    ok "$list list: refused, whoever it is"
done
stale_said() { grep -q 'a revocation list of admin.tls.crl is stale' "$LOG"; }
wait_for 15 stale_said || fail "the log does not tell of a stale list"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"

# --- optional, and a certificate of ours that ends within the week
pki_sign soon root 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=IP:127.0.0.1\n' -days 6
live v4 soon newer.crl
configure optional
start_pillion --config "$TMP/pillion.yaml"
path=/debug/pprof/
live v5 soon all.crl # from before rsa was revoked
kill -HUP "$PID"
wait_for 20 says_at_curl rsa 200 || fail "the list without it is not taken: $(tail -n 2 "$TMP/said")"
matrix optional
path=/debug/pprof/
raw "$path" -H "X-Pprof-Token: token-of-oncall-0123456789" && wants 200 "a token without a certificate"
raw "$path" && wants 401 "neither"
soon_said() { grep -q '"msg":"the served certificate ends soon' "$LOG"; }
wait_for 15 soon_said || fail "the log does not tell that the certificate ends soon"
ok "a certificate that ends within the week is told of"

# --- what is not there: tickets, old versions, CBC, the names of the CAs
echo | openssl s_client -connect "$ADDRESS" -tls1_3 >"$TMP/said" 2>&1
! grep -q "New Session Ticket arrived" "$TMP/said" || fail "a ticket was given"
grep -q "No client certificate CA names sent" "$TMP/said" || fail "the names of the CAs are told to strangers"
for how in "-tls1_1 -cipher DEFAULT@SECLEVEL=0" "-tls1_2 -cipher AES128-SHA" "-tls1_2 -cipher ECDHE-RSA-AES128-SHA256"; do
    # shellcheck disable=SC2086
    ! echo | openssl s_client -connect "$ADDRESS" $how >"$TMP/said" 2>&1 || fail "accepted: $how"
done
ok "no tickets, no CA names, no TLS 1.1, no CBC, no plain RSA"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"

# --- a self-signed certificate stays over a reload, and whom it believes does not
live v6 server all.crl
configure required
sed -i '/certificate: .*tls.crt/d; /key: .*tls.key/d' "$TMP/pillion.yaml"
start_pillion --config "$TMP/pillion.yaml"
print() { echo | openssl s_client -connect "$ADDRESS" 2>/dev/null | openssl x509 -noout -fingerprint -sha256; }
before=$(print)
as valid && wants 200 "a self-signed server"
cp "$PKI/rogue.pem" "$TMP/live/v6/ca.crt"
pki_crl rogue >"$TMP/live/v6/crl.pem"
kill -HUP "$PID"
wait_for 20 says_at_curl roguish 200 || fail "the new CA is not believed: $(tail -n 2 "$TMP/said")"
as valid
[ "$STATUS" = 000 ] || fail "the old CA is still believed: $STATUS"
[ -n "$before" ] && [ "$(print)" = "$before" ] || fail "the certificate did not stay: $before, $(print)"
ok "another CA by a reload, the same certificate"
stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
echo "$CHECKS checks"
