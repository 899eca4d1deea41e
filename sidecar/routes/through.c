/*
 * One job from the question to the last byte. Nothing is answered before the first bytes have shown
 * themselves to be what was asked for, so that garbage is a 502 and never half a file. After that
 * the only error left is to break off, which chunked coding shows.
 *
 *   client asks ─▶ target asked ─▶ head ─▶ lead ─▶ server_begin ─▶ bytes … ─▶ server_end
 *                        └── an error: its text is gathered (bounded) ─▶ 400 404 502 503 504
 */
#include "sidecar/routes/through.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/collect/collect.h"
#include "sidecar/collect/scrape.h"
#include "sidecar/routes/params.h"

enum {
    JOB_MAGIC = 0x54485255,
    QUERY_BYTES = 64,
    MS_PER_SEC = 1000,
    HALVED_MS = 2000, /* what is shorter is not asked for again */
    MIB = 1024 * 1024,
};

struct through_job {
    unsigned magic;
    struct visit *visit;
    struct scrape *scrape;
    uint32_t ticket; /* of the stream */
    struct through_plan plan;
    unsigned status;   /* of the target's answer, 0: none yet */
    const char *wrong; /* constant text: why a 200 is not taken; NULL: it may be */
    bool begun;        /* server_begin() was called */
    size_t lead_bytes; /* gathered before that */
    size_t said_bytes; /* of an error's text */
    unsigned char lead[THROUGH_LEAD_BYTES];
    char said[THROUGH_SAID_BYTES];
};

bool through_there(const struct state *st)
{
    return collect_scrape(st->collect) != NULL;
}

bool through_serves(const struct state *st, const char *path)
{
    static const char prefix[] = "/debug/pprof/";
    const struct config *c = st->config;
    const struct scrape *s = collect_scrape(st->collect);
    const char *name = path + sizeof(prefix) - 1;

    if (!s || strncmp(path, prefix, sizeof(prefix) - 1) != 0 || !scrape_name_ok(name))
        return false;
    for (size_t i = 0; i < c->collect.scrape.types_count; i++) {
        if (strcmp(c->collect.scrape.types[i], name) == 0)
            return true;
    }
    return scrape_any_name(s);
}

/* --- the end --- */

/* Counts how it went and gives the session back; afterwards the request is like any other. */
static struct visit *end(struct through_job *j, enum session_end how, enum metrics_result result)
{
    struct visit *v = j->visit;
    struct state *st = v->state;

    metrics_profile(&st->metrics, j->plan.kind, result);
    session_end(&st->session, v->ticket, how, 0, st->status.target.generation);
    scrape_stream_drop(j->scrape, j->ticket);
    scrape_free(j->scrape);
    st->through_jobs--;
    j->magic = 0;
    free(j);
    v->ticket = 0;
    v->job = NULL;
    v->left = NULL;
    return v;
}

/* Nobody wants it any more: the target is spared the rest at once. */
static void client_left(struct visit *v)
{
    struct through_job *j = v->job;

    MAGIC_CHECK(j, JOB_MAGIC);
    (void)end(j, SESSION_LEFT, METRICS_CANCELED);
}

static void fail(struct through_job *j, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct through_job *j, unsigned status, const char *fmt, ...)
{
    bool begun = j->begun;
    struct visit *v = end(j, SESSION_FAILED, METRICS_FAILED);
    char why[STATE_WHY_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    if (begun) { /* too late for words to the client */
        log_warn("the target's endpoint broke off", LOG_STR("id", v->request->id),
                 LOG_STR("why", why));
        server_end(v->request, false);
    } else if (status == 503) {
        visit_retry(v, status, THROUGH_RETRY_MS, why);
    } else {
        visit_refuse(v, status, why);
    }
}

/* --- what it is asked for --- */

static bool is_text(const struct through_plan *p)
{
    return p->debug > 0 && p->kind != SESSION_TRACE && p->kind != SESSION_CPU;
}

static const char *content_type(const struct through_plan *p)
{
    return is_text(p) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

/* As net/http/pprof names its files (Go 1.26: Profile, Trace, handler.ServeHTTP,
 * serveDeltaProfile); what the target says of itself is not looked at. */
static void shape_headers(struct visit *v, const struct through_plan *p)
{
    bool delta = p->ms && p->kind != SESSION_TRACE && p->kind != SESSION_CPU;

    server_header(v->request, "Pillion-Source", "scrape");
    if (p->ms)
        server_headerf(v->request, "Pillion-Seconds", "%.3f", (double)p->ms / MS_PER_SEC);
    if (!is_text(p))
        server_headerf(v->request, "Content-Disposition", "attachment; filename=\"%s%s\"", p->name,
                       delta ? "-delta" : "");
}

/* Only numbers that were read as numbers: nothing of the client's text goes on. */
static void make_query(const struct through_plan *p, char out[static QUERY_BYTES])
{
    int n = 0;

    out[0] = '\0';
    if (p->ms % MS_PER_SEC)
        n = snprintf(out, QUERY_BYTES, "seconds=%" PRIu64 ".%03u", p->ms / MS_PER_SEC,
                     (unsigned)(p->ms % MS_PER_SEC));
    else if (p->ms)
        n = snprintf(out, QUERY_BYTES, "seconds=%" PRIu64, p->ms / MS_PER_SEC);
    if (n >= 0 && is_text(p))
        n += snprintf(out + n, QUERY_BYTES - (size_t)n, "%sdebug=%u", n ? "&" : "", p->debug);
    if (n >= 0 && n < QUERY_BYTES && p->gc)
        (void)snprintf(out + n, QUERY_BYTES - (size_t)n, "%sgc=1", n ? "&" : "");
}

/* --- what it answers --- */

/* A type that cannot be what was asked for; all others are judged by their first bytes. */
static const char *refuses_type(const struct through_plan *p, const struct client_answer *head)
{
    const char *coding = client_header_of(head, "content-encoding");

    if (coding && strcasecmp(coding, "identity") != 0)
        return "its answer is in a coding that was not asked for";
    if (is_text(p))
        return strcmp(head->content_type, "text/html") == 0 ? "its answer is a page of HTML" : NULL;
    if (strncmp(head->content_type, "text/", 5) == 0 ||
        strcmp(head->content_type, "application/json") == 0)
        return "its answer is a text and not a file";
    return NULL;
}

static bool on_head(void *data, const struct client_answer *head)
{
    struct through_job *j = data;

    MAGIC_CHECK(j, JOB_MAGIC);
    j->status = head->status;
    if (head->status == 200)
        j->wrong = refuses_type(&j->plan, head);
    return j->wrong == NULL;
}

/*
 * Go's traces begin with "go 1.N trace" (internal/trace, raw reader), profiles are gzip (RFC 1952)
 * or, rarely, plain protobuf, whose first field is a sample type (0x0a).
 */
static bool lead_fits(const struct through_job *j)
{
    const unsigned char *l = j->lead;

    if (is_text(&j->plan))
        return true;
    if (j->plan.kind == SESSION_TRACE)
        return j->lead_bytes == THROUGH_LEAD_BYTES && memcmp(l, "go 1.", 5) == 0 &&
               memmem(l, j->lead_bytes, " trace", 6);
    return j->lead_bytes >= 2 && ((l[0] == 0x1f && l[1] == 0x8b) || l[0] == 0x0a);
}

static void on_room(struct server_request *r)
{
    struct visit *v = r->user;
    struct through_job *j = v->job;

    MAGIC_CHECK(j, JOB_MAGIC);
    scrape_resume(j->scrape, j->ticket);
}

static void begin(struct through_job *j)
{
    struct visit *v = j->visit;

    shape_headers(v, &j->plan);
    server_begin(v->request, 200, content_type(&j->plan), on_room);
    j->begun = true;
    (void)server_push(v->request, j->lead, j->lead_bytes);
}

/* Gather the first bytes. false: they are not there yet, or not what they should be. */
static bool lead(struct through_job *j, const unsigned char **at, size_t *bytes)
{
    size_t room = THROUGH_LEAD_BYTES - j->lead_bytes;
    size_t n = *bytes < room ? *bytes : room;

    memcpy(j->lead + j->lead_bytes, *at, n);
    j->lead_bytes += n;
    *at += n;
    *bytes -= n;
    if (j->lead_bytes < THROUGH_LEAD_BYTES)
        return false;
    if (!lead_fits(j)) {
        fail(j, 502, "the target's endpoint answers 200 with something that is no %s",
             j->plan.kind == SESSION_TRACE ? "trace" : "profile");
        return false;
    }
    begin(j);
    return true;
}

static void answer_error(struct through_job *j);

static bool on_body(void *data, const void *bytes, size_t n)
{
    struct through_job *j = data;
    const unsigned char *at = bytes;

    MAGIC_CHECK(j, JOB_MAGIC);
    if (j->status != 200) {
        size_t room = sizeof(j->said) - j->said_bytes;

        memcpy(j->said + j->said_bytes, bytes, n < room ? n : room);
        j->said_bytes += n < room ? n : room;
        if (j->said_bytes == sizeof(j->said))
            answer_error(j); /* enough: an endless error is not read to its end */
        return true;
    }
    if (!j->begun && !lead(j, &at, &n))
        return true;
    return server_push(j->visit->request, at, n);
}

/* --- how it went --- */

static int ask(struct through_job *j);

/* Go <= 1.22 refuses with 400 what its server's WriteTimeout would cut (net/http/pprof,
 * durationExceedsWriteTimeout): half of it may fit, and the answer says how long it was. */
static bool asked_again(struct through_job *j)
{
    static const char said[] = "WriteTimeout";

    if (j->status != 400 || j->plan.ms < HALVED_MS ||
        !memmem(j->said, j->said_bytes, said, sizeof(said) - 1))
        return false;
    scrape_stream_drop(j->scrape, j->ticket);
    j->ticket = 0;
    j->plan.ms = j->plan.ms / HALVED_MS * MS_PER_SEC;
    j->status = 0;
    j->said_bytes = 0;
    j->visit->granted_seconds = j->plan.ms / MS_PER_SEC;
    return ask(j) == 0;
}

/* The first line of what it said. */
static void answer_error(struct through_job *j)
{
    const char *newline = memchr(j->said, '\n', j->said_bytes);
    size_t bytes = newline ? (size_t)(newline - j->said) : j->said_bytes;
    char line[THROUGH_SAID_BYTES + 1];
    unsigned status = j->status, ours = 502;

    if (asked_again(j))
        return;
    (void)err_clean(line, sizeof(line), j->said, bytes);
    if (status == 404)
        fail(j, 404, "Unknown profile: the target's endpoint has no %s", j->plan.name);
    else if (status == 400)
        fail(j, 400, "the target's endpoint says: %s", line);
    else {
        /* Go says 500 when a profile or a trace runs already */
        if (status == 429 || status == 500 || status == 503)
            ours = 503;
        fail(j, ours, "the target's endpoint answers %u%s%s", status, line[0] ? ": " : "", line);
    }
}

static void answered(void *data, const struct client_answer *a)
{
    static const unsigned statuses[] = {
        [CLIENT_ANSWERED] = 502, [CLIENT_UNSENT] = 503,    [CLIENT_BROKEN] = 502,
        [CLIENT_OVERDUE] = 504,  [CLIENT_TOO_LARGE] = 502,
    };
    struct through_job *j = data;

    MAGIC_CHECK(j, JOB_MAGIC);
    j->ticket = 0; /* the client's callback comes once */
    if (a->fate != CLIENT_ANSWERED)
        fail(j, statuses[a->fate], "the target's endpoint: %s", a->why);
    else if (j->wrong)
        fail(j, 502, "the target's endpoint: %s (%s)", j->wrong, a->content_type);
    else if (a->status != 200)
        answer_error(j);
    else if (j->begun)
        server_end(end(j, SESSION_DONE, METRICS_OK)->request, true);
    else if (j->lead_bytes > 0 && lead_fits(j)) {
        begin(j); /* shorter than what is looked at: a text, or a tiny profile */
        server_end(end(j, SESSION_DONE, METRICS_OK)->request, true);
    } else
        fail(j, 502, "the target's endpoint gives %s",
             j->lead_bytes ? "something that is no profile" : "an empty answer");
}

static int ask(struct through_job *j)
{
    static const struct client_stream stream = {.head = on_head, .body = on_body};
    char query[QUERY_BYTES];
    uint64_t mib = j->plan.kind == SESSION_TRACE ? THROUGH_MAX_MIB : THROUGH_PROFILE_MIB;
    struct scrape_want want = {
        .name = j->plan.name,
        .query = query,
        .quiet_ms = j->plan.ms,
        .max_bytes = mib * MIB,
    };

    make_query(&j->plan, query);
    return scrape_stream(j->scrape, &want, &stream, answered, j, &j->ticket);
}

/* --- requests --- */

/* Without a job the session is nobody's: given back here. */
static void not_begun(struct visit *v, unsigned status, const char *why)
{
    session_end(&v->state->session, v->ticket, SESSION_FAILED, 0, 0);
    v->ticket = 0;
    visit_retry(v, status, THROUGH_RETRY_MS, why);
}

void through_begin(struct visit *v, const struct through_plan *plan)
{
    struct state *st = v->state;
    struct scrape *scrape = collect_scrape(st->collect);
    struct through_job *j;

    if (v->request->method == SERVER_HEAD) {
        shape_headers(v, plan);
        server_begin(v->request, 200, content_type(plan), on_room);
        server_end(v->request, true);
        return;
    }
    if (!scrape || st->draining) {
        not_begun(v, 503,
                  st->draining ? "shutting down" : "no endpoint of the target is configured");
        return;
    }
    if (st->through_jobs >= THROUGH_JOBS_MAX) {
        st->metrics.rate_limited++;
        not_begun(v, 429, "too many answers of the target's endpoint are under way");
        return;
    }
    j = calloc(1, sizeof(*j));
    if (!j) {
        not_begun(v, 503, "out of memory");
        return;
    }
    j->magic = JOB_MAGIC;
    j->visit = v;
    j->scrape = scrape_ref(scrape);
    j->plan = *plan;
    st->through_jobs++;
    v->granted_seconds = plan->ms / MS_PER_SEC;
    v->job = j;
    v->left = client_left;
    if (ask(j))
        fail(j, 503, "the target's endpoint cannot be asked now");
}

/* One trace at a time, and for one identity not sooner than min_interval: it costs the target more
 * than any profile. */
static bool admitted(struct visit *v, uint64_t ms)
{
    const struct session_ask ask = {
        .kind = SESSION_TRACE,
        .identity = v->who.name,
        .duration_ms = ms,
        .now_ms = clock_mono_ns() / CLOCK_NS_PER_MS,
        .generation = v->state->status.target.generation,
    };
    uint64_t wait_ms = 0;

    switch (session_begin(&v->state->session, &ask, &v->ticket, &wait_ms)) {
    case SESSION_GO:
        return true;
    case SESSION_SOON:
        v->state->metrics.rate_limited++;
        visit_retry(v, 429, wait_ms, "a trace was taken less than limits.min_interval ago");
        return false;
    case SESSION_BUSY:
    case SESSION_BROKEN: /* never: no sampler is asked */
        break;
    }
    v->state->metrics.rate_limited++;
    visit_retry(v, 429, wait_ms, "a trace is already running");
    return false;
}

void through_trace(struct visit *v)
{
    struct through_plan plan = {.name = "trace", .kind = SESSION_TRACE};
    struct params_through p;
    struct err e;

    if (!through_there(v->state)) {
        visit_refuse(v, 501, v->route->alone);
        return;
    }
    if (params_through(v->request->query, v->state->config->limits.trace_seconds, &p, &e)) {
        visit_refuse(v, 400, e.text);
        return;
    }
    if (p.ms == 0) {
        p.asked_seconds = THROUGH_TRACE_SECONDS;
        p.ms = (uint64_t)THROUGH_TRACE_SECONDS * MS_PER_SEC;
    }
    v->asked_seconds = p.asked_seconds;
    plan.ms = p.ms;
    if (v->request->method == SERVER_HEAD || admitted(v, plan.ms))
        through_begin(v, &plan);
}

void through_custom(struct visit *v)
{
    struct through_plan plan = {.kind = SESSION_CUSTOM};
    struct params_through p;
    struct err e;

    plan.name = strrchr(v->request->path, '/') + 1;
    if (params_through(v->request->query, v->state->config->limits.profile_seconds, &p, &e)) {
        visit_refuse(v, 400, e.text);
        return;
    }
    if (p.ms && p.debug) {
        visit_refuse(v, 400, "seconds and debug params are incompatible");
        return;
    }
    v->asked_seconds = p.asked_seconds;
    plan.ms = p.ms;
    plan.debug = p.debug;
    plan.gc = p.gc;
    through_begin(v, &plan);
}
