# shellcheck shell=bash disable=SC2034
# lib.sh: sourced by the end-to-end tests. Starts targets and the product, stops them by pid at the
# end, and counts checks. No fixed ports: everything listens on port 0 and is asked where.
#
#   go_target RELEASE TARGET NAME [FLAG...]  tests/targets/build_go.sh; the path in $GO_TARGET; skips
#                                  without that Go
#   start_target [COMMAND ARG...]  the demo without arguments; sets TARGET_PID
#   start_pillion [ARG...]         `pillion run` on TARGET_PID (unless ARGs name a target); waits for
#                                  the ready line; sets PID, URL, ADDRESS, LOG, OUT, HEALTH, and
#                                  TOKEN when one was made for this start
#   stop_pillion                   SIGTERM, and waits for it; sets EXIT
#   get PATH [CURL ARG...]         curl with the token; body in $BODY, headers in $HEAD; sets STATUS
#   raw PATH [CURL ARG...]         the same without the token
#   ok TEXT / fail TEXT            a check passed / the test is over
#   wait_for SECONDS COMMAND...    until it succeeds
#
# Others run at the same time: a target that is looked for by name or command line has a name that
# nobody else has (with $$ in it). tests/run.sh tells which markers a test may carry, and its budget:
# 20 s, of which 10 s are CPU time, and no Go release of its own.
set -u

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
BUILD=${PILLION_BUILD:-$ROOT/build/release}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
TMP=$(mktemp -d) || exit 1
BODY=$TMP/body HEAD=$TMP/head
PIDS=() CHECKS=0 PILLIONS=0
PID="" URL="" ADDRESS="" TOKEN="" HEALTH="" LOG=/dev/null STATUS="" EXIT="" TARGET_PID="" GO_TARGET=""

cleanup() {
    local p
    for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null; done
    for p in "${PIDS[@]}"; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            kill -0 "$p" 2>/dev/null || break
            sleep 0.1
        done
        kill -9 "$p" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$TMP"
}
trap cleanup EXIT

ok() {
    CHECKS=$((CHECKS + 1))
    echo "ok: $*"
}

fail() {
    echo "FAIL: $*" >&2
    if [ -s "$LOG" ]; then
        echo "--- the log:" >&2
        grep -v '"audit":true' "$LOG" | tail -n 20 >&2
        tail -n 5 "$LOG" >&2
    fi
    if [ -s "$HEAD" ]; then
        echo "--- the last answer: $STATUS" >&2
        head -c 2000 "$HEAD" >&2
        head -c 500 "$BODY" | tr -c '[:print:]\n' '?' >&2
    fi
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

need() {
    local tool
    for tool; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
}

# Some kernels refuse perf to ordinary users; then no profile can be taken, by design.
need_perf() {
    local paranoid
    paranoid=$(cat /proc/sys/kernel/perf_event_paranoid 2>/dev/null || echo 4)
    [ "$(id -u)" = 0 ] || [ "$paranoid" -le 2 ] ||
        skip "perf_event_paranoid is $paranoid and we are not root"
}

target_is_up() {
    kill -0 "$TARGET_PID" 2>/dev/null
}

go_target() {
    GO_TARGET=$("$ROOT/tests/targets/build_go.sh" "$@")
    case $? in
    0) ;;
    77) skip "no Go $1 to build $2 with" ;;
    *) fail "the target $2 does not build" ;;
    esac
}

start_target() {
    if [ $# = 0 ]; then
        go_target local demo demo -trimpath '-ldflags=-s -w'
        # a name of this test's own: another run of the suite has a demo too
        cp "$GO_TARGET" "$TMP/demo$$" || fail "the demo target cannot be copied"
        set -- "$TMP/demo$$"
    fi
    "$@" >"$TMP/target.out" 2>"$TMP/target.err" &
    TARGET_PID=$!
    PIDS+=("$TARGET_PID")
    sleep 0.3
    target_is_up || fail "the target did not stay: $*"
}

# One field of the last JSON line with that message, "" when there is none.
log_field() { # msg field
    python3 - "$LOG" "$1" "$2" <<'PY'
import json, sys
found = ""
for line in open(sys.argv[1], errors="replace"):
    try:
        row = json.loads(line)
    except ValueError:
        continue
    if row.get("msg") == sys.argv[2] and sys.argv[3] in row:
        found = row[sys.argv[3]]
print(found)
PY
}

is_ready() {
    kill -0 "$PID" 2>/dev/null || fail "pillion ended: $(tail -n 3 "$LOG")"
    grep -q '"msg":"ready"' "$LOG"
}

start_pillion() {
    local arg named="" listens="" scheme=https printed
    for arg; do
        case $arg in
        --pid* | --process* | --port* | --cmdline* | --container* | --env* | --auto) named=1 ;;
        --listen*) listens=1 ;;
        esac
    done
    [ -n "$named" ] || set -- --pid "$TARGET_PID" "$@"
    [ -n "$listens" ] || set -- "$@" --listen 127.0.0.1:0
    PILLIONS=$((PILLIONS + 1))
    LOG=$TMP/log.$PILLIONS
    OUT=$TMP/out.$PILLIONS
    : >"$LOG"
    "$BUILD/pillion" run "$@" >"$OUT" 2>"$LOG" &
    PID=$!
    PIDS+=("$PID")
    wait_for "${READY_SECONDS:-30}" is_ready || fail "no ready line"
    ADDRESS=$(log_field ready admin)
    HEALTH=$(log_field ready health)
    [ -n "$ADDRESS" ] || fail "the ready line names no address"
    printed=$(sed -n 's|.*any:\([^@]*\)@.*|\1|p' "$OUT" | head -n 1)
    [ -z "$printed" ] || TOKEN=$printed
    if grep -q "'http://" "$OUT" || [ -n "${PLAIN:-}" ]; then scheme=http; fi
    URL=$scheme://$ADDRESS
}

stop_pillion() {
    kill -TERM "$PID"
    wait "$PID"
    EXIT=$?
}

raw() {
    local path=$1
    shift
    : >"$BODY"
    : >"$HEAD"
    # --path-as-is: curl must not tidy up what the test is about
    STATUS=$(curl -sk --path-as-is -m 90 -o "$BODY" -D "$HEAD" -w '%{http_code}' "$@" "$URL$path")
}

get() {
    local path=$1
    shift
    raw "$path" -H "Authorization: Bearer $TOKEN" "$@"
}

header() { # its value in the last answer
    sed -n "s/^$1: //Ip" "$HEAD" | tr -d '\r' | head -n 1
}

wants() { # STATUS what
    [ "$STATUS" = "$1" ] || fail "$2: $STATUS instead of $1"
    ok "$2: $1"
}

says() { # TEXT in the last body
    grep -qF -- "$1" "$BODY" || fail "the answer does not say \"$1\""
}

is_error() { # the shape every error has
    [ "$(header Content-Type)" = "text/plain; charset=utf-8" ] || fail "$1: not text/plain"
    [ "$(header X-Go-Pprof)" = 1 ] || fail "$1: no X-Go-Pprof"
    [ "$(header X-Content-Type-Options)" = nosniff ] || fail "$1: no nosniff"
    [ "$(wc -l <"$BODY")" = 1 ] || fail "$1: not one line"
}

is_gzip() {
    [ "$(head -c 2 "$BODY" | od -An -tx1 | tr -d ' ')" = 1f8b ]
}

# no secret may be in a log line
no_secret() {
    local secret
    for secret; do
        [ -n "$secret" ] || continue
        ! grep -qF -- "$secret" "$LOG" || fail "a secret is in the log"
    done
}
