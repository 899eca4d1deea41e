#!/bin/bash
# The command without a server: verbs, help, token, check with the exact place of each error, and
# the exit codes.
# shellcheck disable=SC2016 # ${NAME} in these files is for pillion to expand
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

P=$BUILD/pillion
OUT=$TMP/stdout
ERR=$TMP/stderr

# run WANTED-EXIT ARGS...: standard output in $OUT, standard error in $ERR
run() {
    local want=$1 rc
    shift
    "$P" "$@" >"$OUT" 2>"$ERR" </dev/null
    rc=$?
    [ "$rc" = "$want" ] || { cat "$ERR"; fail "pillion $*: exit $rc instead of $want"; }
}
prints() { grep -qF -- "$1" "$OUT" || { cat "$OUT"; fail "standard output lacks: $1"; }; }
complains() { # the one line on standard error is exactly this
    [ "$(cat "$ERR")" = "pillion: $1" ] || { cat "$ERR"; fail "the error is not: $1"; }
}

# --- help and usage
run 2
grep -q '^usage: pillion VERB' "$ERR" || fail "no usage"
[ ! -s "$OUT" ] || fail "usage went to standard output"
run 0 help
for verb in run record top dump doctor diff gate merge convert report check token version help; do
    prints "  $verb "
done
! grep -q '^  plan ' "$OUT" || fail "help shows a verb that is not for people"
run 0 --help
prints "usage: pillion VERB"
run 0 help record
prints "[--type cpu|wall] [--seconds 10]"
run 0 help config
prints "min_interval"
run 2 help nosuch
run 2 help plan
run 2 nosuch
complains "no verb of that name; \`pillion help\` lists them"
for verb in top diff gate merge convert report; do
    run 2 "$verb" a b
    complains "$verb is not built yet"
done
run 0 version
grep -qE '^pillion [^ ]+$' "$OUT" || fail "version: $(cat "$OUT")"
run 0 --version
run 2 version now
"$P" help >/dev/full 2>"$ERR"
[ $? = 2 ] || fail "a full standard output is no success"
ok "verbs, help, version"

# --- token: the hash is the token's, and no two are alike
run 0 token
token=$(head -n 1 "$OUT")
hash=$(sed -n 's/.*sha256: "\([0-9a-f]\{64\}\)".*/\1/p' "$OUT")
echo "$token" | grep -qE '^plln_[A-Za-z0-9_-]{43}$' || fail "token: $token"
[ "$(printf %s "$token" | sha256sum | cut -d' ' -f1)" = "$hash" ] || fail "not the token's hash"
line=$(sed -n 2p "$OUT")
run 0 token
[ "$(head -n 1 "$OUT")" != "$token" ] || fail "the same token twice"
run 2 token x
ok "token"

# --- check: good files
F=$TMP/pillion.yaml
good() { printf '%s\n' "$@" >"$F"; run 0 check --config "$F"; }
good '# nothing but a comment'
prints 'listen: ["127.0.0.1:6060"]'
prints 'target: auto'
cp "$OUT" "$TMP/printed.yaml"
run 0 check --config "$TMP/printed.yaml"
cmp -s "$OUT" "$TMP/printed.yaml" || fail "what check prints is not what it reads"
good 'auth:' '  tokens:' "    ${line/NAME/oncall}"
prints '{name: "oncall", sha256: (hidden), scopes: [cpu, heap, goroutine, contention, symbol, history]}'
! grep -q "$hash" "$OUT" || fail "check shows the hash"
export SERVICE=shop
good 'labels: {service_name: "${SERVICE}", pod: "${NOSUCH_POD:-none}"}'
prints 'labels: {"service_name": "shop", "pod": "none"}'
run 0 check --config "$F" --pid 7 --listen 127.0.0.1:0
prints 'target: {pid: 7}'
prints 'listen: ["127.0.0.1:0"]'
ok "check takes what is right and prints it"

# --- check: the README's example, and its own output
sha=$(printf '%064d' 7)
awk '/^## Configuration/{in_it=1} in_it && /^target: /{on=1} on && /^```/{exit} on' "$ROOT/README.md" | sed "s/…64 hex…/$sha/" >"$F"
grep -q '^history: ' "$F" || fail "no example in the README"
run 0 check --config "$F"
prints '- {name: "s3", type: s3, url: "https://s3.example"'
sed "s/(hidden)/$sha/" "$OUT" >"$TMP/again.yaml"
cp "$OUT" "$TMP/first"
run 0 check --config "$TMP/again.yaml"
cmp -s "$TMP/first" "$OUT" || fail "what is printed is read as something else"
ok "check takes the README's example and its own output"

# --- check: bad files, each with its place
bad() { # ERROR LINE...
    local want=$1
    shift
    printf '%s\n' "$@" >"$F"
    run 1 check --config "$F"
    complains "$F:$want"
    [ ! -s "$OUT" ] || fail "a bad configuration was printed"
}
bad '2:3: unknown key "lisen" (did you mean "listen"?)' 'admin:' '  lisen: x'
bad '3:1: "log" is here a second time (first in line 1)' 'log: {}' 'labels: {}' 'log: {}'
bad '1:8: anchors (&name) are not allowed' 'admin: &a {}'
bad '1:9: aliases (*name) are not allowed; write the value out' 'labels: *a'
bad '2:10: tags (!name) are not allowed' 'log:' '  level: !!str info'
bad '2:1: a second document is not allowed' 'log: {}' '---' 'log: {}'
bad '1:11: type parca needs url' 'forward: [{name: a, type: parca}]'
bad '2:9: an issuer needs an audience' 'auth:' '  jwt: [{issuer: a}]'
bad '1:14: "hz" takes a number from 1 to 10000' 'limits: {hz: 0}'
bad '3:3: tls: off is only for loopback and unix addresses, and 0.0.0.0:6060 is neither' \
    'admin:' '  listen: 0.0.0.0:6060' '  tls: off'
bad '1:13: NOSUCH_VARIABLE is not set in the environment and has no default' \
    'labels: {a: "${NOSUCH_VARIABLE}"}'
bad '1:14: mapping values are not allowed in this context' 'target: auto : x'
printf 'log:\n  level: "\377"\n' >"$F"
run 1 check --config "$F"
grep -q "^pillion: $F:2:11: " "$ERR" || fail "no place for a bad byte: $(cat "$ERR")"
ok "check says what is wrong and where"

# --- check: what holds but is weak
printf '%s\n' 'admin: {tls: off}' 'auth:' '  tokens: [{name: a, file: token, scopes: [cpu]}]' \
    '  anonymous: {scopes: [metrics]}' >"$F"
echo "$token" >"$TMP/token"
chmod 644 "$TMP/token"
run 0 check --config "$F"
for warning in "admin.tls: off" "auth.anonymous: whoever reaches the endpoint may: metrics" \
    "$TMP/token: everybody on this machine can read it"; do
    grep -qF "pillion: warning: $warning" "$ERR" || fail "no warning: $warning"
done
chmod 600 "$TMP/token"
run 0 check --config "$F"
! grep -q "can read it" "$ERR" || fail "a warning about a private file"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=x \
    -keyout "$TMP/key" -out "$TMP/crt" 2>/dev/null || fail "openssl"
printf '%s\n' "admin: {tls: {certificate: crt, key: key}}" \
    'forward: [{name: p, type: parca, url: "http://parca:7070", bearer_file: token}]' >"$F"
run 0 check --config "$F"
for warning in "$TMP/crt: the certificate expires soon, on 20" \
    "forward: p: credentials cross the network in plain text: use https" \
    "forward: without collect, nothing is sent"; do
    grep -qF "pillion: warning: $warning" "$ERR" || fail "no warning: $warning"
done
# shellcheck source=tests/e2e/pki.sh
. "$(dirname "$0")/pki.sh"
mkdir -p "$PKI"
pki_root old
pki_sign over old 'basicConstraints=CA:FALSE\n' -startdate 20240101000000Z -enddate 20240201000000Z
cp "$PKI/over.pem" "$TMP/crt"
cp "$PKI/over.key" "$TMP/key"
chmod 644 "$TMP/key"
run 0 check --config "$F"
grep -qF "pillion: warning: $TMP/crt: the certificate" "$ERR" && grep -q "$TMP/crt: .*2024" "$ERR" || fail "an expired certificate: $(cat "$ERR")"
grep -qF "pillion: warning: $TMP/key: everybody on this machine can read it" "$ERR" || fail "no warning of a key that others read"
chmod 600 "$TMP/key"
run 0 check --config "$F"
! grep -qF "$TMP/key" "$ERR" || fail "a warning of a private key: $(cat "$ERR")"
# secrets in variables: those that the file takes, and our own tokens; never their values
printf '%s\n' 'labels: {a: "${OF_THE_FILE_TOKEN}", b: "${FORM_OF_ONE}", c: "${PLAIN}", d: "${EMPTY_SECRET:-x}", e: "${SOME_TOKEN_FILE}"}' >"$F"
OF_THE_FILE_TOKEN=hidden1 FORM_OF_ONE=eyJhbGciOi.hidden2.x PLAIN=y EMPTY_SECRET='' SOME_TOKEN_FILE=/f UNNAMED_TOKEN=z OURS=plln_hidden3 \
    run 0 check --config "$F"
for name in OF_THE_FILE_TOKEN FORM_OF_ONE OURS; do
    grep -qF "pillion: warning: $name: a long-lived secret in an environment variable" "$ERR" || fail "no warning of $name: $(cat "$ERR")"
done
[ "$(grep -c "environment variable" "$ERR")" = 3 ] || fail "warnings without need: $(cat "$ERR")"
! grep -q hidden "$ERR" || fail "a warning shows the secret"
ok "check warns of what is weak"

# --- usage errors are 2 and say what would be right
run 2 check --config "$TMP/nosuch"
complains "$TMP/nosuch: cannot be read: No such file or directory"
run 2 check --pid
complains "--pid needs a value"
run 2 check --pid 0
complains '--pid "0": right is a number from 1 to 4194304'
run 2 check --pid 1 --port 2
complains "more than one target is named"
run 2 check --bogus
grep -q 'unknown argument "--bogus"; right are' "$ERR" || fail "no hint"
run 1 check --cmdline '(a'
run 1 check --cmdline '(a)\1'
complains 'cmdline: back-references (\1) are not allowed'
ok "usage errors"

# --- plan: a struct at descriptor 3, and nothing anywhere else
"$P" plan --process server 3>"$TMP/plan" >"$OUT" 2>"$ERR" || fail "plan: $(cat "$ERR")"
if [ ! -s "$TMP/plan" ] || [ -s "$OUT" ] || [ -s "$ERR" ]; then fail "plan writes elsewhere"; fi
grep -q server "$TMP/plan" || fail "the plan does not name the target"
"$P" plan 3>&- >"$OUT" 2>"$ERR"
[ $? = 2 ] || fail "plan without its descriptor"
"$P" plan --cmdline 'a{2}{300}' 3>"$TMP/plan" 2>"$ERR"
[ $? = 2 ] || fail "a pattern that is dear was taken"
[ ! -s "$TMP/plan" ] || fail "a pattern that is dear got a plan"
ok "plan"

# --- record's own usage errors come before anything is started
for args in "--seconds 0" "--seconds 3601" "--seconds 1s" "--hz 0" "--hz 10001" "--type heap" \
    "--format xml" "-o" "--pid 0" "--pid 1 --port 1" "extra"; do
    # shellcheck disable=SC2086
    run 2 record $args
    [ "$(wc -l <"$ERR")" = 1 ] || fail "record $args: not one line"
done
ok "record refuses what it cannot do"
echo "$CHECKS checks"
