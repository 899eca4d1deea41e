/*
 * HTTP requests from the network: the first two bytes choose how the rest is cut, which must not
 * matter: whole and in pieces a request is accepted or refused alike, with the same fields and the
 * same bytes left over. What was accepted keeps its promises (limits, no control bytes, one Host).
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/http/parse.h"
#include "sidecar/http/query.h"
#include "sidecar/http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Feed it in pieces of 1 + a few bits of a small generator; 0: all at once. */
static enum parse_result feed(struct parse *p, const uint8_t *data, size_t bytes, uint32_t cut,
                              size_t *ret_used)
{
    size_t done = 0;
    enum parse_result r = PARSE_MORE;

    parse_init(p);
    while (done < bytes && r == PARSE_MORE) {
        size_t n = bytes - done;
        size_t used = 0;

        if (cut) {
            cut = cut * 1664525 + 1013904223;
            n = 1 + (cut >> 16) % (1 + (cut >> 8) % 64);
            n = n < bytes - done ? n : bytes - done;
        }
        r = parse_feed(p, data + done, n, &used);
        assert(r == PARSE_BAD || used <= n);
        assert(r != PARSE_MORE || used == n);
        done += r == PARSE_BAD ? 0 : used;
    }
    *ret_used = done;
    assert(p->text.len <= SERVER_HEADER_MAX_BYTES + SERVER_URL_MAX_BYTES);
    assert(p->body.len <= SERVER_BODY_MAX_BYTES);
    assert(p->head_bytes <= SERVER_HEADER_MAX_BYTES);
    return r;
}

static void check_text(const char *s)
{
    for (; s && *s; s++)
        assert((*s >= 0x20 && *s < 0x7f) || *s == '\t');
}

static void same_text(const char *a, const char *b)
{
    assert(!a == !b);
    assert(!a || strcmp(a, b) == 0);
}

static void compare(const struct parse *a, const struct parse *b)
{
    same_text(parse_path(a), parse_path(b));
    same_text(parse_query(a), parse_query(b));
    for (int i = 0; i < PARSE_KEPT; i++) {
        same_text(parse_value(a, (enum parse_kept)i), parse_value(b, (enum parse_kept)i));
        check_text(parse_value(a, (enum parse_kept)i));
    }
    assert(a->keep_alive == b->keep_alive && a->accepts_gzip == b->accepts_gzip);
    assert(a->body.len == b->body.len);
    assert(a->body.len == 0 || memcmp(a->body.data, b->body.data, a->body.len) == 0);
}

static void use(const struct parse *p)
{
    struct server_request r = {.listener = 1};
    struct host hosts[1] = {{.name = "localhost"}};
    struct request_place place = {.hosts = hosts, .hosts_count = 1, .port = 6060, .tls = true};
    const char *why = NULL;
    char value[32];

    assert(parse_path(p)[0] == '/' && strlen(parse_path(p)) <= SERVER_URL_MAX_BYTES);
    assert(p->headers <= SERVER_HEADERS_MAX);
    assert(parse_value(p, PARSE_HOST) && parse_value(p, PARSE_HOST)[0]);
    assert(!parse_value(p, PARSE_AUTHORIZATION) || !parse_value(p, PARSE_TOKEN));
    request_fill(&r, p);
    assert(strlen(r.id) >= 1 && strlen(r.id) <= 32);
    check_text(r.path);
    check_text(r.query);
    (void)request_refused(p, &place, &why);
    (void)query_get(r.query, "seconds", value, sizeof(value));
    (void)query_has_token(r.query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct parse whole, cut;
    size_t whole_used, cut_used;
    enum parse_result a, b;

    if (bytes < 2)
        return 0;
    a = feed(&whole, data + 2, bytes - 2, 0, &whole_used);
    b = feed(&cut, data + 2, bytes - 2, 1 + data[0] + 256U * data[1], &cut_used);
    assert(a == b);
    if (a == PARSE_BAD)
        assert(whole.status >= 400 && cut.status >= 400 && whole.why[0] && cut.why[0]);
    if (a == PARSE_DONE) {
        assert(whole_used == cut_used);
        compare(&whole, &cut);
        use(&whole);
    }
    parse_release(&whole);
    parse_release(&cut);
    return 0;
}
