/*
 * HTTP responses from a backend: the first two bytes choose how the rest is cut and what was asked,
 * which cut must not matter: whole and in pieces a response is taken or refused alike, with the
 * same status, headers and body. What was taken keeps its promises (limits, printable texts).
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/client/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum {
    BODY_MAX = 5000,
};

/* Feed it in pieces of 1 + a few bits of a small generator; 0: as large as allowed. Then the end of
 * the connection. */
static enum response_result feed(struct response *r, enum response_to to, const uint8_t *data,
                                 size_t bytes, uint32_t cut, size_t *ret_used)
{
    enum response_result x = RESPONSE_MORE;
    size_t done = 0;

    response_init(r, to, BODY_MAX, false);
    while (done < bytes && x == RESPONSE_MORE) {
        size_t n = bytes - done < RESPONSE_FEED_BYTES ? bytes - done : RESPONSE_FEED_BYTES;
        size_t used = 0;

        if (cut) {
            cut = cut * 1664525 + 1013904223;
            n = 1 + (cut >> 16) % (1 + (cut >> 8) % 64);
            n = n < bytes - done ? n : bytes - done;
        }
        x = response_feed(r, data + done, n, &used);
        assert(x == RESPONSE_BAD || x == RESPONSE_LARGE || used <= n);
        assert(x != RESPONSE_MORE || used == n);
        done += used;
    }
    if (x == RESPONSE_MORE)
        x = response_end(r);
    *ret_used = done;
    return x;
}

static void check_text(const char *s)
{
    for (; s && *s; s++)
        assert(*s >= 0x20 && *s < 0x7f);
}

static void check(const struct response *r, enum response_result x)
{
    struct client_answer a = {.fate = CLIENT_ANSWERED};

    assert(x != RESPONSE_MORE);
    assert(r->body.len <= BODY_MAX && r->head_bytes <= CLIENT_HEAD_MAX_BYTES);
    assert(r->headers_count <= CLIENT_HEADERS_MAX && r->extra_bytes <= RESPONSE_EXTRA_BYTES);
    assert(x == RESPONSE_DONE || r->why[0]);
    if (x != RESPONSE_DONE)
        return;
    response_fill(r, 1700000000, &a);
    assert(a.status >= 200 && a.status <= 599 && a.bytes == r->body.len);
    assert(a.retry_after_ms <= 86400000);
    for (size_t i = 0; i < r->headers_count; i++) {
        check_text((const char *)r->text.data + r->headers[i].name);
        check_text((const char *)r->text.data + r->headers[i].value);
    }
    check_text(a.content_type);
    check_text(a.location);
    assert(!client_header_of(&a, "content-length") || !client_header_of(&a, "transfer-encoding") ||
           r->to == RESPONSE_TO_CONNECT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct response whole, cut;
    size_t whole_used, cut_used;
    enum response_result a, b;
    enum response_to to;

    if (bytes < 2)
        return 0;
    to = (enum response_to)(data[1] % 3);
    a = feed(&whole, to, data + 2, bytes - 2, 0, &whole_used);
    b = feed(&cut, to, data + 2, bytes - 2, 1 + data[0] + 256U * data[1], &cut_used);
    check(&whole, a);
    check(&cut, b);
    /* too large or malformed: what comes first may depend on where llhttp ends a fragment */
    assert(a == b || (a != RESPONSE_DONE && b != RESPONSE_DONE));
    assert(response_status(&whole) == response_status(&cut) || a != RESPONSE_DONE);
    if (a == RESPONSE_DONE) {
        assert(whole_used == cut_used && whole.keep_alive == cut.keep_alive);
        assert(whole.headers_count == cut.headers_count && whole.text.len == cut.text.len);
        assert(!whole.text.len || memcmp(whole.text.data, cut.text.data, whole.text.len) == 0);
        assert(whole.body.len == cut.body.len);
        assert(!whole.body.len || memcmp(whole.body.data, cut.body.data, whole.body.len) == 0);
    }
    response_release(&whole);
    response_release(&cut);
    return 0;
}
