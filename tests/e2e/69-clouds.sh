#!/bin/bash
# Datadog (agent by TCP and unix socket, intake, both families), Google Cloud Profiler (offline,
# online; by key and by metadata server), S3 and a folder: what they get from one real run is checked
# as strictly as they are known to (servers/clouds.py), and is what was kept, value by value.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 openssl curl
command -v go >/dev/null || skip "no go in PATH"
need_perf
export PPROF_TMPDIR=$TMP

go_target local goleak goleak-local '-ldflags=-s -w'
bin=$GO_TARGET

mkdir "$TMP/conf" "$TMP/cloud" "$TMP/store"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$TMP/key.pem" 2>/dev/null || fail "no key"
openssl pkey -in "$TMP/key.pem" -pubout -out "$TMP/public.pem" || fail "no public key"

PORT=""
listening() { [ -s "$TMP/$1.port" ]; }
cloud() { # NAME ARG...: sets PORT
    local name=$1
    shift
    mkfifo "$TMP/$name.in"
    python3 "$ROOT/tests/e2e/servers/clouds.py" "$TMP/cloud" "$TMP/public.pem" "$@" \
        <"$TMP/$name.in" >"$TMP/$name.port" 2>"$TMP/$name.err" &
    PIDS+=($!)
    # shellcheck disable=SC2034
    exec {FD}>"$TMP/$name.in" # it ends when we do
    wait_for 30 listening "$name" || fail "$name: $(cat "$TMP/$name.err")"
    PORT=$(sed -n 's/^port //p' "$TMP/$name.port")
}
cloud strange --no-flavor
STRANGE=$PORT
cloud cloud --unix "$TMP/cloud.sock"

secret() { # NAME TEXT
    printf '%s' "$2" >"$TMP/conf/$1"
    chmod 600 "$TMP/conf/$1"
}
secret dd 0123456789abcdef0123456789abcdef
secret s3 'very/Secret+key'
secret s3bad 'very/Wrong+key'
secret session 'session/token=='
secret sa.json "$(python3 -c 'import json, sys; print(json.dumps({"type": "service_account",
    "project_id": "key-project", "private_key_id": "key-1", "client_email": "robot@p.example",
    "private_key": open(sys.argv[1]).read(), "token_uri": sys.argv[2]}))' "$TMP/key.pem" "http://127.0.0.1:$PORT/token")"

U="http://127.0.0.1:$PORT"
S3="region: eu-central-1, access_key_id: AKEXAMPLE, session_token_file: $TMP/conf/session, path: pre fix"
cat >"$TMP/conf/pillion.yaml" <<EOF
admin: {tls: off}
labels: {service_name: "Shop A", env: prod, version: "1.2,3", zone: z-1}
collect:
  every: 4s
  profiles: [{type: cpu, seconds: 3}, {type: heap}, {type: goroutine}, {type: block}, {type: mutex}]
forward:
  - {name: dd-agent, type: datadog, url: "$U/dd-agent"}
  - {name: dd-unix, type: datadog, url: "unix:$TMP/cloud.sock"}
  - {name: dd-intake, type: datadog, url: "$U/dd-intake", api_key_file: $TMP/conf/dd}
  - {name: dd-native, type: datadog, url: "$U/dd-native", family: native}
  - {name: gcp-offline, type: google, url: "$U/gcp-offline", project: my-project, credentials_file: $TMP/conf/sa.json}
  - {name: gcp-online, type: google, url: "$U/gcp-online", credentials_file: $TMP/conf/sa.json, format: online}
  - {name: gcp-meta, type: google, url: "$U/gcp-meta"}
  - {name: s3, type: s3, url: "$U/s3", bucket: bucket, secret_access_key_file: $TMP/conf/s3, $S3}
  - {name: s3-key, type: s3, url: "$U/s3", bucket: bucket, secret_access_key_file: $TMP/conf/s3bad, $S3}
  - {name: s3-bucket, type: s3, url: "$U/s3", bucket: other, secret_access_key_file: $TMP/conf/s3, $S3}
  - {name: files, type: directory, path: $TMP/files}
  - {name: again, type: directory, path: $TMP/store/again}
spool: {dir: $TMP/store/spool}
EOF
mkdir "$TMP/files" "$TMP/store/again"

start_target "$bin"
GCE_METADATA_HOST=127.0.0.1:$PORT PLAIN=1 start_pillion --config "$TMP/conf/pillion.yaml"
check() { python3 "$ROOT/tests/e2e/check_clouds.py" "$TMP" "$@"; }
wait_for 60 check enough || {
    get /api/v1/status
    fail "not everything came: $(cat "$TMP/cloud/violations" 2>/dev/null; python3 -m json.tool "$BODY" | grep -E '"name"|last_error"|"sent"')"
}
ok "profiles of all types came"

# a folder that somebody deletes is made again
has_files() { [ -n "$(ls "$TMP/store/again" 2>/dev/null)" ]; }
wait_for 30 has_files || fail "nothing in the second folder"
rm -r "$TMP/store/again"
wait_for 30 has_files || fail "the deleted folder does not come back"
! find "$TMP/files" -type f -printf '%f\n' | grep -v '^[0-9]\{8\}T[0-9]\{6\}\.[0-9]\{3\}Z-Shop_A-[a-z]*-[0-9a-f]\{32\}\.pb\.gz$' ||
    fail "strange names in the folder"
ok "a deleted folder comes back"

# a key file that is replaced is read again, and a token asked for with it
signed=$(wc -l <"$TMP/cloud/signed")
[ "$signed" = 2 ] || fail "$signed tokens for two backends"
cp -p "$TMP/conf/sa.json" "$TMP/conf/sa.new"
mv "$TMP/conf/sa.new" "$TMP/conf/sa.json"
kill -HUP "$PID"
more_signed() { [ "$(wc -l <"$TMP/cloud/signed")" -gt "$signed" ]; }
wait_for 30 more_signed || fail "the new key file is not used"
ok "a token lasts, and a new key file gives a new one"

get /api/v1/status
python3 - "$BODY" <<'PY' || fail "status does not tell what the stores say"
import json, sys
b = {x["name"]: x for x in json.load(open(sys.argv[1]))["forward"]}
for name, text in (("s3-key", "SignatureDoesNotMatch"), ("s3-bucket", "NoSuchBucket")):
    x = b[name]
    assert x["circuit"] == "blocked" and x["sent"] == 0 and x["rejected"] == 0 and x["waiting"] > 0, x
    assert text in x["last_error"], x
for name, x in b.items():
    assert name.startswith("s3-") or name == "gcp-online" or x["failed"] == 0, x
PY
ok "a wrong key and a missing bucket block, in the store's own words"

stop_pillion
[ "$EXIT" = 0 ] || fail "exit $EXIT"
check same || fail "what came is not what was kept"
ok "each profile is what was kept, and nothing is wrong with it"
no_secret 'very/Secret' 'session/token' 0123456789abcdef0123456789abcdef ya29 PRIVATE

# what answers in the metadata server's place is no metadata server
cat >"$TMP/conf/two.yaml" <<EOF
forward: [{name: gcp-strange, type: google, url: "$U/gcp-strange"}]
EOF
GCE_METADATA_HOST=127.0.0.1:$STRANGE "$BUILD/pillion" check --connect --config "$TMP/conf/two.yaml" >"$TMP/said" 2>&1
grep -q '^gcp-strange (google): no: .*no metadata server' "$TMP/said" || fail "it believes a strange server: $(cat "$TMP/said")"
ok "a server without Metadata-Flavor is not believed"
