#!/bin/bash
# A different secret in every place where one can be: none of them comes out again, neither in the
# log at its most talkative, in error bodies, status, metrics and index, nor in titles, environments,
# core files, spool and history, not even when it was typed into a path or a header by mistake;
# and where each is meant to go it arrives, so that they were in use.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3 openssl
need_perf

planted() { printf 'planted-%s-%s' "$1" 5up3rs3cr3t; }
put() { # NAME FILE: the secret of that name, in a file
    planted "$1" >"$TMP/conf/$2"
    chmod 600 "$TMP/conf/$2"
}
mkdir -p "$TMP/conf" "$TMP/state/of/pillion" "$TMP/answers"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$TMP/conf/tls.key" -out "$TMP/conf/tls.crt" \
    -subj /CN=localhost -days 90 2>/dev/null
openssl genrsa -out "$TMP/conf/google.pem" 2048 2>/dev/null
put token token
put bearer bearer
put password password
put apikey apikey
put s3secret s3
put session session
put scrape scrape
hash=$(openssl passwd -6 "$(planted htpasswd)")
printf 'grace:%s\n' "$hash" >"$TMP/conf/htpasswd"
python3 - "$TMP/conf/google.pem" >"$TMP/conf/google.json" <<'PY'
import json, sys
print(json.dumps({"type": "service_account", "client_email": "a@b.example", "private_key_id": "planted-keyid-5up3rs3cr3t",
                  "private_key": open(sys.argv[1]).read(), "token_uri": "https://127.0.0.1:1/token", "project_id": "p"}))
PY
chmod 600 "$TMP"/conf/*

: >"$TMP/backend.log"
mkfifo "$TMP/backend.in"
python3 "$ROOT/tests/e2e/servers/backend.py" --log "$TMP/backend.log" 'status=200&times=12' 'status=401&body=no&times=3' 'status=500&body=boom&times=3' \
    'status=200' <"$TMP/backend.in" >"$TMP/backend.port" &
PIDS+=($!)
exec 9>"$TMP/backend.in"
listening() { [ -s "$TMP/backend.port" ]; }
wait_for 30 listening || fail "no receiver"
port=$(sed -n 's/^port //p' "$TMP/backend.port")
cat >"$TMP/conf/pillion.yaml" <<YAML
admin: {tls: {certificate: $TMP/conf/tls.crt, key: $TMP/conf/tls.key}}
auth:
  tokens: [{name: file, file: $TMP/conf/token, scopes: [all]}]
  basic: {htpasswd: $TMP/conf/htpasswd, scopes: [view]}
limits: {min_interval: 0s}
collect:
  every: 2s
  profiles: [{type: threadcreate}]
  scrape: {url: "http://127.0.0.1:$port/debug/pprof", types: [open_connections], token_file: $TMP/conf/scrape}
forward:
  - {name: bearer, type: parca, url: "http://127.0.0.1:$port", bearer_file: $TMP/conf/bearer}
  - {name: basic, type: pyroscope, url: "http://127.0.0.1:$port", basic: {user: u, password_file: $TMP/conf/password}}
  - {name: dd, type: datadog, url: "http://127.0.0.1:$port", api_key_file: $TMP/conf/apikey}
  - {name: s3, type: s3, url: "http://127.0.0.1:$port", bucket: b, region: r, access_key_id: AKPLANTED,
     secret_access_key_file: $TMP/conf/s3, session_token_file: $TMP/conf/session}
  - {name: gcp, type: google, project: p, credentials_file: $TMP/conf/google.json}
  - {name: refused, type: parca, url: "http://127.0.0.1:1", bearer_file: $TMP/conf/bearer}
labels: {service_name: "\${PLANTED_NAME:-server}"} # of all variables, the sidecar keeps this one
spool: {dir: $TMP/state/of/pillion/spool}
history: {dir: $TMP/state/of/pillion/history}
log: {level: debug, format: json}
YAML
start_target env "SECRET_OF_THE_TARGET=$(planted target)" "$("$ROOT/tests/targets/build_go.sh" local demo demo -trimpath '-ldflags=-s -w')"
cd "$TMP" || exit 1 # a core file would come here
ulimit -c unlimited 2>/dev/null
export UNUSED_SECRET
UNUSED_SECRET=$(planted environment)
start_pillion --config "$TMP/conf/pillion.yaml"
TOKEN=$(planted token)
jwt=$(printf '{"alg":"none"}' | base64).$(printf '{"iss":"%s"}' "$(planted jwt)" | base64 | tr -d '=\n').c2ln

# ---- all kinds of credentials, right and wrong, at all kinds of answers
n=0
keep() { n=$((n + 1)); cat "$HEAD" "$BODY" >"$TMP/answers/$n"; }
for path in / /debug/pprof/ '/debug/pprof/?format=json' '/debug/pprof/profile?seconds=1' '/debug/pprof/threadcreate?debug=1' /api/v1/status \
    /api/v1/targets /metrics /livez /readyz '/api/v1/profiles?limit=5' "/debug/pprof/profile?token=$TOKEN" /no/such \
    "/debug/pprof/profile?seconds=$TOKEN" "/debug/pprof/cmdline"; do
    get "$path" && keep
    raw "$path" -H "Authorization: Bearer wrong-$TOKEN" && keep
    raw "$path" -u "grace:$(planted htpasswd)" && keep
    raw "$path" -u "grace:$(planted guessed)" && keep
    raw "$path" -H "Authorization: Bearer $jwt" && keep
    raw "$path" -H "X-Pprof-Token: $TOKEN" -H "Cookie: $(planted cookie)" && keep
done
raw /debug/pprof/ -H "X-Pprof-Token: $TOKEN" -H "Authorization: Bearer $TOKEN" && keep
typed=$(planted typed-by-mistake)
for path in "/debug/pprof/$TOKEN" "/$TOKEN/debug/pprof/" "/$typed" "/debug/pprof/heap/$typed" "/api/v1/profiles/$typed" "//$typed%2f" "/debug/$jwt"; do
    get "$path" && keep
    raw "$path" && keep
    raw "$path" -u "grace:$(planted guessed)" && keep
    raw "$path" -X "$(planted method)" && keep
done
for header in Referer User-Agent Host Origin Accept X-Forwarded-For Forwarded Expect Transfer-Encoding "$typed"; do
    raw "/debug/pprof/" -H "$header: $typed" -m 20 && keep
    get "/debug/pprof/" -H "$header: https://$typed/$TOKEN" -m 20 && keep
done
raw /nowhere -X POST -d "$(planted body)" && keep
get /debug/pprof/ && wants 200 "the token is in use"
arrived() { [ "$(grep -cF -e "$(planted bearer)" -e "$(printf 'u:%s' "$(planted password)" | base64)" -e "$(planted apikey)" -e "$(planted session)" "$TMP/backend.log")" -ge 4 ]; }
wait_for 60 arrived || fail "the backends have not got their secrets: $(cut -c1-300 "$TMP/backend.log" | head -n 4)"
ok "each arrived where it belongs"
kill -HUP "$PID"
sleep 4 # some failures of the backends, and the reload

# ---- where they must not be
absent() { # WHERE FILE...: none of them, plain, in base64, as hash
    local where=$1 secret file
    shift
    for secret in "${secrets[@]}"; do
        [ "${#secret}" -ge 8 ] || fail "the test has lost a secret"
        file=$(grep -rlaF -e "$secret" -- "$@" 2>/dev/null | head -n 1)
        [ -z "$file" ] || fail "$where: ${secret:0:60} is in $file: $(grep -aF -e "$secret" "$file" | head -n 1 | cut -c1-400)"
    done
    ok "none in $where"
}
secrets=()
for name in token bearer password apikey s3secret session scrape htpasswd target environment keyid jwt guessed cookie body \
    typed-by-mistake method; do
    secrets+=("$(planted "$name")" "$(planted "$name" | base64 | tr -d '=\n' | cut -c1-40)" "$(planted "$name" | sha256sum | cut -d' ' -f1)")
done
secrets+=("$(printf 'grace:%s' "$(planted htpasswd)" | base64)" "$(printf 'u:%s' "$(planted password)" | base64)" "$hash" "$jwt"
    "$(sed -n 2p "$TMP/conf/tls.key")" "$(sed -n 3p "$TMP/conf/google.pem")")
absent "the log" "$LOG"
grep '"audit":true' "$LOG" | grep -q '"path":"/debug/pprof/{25:[0-9a-f]*}"' || fail "a path that is left out is not marked"
absent "the answers" "$TMP/answers"
absent "standard output" "$OUT"
absent "spool and history" "$TMP/state"
pids=("$PID")
for p in $(pgrep -P "$PID"); do pids+=("$p"); done
[ "${#pids[@]}" = 3 ] || fail "not three programs"
mkdir "$TMP/proc"
for p in "${pids[@]}"; do
    tr '\0' '\n' <"/proc/$p/cmdline" >"$TMP/proc/$p.cmdline"
    cat "/proc/$p/comm" >"$TMP/proc/$p.comm"
done
absent "titles" "$TMP/proc"
sampler=$(pgrep -P "$PID" -f pillion-sampler)
for p in "${pids[@]}"; do
    # the guard keeps what was put into it from outside, readable by root alone
    tr '\0' '\n' <"/proc/$p/environ" >"$TMP/proc/$p.environ" 2>/dev/null
    [ "$p" != "$PID" ] || sed -i '/^UNUSED_SECRET=/d' "$TMP/proc/$p.environ"
    [ "$p" != "$sampler" ] || [ ! -s "$TMP/proc/$p.environ" ] || fail "the sampler has an environment"
    [ "$(stat -c %u "/proc/$p/environ")" = 0 ] || fail "$p is dumpable: its /proc files belong to its user"
done
absent "environments" "$TMP/proc"

# ---- a program that dies leaves no core
for p in $(pgrep -P "$PID"); do kill -SEGV "$p"; done
again() { [ "$(pgrep -P "$PID" | wc -l)" = 2 ] && ! pgrep -P "$PID" | grep -qxE "${pids[1]}|${pids[2]}"; }
wait_for 30 again || fail "they did not come back"
! grep -q '"signal":"SEGV".*core' "$LOG" || fail "a core was written"
[ -z "$(find "$TMP" -maxdepth 1 -name 'core*')" ] || fail "a core file: $(find "$TMP" -maxdepth 1 -name 'core*')"
ok "no core file"
absent "the log" "$LOG"
cd "$ROOT" || exit 1
stop_pillion
