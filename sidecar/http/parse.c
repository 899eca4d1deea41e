/*
 * llhttp calls back with fragments: a name, a value or the target may come in any number of pieces,
 * so each callback appends and only its _complete callback judges. A callback that returns non-zero
 * stops llhttp for good; the reason is in the struct by then, and the first one stays.
 */
#include "sidecar/http/parse.h"

#include <strings.h>

#include "sidecar/http/forwarded.h"

enum {
    /* Values cannot be longer than the head; the rest is for their NULs. */
    PARSE_TEXT_MAX_BYTES = SERVER_HEADER_MAX_BYTES + PARSE_KEPT + 2,
};

enum rule {
    RULE_FORGET, /* check the bytes, keep nothing */
    RULE_FIRST,  /* the first one counts */
    RULE_ONCE,   /* two of them are refused: which one counts would be a matter of opinion */
    RULE_GZIP,   /* Accept-Encoding: looked at, not kept */
    RULE_JOIN,   /* X-Forwarded-For: all of them count */
    RULE_REFUSE,
};

struct known {
    const char *name; /* lower case */
    enum rule rule;
    enum parse_kept kept;
    unsigned status; /* RULE_REFUSE */
    const char *why; /* RULE_REFUSE and RULE_ONCE */
};

/* Index 0 stands for every name that means nothing here. */
static const struct known KNOWN[] = {
    {"", RULE_FORGET, PARSE_KEPT, 0, ""},
    {"host", RULE_ONCE, PARSE_HOST, 400, "more than one Host header"},
    {"authorization", RULE_ONCE, PARSE_AUTHORIZATION, 400, "more than one Authorization header"},
    {"x-pprof-token", RULE_ONCE, PARSE_TOKEN, 400, "more than one X-Pprof-Token header"},
    {"origin", RULE_ONCE, PARSE_ORIGIN, 400, "more than one Origin header"},
    {"sec-fetch-site", RULE_ONCE, PARSE_SEC_FETCH_SITE, 400, "more than one Sec-Fetch-Site header"},
    {"user-agent", RULE_FIRST, PARSE_USER_AGENT, 0, ""},
    {"x-request-id", RULE_FIRST, PARSE_REQUEST_ID, 0, ""},
    {"accept-encoding", RULE_GZIP, PARSE_KEPT, 0, ""},
    {"x-forwarded-for", RULE_JOIN, PARSE_KEPT, 0, ""},
    {"transfer-encoding", RULE_REFUSE, PARSE_KEPT, 400,
     "Transfer-Encoding is not accepted: send a Content-Length"},
    {"upgrade", RULE_REFUSE, PARSE_KEPT, 400, "Upgrade is not accepted: this is HTTP/1.1 only"},
    /* RFC 9110 10.1.1: a final status is one of the two right answers; curl repeats without it. */
    {"expect", RULE_REFUSE, PARSE_KEPT, 417, "Expect is not accepted: send the body at once"},
};

/* Remember the first refusal; the value makes llhttp stop. */
static int refuse(struct parse *p, unsigned status, const char *why)
{
    if (p->status == 0) {
        p->status = status;
        p->why = why;
    }
    return -1;
}

static int stored(struct parse *p, const struct buf *b)
{
    return b->failed ? refuse(p, 503, "out of memory") : 0;
}

static int on_url(llhttp_t *h, const char *at, size_t bytes)
{
    struct parse *p = h->data;

    if (bytes > SERVER_URL_MAX_BYTES - p->text.len)
        return refuse(p, 414, "the request target is too long");
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] <= 0x20 || at[i] >= 0x7f || at[i] == '#')
            return refuse(p, 400, "bad byte in the request target");
    }
    /* nothing else is in text yet, so its length is the target's */
    buf_put(&p->text, at, bytes);
    return stored(p, &p->text);
}

static int on_url_complete(llhttp_t *h)
{
    struct parse *p = h->data;

    /* RFC 9112 3.2: absolute, authority and asterisk forms are for proxies, CONNECT, OPTIONS. */
    if (p->text.len == 0 || p->text.data[0] != '/')
        return refuse(p, 400, "the request target must begin with /");
    buf_putc(&p->text, '\0');
    return stored(p, &p->text);
}

/*
 * llhttp takes "GET / RTSP/1.0" and "SOURCE / ICE/1.0" for requests too and does not tell which it
 * was: look at what stands before the version, some of it maybe in the portion before.
 */
static int on_version(llhttp_t *h, const char *at, size_t bytes)
{
    struct parse *p = h->data;
    size_t here = (size_t)(at - p->chunk);
    char proto[PARSE_PROTO_BYTES];

    (void)bytes;
    if (p->version_seen)
        return 0;
    p->version_seen = true;
    if (here > PARSE_PROTO_BYTES)
        here = PARSE_PROTO_BYTES;
    memcpy(proto, p->tail + here, PARSE_PROTO_BYTES - here);
    memcpy(proto + PARSE_PROTO_BYTES - here, at - here, here);
    if (memcmp(proto, "HTTP/", PARSE_PROTO_BYTES) != 0)
        return refuse(p, 400, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return 0;
}

static void remember_tail(struct parse *p, const char *s, size_t bytes)
{
    size_t n = bytes < PARSE_PROTO_BYTES ? bytes : PARSE_PROTO_BYTES;

    memmove(p->tail, p->tail + n, PARSE_PROTO_BYTES - n);
    memcpy(p->tail + PARSE_PROTO_BYTES - n, s + bytes - n, n);
}

static int on_version_complete(llhttp_t *h)
{
    if (h->http_major != 1 || h->http_minor > 1)
        return refuse(h->data, 400, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return 0;
}

static int on_header_field(llhttp_t *h, const char *at, size_t bytes)
{
    struct parse *p = h->data;

    /* HTTP/0.9 comes without a version, so on_version_complete() has not seen it. */
    if (h->http_major != 1)
        return refuse(p, 400, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    /* a longer name is none of ours: its first bytes fill the array and match nothing */
    for (size_t i = 0; i < bytes && p->name_bytes < PARSE_NAME_BYTES; i++)
        p->name[p->name_bytes++] = at[i];
    return 0;
}

static int on_header_field_complete(llhttp_t *h)
{
    struct parse *p = h->data;
    const struct known *k;

    if (++p->headers > SERVER_HEADERS_MAX)
        return refuse(p, 431, "too many headers");
    p->rule = 0;
    for (size_t i = 1; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
        if (strlen(KNOWN[i].name) == p->name_bytes &&
            strncasecmp(KNOWN[i].name, p->name, p->name_bytes) == 0)
            p->rule = (uint8_t)i;
    }
    p->name_bytes = 0;
    p->value_at = (uint32_t)p->text.len;
    k = &KNOWN[p->rule];
    if (k->rule == RULE_REFUSE)
        return refuse(p, k->status, k->why);
    if (k->rule == RULE_ONCE && p->at[k->kept])
        return refuse(p, 400, k->why);
    if (k->rule == RULE_FIRST && p->at[k->kept])
        p->rule = 0;
    return 0;
}

static int on_header_value(llhttp_t *h, const char *at, size_t bytes)
{
    struct parse *p = h->data;

    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)at[i];

        /* obs-text (0x80 and above) has no meaning any more (RFC 9110 5.5) and would have to be
         * escaped wherever it is shown; control bytes have never had a good one */
        if ((c < 0x20 && c != '\t') || c >= 0x7f)
            return refuse(p, 400, "bad byte in a header value");
    }
    if (KNOWN[p->rule].rule == RULE_FORGET)
        return 0;
    buf_put(&p->text, at, bytes);
    return stored(p, &p->text);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* "gzip;q=0" and "gzip; q=0.000" refuse it (RFC 9110 12.4.2); any other weight accepts. */
static bool weight_is_zero(const char *s, size_t bytes)
{
    size_t i = 0;

    while (i < bytes && (is_space(s[i]) || s[i] == ';'))
        i++;
    if (bytes - i < 3 || (s[i] != 'q' && s[i] != 'Q') || s[i + 1] != '=' || s[i + 2] != '0')
        return false;
    for (i += 3; i < bytes; i++) {
        if (s[i] >= '1' && s[i] <= '9')
            return false;
    }
    return true;
}

/* Is gzip (by name, or by "*") among the codings of this Accept-Encoding value? */
static bool wants_gzip(const char *s)
{
    bool star = false;

    while (*s) {
        size_t all, name;

        while (is_space(*s) || *s == ',')
            s++;
        all = strcspn(s, ",");
        name = strcspn(s, ",; \t");
        if (name == 4 && strncasecmp(s, "gzip", 4) == 0)
            return !weight_is_zero(s + name, all - name);
        if (name == 1 && *s == '*')
            star = !weight_is_zero(s + name, all - name);
        s += all;
    }
    return star;
}

/* Who may say it is not known here, so too much of it is no refusal yet: of most it is ignored. */
static int join_forwarded(struct parse *p)
{
    size_t bytes = strlen((const char *)p->text.data + p->value_at);

    /* the NUL of what is there becomes the comma */
    if (p->forwarded_bad || bytes > FORWARDED_MAX_BYTES - p->forwarded.len) {
        p->forwarded_bad = true;
        return 0;
    }
    if (p->forwarded.len)
        p->forwarded.data[p->forwarded.len - 1] = ',';
    buf_put(&p->forwarded, p->text.data + p->value_at, bytes + 1);
    return stored(p, &p->forwarded);
}

static int on_header_value_complete(llhttp_t *h)
{
    struct parse *p = h->data;
    const struct known *k = &KNOWN[p->rule];

    if (k->rule == RULE_FORGET)
        return 0;
    /* llhttp strips what stands before a value, not what stands after it */
    while (p->text.len > p->value_at && is_space((char)p->text.data[p->text.len - 1]))
        p->text.len--;
    buf_putc(&p->text, '\0');
    if (p->text.failed)
        return stored(p, &p->text);
    if (k->rule == RULE_GZIP) {
        if (wants_gzip((const char *)p->text.data + p->value_at))
            p->accepts_gzip = true;
        p->text.len = p->value_at;
        return 0;
    }
    if (k->rule == RULE_JOIN) {
        int r = join_forwarded(p);

        p->text.len = p->value_at;
        return r;
    }
    p->at[k->kept] = p->value_at;
    return 0;
}

static int on_headers_complete(llhttp_t *h)
{
    struct parse *p = h->data;

    p->head_done = true;
    if (h->http_major != 1)
        return refuse(p, 400, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    if (h->method == HTTP_CONNECT || h->upgrade)
        return refuse(p, 400, "CONNECT and Upgrade are not accepted");
    /* RFC 9112 3.2 lets HTTP/1.0 go without; the check against rebinding needs it always. */
    if (!p->at[PARSE_HOST] || p->text.data[p->at[PARSE_HOST]] == '\0')
        return refuse(p, 400, "the Host header is missing");
    if (p->at[PARSE_AUTHORIZATION] && p->at[PARSE_TOKEN])
        return refuse(p, 400, "two credentials: send Authorization or X-Pprof-Token, not both");
    /* before the first byte of it is read */
    if (h->content_length > SERVER_BODY_MAX_BYTES)
        return refuse(p, 413, "the body is too large");
    return 0;
}

static int on_body(llhttp_t *h, const char *at, size_t bytes)
{
    struct parse *p = h->data;

    if (bytes > SERVER_BODY_MAX_BYTES - p->body.len)
        return refuse(p, 413, "the body is too large");
    buf_put(&p->body, at, bytes);
    return stored(p, &p->body);
}

static int on_message_complete(llhttp_t *h)
{
    struct parse *p = h->data;
    char *question = strchr((char *)p->text.data, '?');

    p->done = true;
    p->keep_alive = llhttp_should_keep_alive(h) != 0;
    /* the byte before the first kept value is the target's NUL: "" when there is no query */
    p->query_at = (uint32_t)strlen((char *)p->text.data);
    if (question) {
        *question = '\0';
        p->query_at = (uint32_t)(question + 1 - (char *)p->text.data);
    }
    return HPE_PAUSED; /* the next request's bytes stay where they are */
}

/* No lenient flag is ever set: what llhttp refuses by itself (Content-Length twice or signed, LF
 * without CR, white space around names, folded lines) is tested in http_parse_test.c. */
static const llhttp_settings_t SETTINGS = {
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_version = on_version,
    .on_version_complete = on_version_complete,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void parse_init(struct parse *p)
{
    *p = (struct parse){.why = ""};
    buf_init(&p->text, PARSE_TEXT_MAX_BYTES);
    buf_init(&p->body, SERVER_BODY_MAX_BYTES);
    buf_init(&p->forwarded, FORWARDED_MAX_BYTES + 1);
    llhttp_init(&p->http, HTTP_REQUEST, &SETTINGS);
    p->http.data = p;
}

void parse_release(struct parse *p)
{
    if (!p)
        return;
    buf_release(&p->text);
    buf_release(&p->body);
    buf_release(&p->forwarded);
}

enum parse_result parse_feed(struct parse *p, const void *data, size_t bytes, size_t *ret_used)
{
    const char *s = data;
    size_t used = 0;

    p->http.data = p; /* the owner may have moved us between two calls */
    while (used < bytes) {
        size_t room = SERVER_HEADER_MAX_BYTES - p->head_bytes;
        size_t n = bytes - used;
        enum llhttp_errno e;

        /* llhttp never sees a byte past the head's limit before the head is complete */
        if (!p->head_done && n > room)
            n = room;
        p->chunk = s + used;
        e = llhttp_execute(&p->http, s + used, n);
        if (p->done) {
            *ret_used = (size_t)(llhttp_get_error_pos(&p->http) - s);
            return PARSE_DONE;
        }
        if (e != HPE_OK) {
            (void)refuse(p, 400, "malformed HTTP request");
            return PARSE_BAD;
        }
        if (!p->head_done) {
            remember_tail(p, s + used, n);
            p->head_bytes += (uint32_t)n;
        }
        used += n;
        if (p->head_bytes == SERVER_HEADER_MAX_BYTES && !p->head_done) {
            (void)refuse(p, 431, "the headers are too large");
            return PARSE_BAD;
        }
    }
    *ret_used = used;
    return PARSE_MORE;
}

const char *parse_path(const struct parse *p)
{
    return (const char *)p->text.data;
}

const char *parse_query(const struct parse *p)
{
    return (const char *)p->text.data + p->query_at;
}

const char *parse_value(const struct parse *p, enum parse_kept kept)
{
    return p->at[kept] ? (const char *)p->text.data + p->at[kept] : NULL;
}

const char *parse_forwarded(const struct parse *p)
{
    return p->forwarded.len && !p->forwarded_bad ? (const char *)p->forwarded.data : NULL;
}

enum server_method parse_method(const struct parse *p)
{
    if (p->http.method == HTTP_GET)
        return SERVER_GET;
    if (p->http.method == HTTP_HEAD)
        return SERVER_HEAD;
    if (p->http.method == HTTP_POST)
        return SERVER_POST;
    return SERVER_OTHER;
}

bool parse_is_http10(const struct parse *p)
{
    return p->http.http_minor == 0;
}
