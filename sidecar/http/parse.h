/*
 * parse.h: bytes in, one HTTP/1.x request or one refusal out. Knows no socket and no clock.
 *
 * llhttp 9.2 in its strict defaults does the grammar; it has no limits of its own and lets a few
 * things through (HTTP/0.9, HTTP/2.0 request lines, any Host, absolute targets, bytes above 0x7e in
 * values), so those are refused here. Every limit is tested before anything is stored. Feeding the
 * same bytes in other portions gives the same outcome; bytes after a refusal are never looked at.
 */
#ifndef SIDECAR_HTTP_PARSE_H
#define SIDECAR_HTTP_PARSE_H

#include <llhttp.h>
#include <stdbool.h>

#include "base/buf.h"
#include "sidecar/http/server.h"

/* The header values that are kept; all others are checked and forgotten. */
enum parse_kept {
    PARSE_HOST,
    PARSE_AUTHORIZATION,
    PARSE_TOKEN,
    PARSE_USER_AGENT,
    PARSE_ORIGIN,
    PARSE_SEC_FETCH_SITE,
    PARSE_REQUEST_ID,
    PARSE_KEPT,
};

enum parse_result {
    PARSE_MORE, /* all bytes used, the request is not complete */
    PARSE_DONE, /* complete; bytes after it are not used */
    PARSE_BAD,  /* status and why say what to answer; the connection must be closed */
};

enum {
    PARSE_NAME_BYTES = 24, /* longest header name that means something here, and a bit */
    PARSE_PROTO_BYTES = 5, /* "HTTP/" */
};

struct parse {
    llhttp_t http;
    struct buf text; /* the target, then the kept values, each with its NUL */
    struct buf body;
    struct buf forwarded;    /* X-Forwarded-For, all of them */
    uint32_t at[PARSE_KEPT]; /* where each value begins in text; 0: absent (the target is at 0) */
    uint32_t query_at;
    uint32_t value_at;   /* begin of the value being read */
    uint32_t head_bytes; /* request line and headers, with all their ends */
    uint16_t headers;
    uint8_t name_bytes;
    uint8_t rule; /* of the header being read: index into the table of names */
    char name[PARSE_NAME_BYTES];
    const char *chunk;            /* begin of what llhttp is working on */
    char tail[PARSE_PROTO_BYTES]; /* the bytes before it */
    bool version_seen;
    bool head_done;
    bool done;
    bool keep_alive;
    bool accepts_gzip;
    bool forwarded_bad; /* more of it than is kept: what is there must not be used */
    unsigned status;    /* when PARSE_BAD: 400 413 414 417 431 503 */
    const char *why;    /* constant text */
};

/** parse_init(p): ready for the first byte of a request; no memory yet. */
void parse_init(struct parse *p);

/** parse_release(p): free the memory; NULL-safe, repeatable. Call parse_init() to go on. */
void parse_release(struct parse *p);

/** parse_feed(p, data, bytes, ret_used): the next bytes; ${ret_used} is how many of them belong to
 * this request (only meaningful for PARSE_DONE). May be called again only after PARSE_MORE. */
enum parse_result parse_feed(struct parse *p, const void *data, size_t bytes, size_t *ret_used);

/* After PARSE_DONE, valid until parse_release(); none of them holds a control byte. */

/** parse_path(p): the target up to '?': begins with '/'. */
const char *parse_path(const struct parse *p);
/** parse_query(p): after the '?', "" when there is none. */
const char *parse_query(const struct parse *p);
/** parse_value(p, kept): a header's value without white space around it, NULL when absent. */
const char *parse_value(const struct parse *p, enum parse_kept kept);
/** parse_forwarded(p): X-Forwarded-For, several in their order and joined by commas (RFC 9110 5.3);
 * NULL when absent or forwarded_bad. */
const char *parse_forwarded(const struct parse *p);
/** parse_method(p): what the handler distinguishes; SERVER_OTHER for the rest. */
enum server_method parse_method(const struct parse *p);
/** parse_is_http10(p): the client spoke HTTP/1.0: it wants to be told of keep-alive. */
bool parse_is_http10(const struct parse *p);

#endif
