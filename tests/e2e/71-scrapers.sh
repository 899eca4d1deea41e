#!/bin/bash
# What Alloy and Parca ask of an endpoint, header by header, and both with a human at once: nobody is
# sent away when limits.share is on, and no answer breaks the rules by which they throw one away.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need curl python3 go
need_perf
go_target local goscrape goscrape-local '-ldflags=-s -w'
target=$GO_TARGET
start_target "$target"
token_line() { echo "    - {name: $1, sha256: \"$(printf '%s' "$1-token" | sha256sum | cut -d' ' -f1)\", scopes: [$2]}"; }
configure() { # LIMITS
    cat >"$TMP/pillion.yaml" <<Y
admin: {listen: ["127.0.0.1:0"]}
auth:
  tokens:
$(token_line alloy scrape)
$(token_line parca scrape)
$(token_line human all)
limits: $1
Y
}
# Parca asks for the whole of its interval, back to back: with the defaults 10 s in every 10 s, here 3
configure '{share: true, min_interval: 3s}'
start_pillion --config "$TMP/pillion.yaml" --listen 127.0.0.1:0

cat >"$TMP/scraper.py" <<'PY'
"""The rules of the two scrapers, from their sources: what they send, and what they throw away."""
import gzip, http.client, json, ssl, sys, threading, time

address, seconds = sys.argv[1], int(sys.argv[2])
host, port = address.rsplit(":", 1)
context = ssl._create_unverified_context()
bad, statuses = [], []


class Scraper:
    def __init__(self, name, agent, interval):
        self.name, self.agent, self.interval = name, agent, interval
        self.connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=60)

    def get(self, path, timeout):
        """Exactly these headers: no Accept, no Accept-Encoding; the connection is used again."""
        c = self.connection
        began = time.time()
        c.putrequest("GET", path, skip_accept_encoding=True)
        c.putheader("User-Agent", self.agent)
        c.putheader("Authorization", "Bearer %s-token" % self.name)
        c.endheaders()
        socket = c.sock
        r = c.getresponse()
        body = r.read()
        took = time.time() - began
        statuses.append(r.status)
        if took > timeout:
            bad.append("%s %s took %.1f s of %.1f" % (self.name, path, took, timeout))
        if c.sock is not socket:
            bad.append("%s %s: the connection was closed" % (self.name, path))
        return r, body

    def scrape(self, path, timeout):
        r, body = self.get(path, timeout)
        kind = r.getheader("Content-Type") or ""
        why = None
        if r.status != 200:
            why = "%d %r" % (r.status, body[:100])
        elif not kind.startswith("application/octet-stream"):  # Alloy: any other is thrown away
            why = "type %s" % kind
        elif r.getheader("Content-Encoding"):
            why = "a coding"
        elif body[:2] != b"\x1f\x8b" or not gzip.decompress(body):  # Parca: unrecognized, empty
            why = "no gzip, or empty"
        if why:
            bad.append("%s %s: %s" % (self.name, path, why))
        return r


def alloy(rounds):
    s = Scraper("alloy", "Alloy/v1.10.0 (linux; binary)", seconds + 1)
    for _ in range(rounds):
        # `params` leak: seconds twice, on types that take no time; by the random order of a map
        for path in ("allocs", "goroutine?hz=199", "block?hz=199&seconds=1&seconds=1",
                     "mutex?hz=199&seconds=1&seconds=9", "delta_heap", "delta_block", "delta_mutex",
                     "profile?hz=199&seconds=%d&seconds=%d" % (seconds, seconds)):
            name = path.split("?")[0]
            s.scrape("/debug/pprof/" + path, 10 + seconds if name == "profile" else 10)


def parca(rounds):
    s = Scraper("parca", "conprof/0.24.0", seconds)
    for _ in range(rounds):
        for path in ("allocs?hz=199&seconds=1", "goroutine?seconds=1", "block", "mutex", "heap"):
            s.scrape("/debug/pprof/" + path, seconds + 10)
        # back to back: the next one starts when the last one ends
        for _ in range(2):
            s.scrape("/debug/pprof/profile?seconds=%d" % seconds, seconds + 3 + 10)


def human(rounds):
    s = Scraper("human", "Go-http-client/1.1", 0)
    for _ in range(rounds):
        r = s.scrape("/debug/pprof/profile?seconds=%d" % seconds, seconds + 20)
        got = float(r.getheader("Pillion-Seconds") or 0)
        if got < seconds * 0.8:
            bad.append("the human's window was %.1f s of %d" % (got, seconds))


def run(*who):
    threads = [threading.Thread(target=f, args=(2,)) for f in who]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


run(alloy, parca, human)
print(json.dumps({"bad": bad, "statuses": {str(s): statuses.count(s) for s in set(statuses)}}))
sys.exit(bool(bad))
PY
scrapers() { python3 "$TMP/scraper.py" "$ADDRESS" "$1" >"$TMP/said" 2>"$TMP/said.err"; }
scrapers 3 || fail "the scrapers: $(cat "$TMP/said" "$TMP/said.err")"
ok "Alloy, Parca and a human at once: $(cat "$TMP/said")"
TOKEN=human-token
get /metrics
grep -q '^pillion_rate_limited_total 0$' "$BODY" || fail "somebody was sent away: $(grep rate_limited_total "$BODY")"
# no redirect to what they ask: Parca takes 308 for an error
TOKEN=alloy-token
for path in profile?seconds=1 allocs block goroutine mutex; do
    get "/debug/pprof/$path"
    [ "$STATUS" = 200 ] || fail "$path: $STATUS"
    [ -z "$(header Location)" ] || fail "$path: a redirect"
done
ok "no redirects"
get "/debug/fgprof?seconds=1" && wants 200 "what Alloy has off by default"
is_gzip || fail "fgprof is no profile"
get /debug/pprof/trace && wants 403 "a scraper may take no trace"
stop_pillion

# without share the second is told so in one line that both of them print
configure '{min_interval: 0s}'
start_pillion --config "$TMP/pillion.yaml" --listen 127.0.0.1:0
curl -sk -o "$TMP/first" -H "Authorization: Bearer alloy-token" "$URL/debug/pprof/profile?seconds=4" &
first=$!
running() { get /metrics -H "X: y" && grep -q '^pillion_in_flight 1$' "$BODY"; }
TOKEN=human-token
wait_for 3 running || fail "the first one does not begin"
TOKEN=parca-token
get '/debug/pprof/profile?seconds=1' && wants 429 "a second one without share"
is_error "a second one"
says "a profile is already running"
wait "$first"
[ "$(head -c 2 "$TMP/first" | od -An -tx1 | tr -d ' ')" = 1f8b ] || fail "the first one lost its profile"
stop_pillion
echo "$CHECKS checks"
