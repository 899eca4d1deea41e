#!/bin/bash
# Paths are what they are: nothing is tidied up, decoded or folded into another path.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3

start_target
start_pillion

tricks=(
    //debug/pprof/ /debug//pprof/ /debug/pprof// /debug/pprof//cmdline /debug/pprof/cmdline/
    /debug/pprof/./cmdline /debug/pprof/../pprof/cmdline /./debug/pprof/cmdline /../debug/pprof/cmdline
    /debug/pprof/%2e/cmdline /debug/pprof/%2e%2e/pprof/cmdline /debug/pprof/%63mdline /debug%2fpprof%2fcmdline
    /debug/pprof/cmdline%00 /debug/pprof/cmdline%20 /debug/pprof/cmdline%3f '/debug/pprof/cmdline;x=1'
    /debug/pprof/Cmdline /DEBUG/PPROF/CMDLINE /Debug/pprof/cmdline
    /debug/pprof/nothing /debug/pprof/profile/x /debug /debug/ /debug/pprofx /api /api/v1 /api/v1/status/
    /livez/ /livez/x /metrics/ /metrics.txt /etc/passwd /../../../../etc/passwd '/debug/pprof\cmdline'
)
for path in "${tricks[@]}"; do
    get "$path"
    case $STATUS in
    404) is_error "$path" ;;
    400) ;; # refused before it is looked up, as no path at all
    *) fail "$path: $STATUS" ;;
    esac
    ok "$path: $STATUS"
    raw "$path"
    case $STATUS in
    401 | 400) ;;
    *) fail "$path without credentials: $STATUS" ;;
    esac
done
get '/debug/pprof/cmdline?' && wants 200 "an empty query is no other path"
get '/debug/pprof/cmdline?/../x' && wants 200 "a query is no path"
get /debug/pprof/nothing && says "Unknown profile"

# --- request lines and Hosts that are not ours
raw_bytes() { # prints the first line of the answer
    local host=${ADDRESS%:*} port=${ADDRESS##*:}
    python3 - "$host" "$port" "$1" <<'PY'
import socket, ssl, sys
c = ssl._create_unverified_context()
s = c.wrap_socket(socket.create_connection((sys.argv[1], int(sys.argv[2])), 10))
s.settimeout(10)
s.sendall(sys.argv[3].encode().decode("unicode_escape").encode("latin-1"))
data = b""
try:
    while b"\n" not in data:
        more = s.recv(4096)
        if not more:
            break
        data += more
except OSError:
    pass
print(data.split(b"\r\n")[0].decode("latin-1"))
PY
}
auth="Authorization: Bearer $TOKEN"
refused() { # what request
    local line
    line=$(raw_bytes "$2")
    case $line in
    '' | 'HTTP/1.1 4'* | 'HTTP/1.1 505'*) ok "$1: ${line:-closed}" ;;
    *) fail "$1: $line" ;;
    esac
}
line=$(raw_bytes "GET /livez HTTP/1.1\r\nHost: $ADDRESS\r\n$auth\r\n\r\n")
[ "$line" = "HTTP/1.1 200 OK" ] || fail "a plain request: $line"
refused "HTTP/0.9" "GET /livez\r\n\r\n"
refused "HTTP/2.0" "GET /livez HTTP/2.0\r\nHost: $ADDRESS\r\n$auth\r\n\r\n"
refused "no Host" "GET /livez HTTP/1.1\r\n$auth\r\n\r\n"
refused "two Hosts" "GET /livez HTTP/1.1\r\nHost: $ADDRESS\r\nHost: $ADDRESS\r\n$auth\r\n\r\n"
refused "a strange Host" "GET /livez HTTP/1.1\r\nHost: evil.example\r\n$auth\r\n\r\n"
refused "an absolute target" "GET https://evil.example/livez HTTP/1.1\r\nHost: $ADDRESS\r\n$auth\r\n\r\n"
refused "a folded header" "GET /livez HTTP/1.1\r\nHost: $ADDRESS\r\n x\r\n$auth\r\n\r\n"
refused "chunked" "POST /debug/pprof/symbol HTTP/1.1\r\nHost: $ADDRESS\r\n$auth\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
refused "two lengths" "POST /debug/pprof/symbol HTTP/1.1\r\nHost: $ADDRESS\r\n$auth\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"
get /livez -H "Host: evil.example" && wants 421 "a Host that is not ours"
get /livez -H "Host: localhost:${ADDRESS##*:}" && wants 200 "localhost is ours"
get "/livez?$(head -c 3000 /dev/zero | tr '\0' a)"
wants 414 "a URL of 3 KB"
get /livez -H "X: $(head -c 20000 /dev/zero | tr '\0' a)"
wants 431 "headers of 20 KB"
head -c 5000 /dev/zero | tr '\0' 1 >"$TMP/large"
get /debug/pprof/symbol -X POST --data-binary "@$TMP/large" && wants 413 "a body of 5 KB"
get /livez && wants 200 "a good client is still served"
echo "$CHECKS checks"
