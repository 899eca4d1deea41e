/*
 * Questions to the history, answered when the pool has read the files. While one is open the client
 * may go: the history then forgets the callback, and goes on by itself.
 */
#include "sidecar/routes/history.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/magic.h"
#include "base/num.h"
#include "sidecar/http/query.h"

enum {
    TEXT_BYTES = 64,
    RETRY_MS = 2000,
    STAMP_DIGITS = 19, /* 2006-01-02T15:04:05 */
    FRACTION_DIGITS = 9,
};

#define BACK_MAX_MS     (UINT64_C(3660) * 24 * 3600 * 1000) /* ten years */
#define SECONDS_MAX     (UINT64_C(9223372036))              /* what fits into int64_t nanoseconds */
#define NONE_CONFIGURED "nothing is kept: history.dir is not set in the configuration"

/* --- parameters --- */

/* ".123": in nanoseconds; digits beyond those are cut. */
static const char *take_fraction(const char *p, int64_t *ret_ns)
{
    int64_t unit = CLOCK_NS_PER_SEC / 10;

    *ret_ns = 0;
    if (*p != '.')
        return p;
    for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
        *ret_ns += (*p - '0') * unit;
    return p;
}

/* "Z" or "+01:00" (RFC 3339, 5.6), in seconds east of Greenwich. */
static int take_zone(const char *p, int64_t *ret_seconds)
{
    uint64_t hours, minutes;

    if ((*p == 'Z' || *p == 'z') && !p[1]) {
        *ret_seconds = 0;
        return 0;
    }
    /* a plus in a query is a space: a client that did not escape it meant this */
    if ((*p != '+' && *p != '-' && *p != ' ') || strlen(p) != 6 || p[3] != ':' ||
        num_u64(p + 1, 2, 10, 23, &hours) || num_u64(p + 4, 2, 10, 59, &minutes))
        return -EINVAL;
    *ret_seconds = (int64_t)(hours * 3600 + minutes * 60) * (*p == '-' ? -1 : 1);
    return 0;
}

static int take_stamp(const char *text, int64_t *ret_ns)
{
    struct tm tm = {0};
    const char *end = strlen(text) > STAMP_DIGITS ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    int64_t fraction, zone, seconds;

    if (!end || end - text != STAMP_DIGITS)
        return -EINVAL;
    end = take_fraction(end, &fraction);
    if (take_zone(end, &zone))
        return -EINVAL;
    seconds = (int64_t)timegm(&tm) - zone;
    if (seconds < 0 || (uint64_t)seconds >= SECONDS_MAX)
        return -EINVAL;
    *ret_ns = seconds * (int64_t)CLOCK_NS_PER_SEC + fraction;
    return 0;
}

int history_route_time(const char *text, int64_t now_ns, int64_t *ret_ns)
{
    uint64_t n;

    if (text[0] == '-') {
        if (num_duration_ms(text + 1, strlen(text + 1), BACK_MAX_MS, &n))
            return -EINVAL;
        *ret_ns = now_ns - (int64_t)(n * CLOCK_NS_PER_MS);
        return 0;
    }
    if (num_u64(text, strlen(text), 10, SECONDS_MAX - 1, &n) == 0) {
        *ret_ns = (int64_t)(n * CLOCK_NS_PER_SEC);
        return 0;
    }
    return take_stamp(text, ret_ns);
}

/* One of the two; false: it was refused. */
static bool get_time(struct visit *v, const char *key, int64_t *ret_ns)
{
    char text[TEXT_BYTES], why[TEXT_BYTES * 3];
    int r = query_get(v->request->query, key, text, sizeof(text));

    if (r == 0 || (r > 0 && !text[0]))
        return true;
    if (r > 0 && history_route_time(text, (int64_t)clock_real_ns(), ret_ns) == 0)
        return true;
    (void)snprintf(why, sizeof(why), "bad %s: use 2026-01-02T15:04:05Z, seconds since 1970, or -1h",
                   key);
    visit_refuse(v, 400, why);
    return false;
}

static bool get_query(struct visit *v, struct history_query *q)
{
    char text[TEXT_BYTES];
    uint64_t limit;
    int r;

    memset(q, 0, sizeof(*q));
    q->limit = HISTORY_ROUTE_ROWS;
    if (query_get(v->request->query, "type", q->type, sizeof(q->type)) < 0) {
        visit_refuse(v, 400, "bad type: use cpu, heap, goroutine …");
        return false;
    }
    r = query_get(v->request->query, "limit", text, sizeof(text));
    if (r && (r < 0 || num_u64(text, strlen(text), 10, HISTORY_LIST_MAX, &limit) || limit == 0)) {
        visit_refuse(v, 400, "bad limit: use 1 to 1000");
        return false;
    }
    if (r)
        q->limit = (size_t)limit;
    return get_time(v, "from", &q->from_ns) && get_time(v, "to", &q->to_ns);
}

/* --- answers --- */

static void client_left(struct visit *v)
{
    history_forget(v->state->history, v);
}

static void refuse(struct visit *v, int r, const char *why)
{
    switch (-r) {
    case ENOTSUP:
        visit_refuse(v, 501, NONE_CONFIGURED);
        return;
    case ENOENT:
        visit_refuse(v, 404, "no such profile is kept: /api/v1/profiles lists what there is");
        return;
    case EFBIG:
        visit_refuse(v, 413,
                     why ? why : "too many profiles for one merge: ask for a shorter range");
        return;
    case EBUSY:
        v->state->metrics.rate_limited++;
        visit_retry(v, 429, RETRY_MS, "too many questions to the history are open");
        return;
    case EBADMSG:
        visit_refuse(v, 500, why ? why : "the kept profile is damaged");
        return;
    default:
        visit_retry(v, 503, RETRY_MS, why ? why : uv_strerror(r));
    }
}

static void asked(struct visit *v, int r)
{
    if (r)
        refuse(v, r, NULL);
    else
        v->left = client_left;
}

static void listing_came(void *data, const struct history_answer *a)
{
    struct visit *v = data;

    MAGIC_CHECK(v, VISIT_MAGIC);
    v->left = NULL;
    if (a->result)
        refuse(v, a->result, a->why);
    else
        visit_answer(v, 200, "application/json", a->body);
}

static void profile_came(void *data, const struct history_answer *a)
{
    struct visit *v = data;

    MAGIC_CHECK(v, VISIT_MAGIC);
    v->left = NULL;
    if (a->result) {
        refuse(v, a->result, a->why);
        return;
    }
    server_headerf(v->request, "Content-Disposition", "attachment; filename=\"%s\"", a->item.type);
    server_headerf(v->request, "Pillion-Time", "%" PRId64 ".%09" PRId64,
                   a->item.time_ns / (int64_t)CLOCK_NS_PER_SEC,
                   a->item.time_ns % (int64_t)CLOCK_NS_PER_SEC);
    server_headerf(v->request, "Pillion-Seconds", "%.3f",
                   (double)a->item.duration_ns / (double)CLOCK_NS_PER_SEC);
    server_headerf(v->request, "Pillion-Merged", "%zu", a->count);
    visit_answer(v, 200, "application/octet-stream", a->body);
}

/* --- requests --- */

void history_route_list(struct visit *v)
{
    struct history_query q;

    if (v->request->method == SERVER_HEAD)
        server_answer(v->request, 200, "application/json", NULL);
    else if (get_query(v, &q))
        asked(v, history_list(v->state->history, &q, listing_came, v));
}

void history_route_one(struct visit *v)
{
    const char *id = v->request->path + strlen(v->route->path);

    if (v->request->method == SERVER_HEAD)
        server_answer(v->request, 200, "application/octet-stream", NULL);
    else
        asked(v, history_read(v->state->history, id, profile_came, v));
}

void history_route_merge(struct visit *v)
{
    struct history_query q;

    if (!get_query(v, &q))
        return;
    if (!q.type[0])
        visit_refuse(v, 400, "type is missing: type=cpu, heap …");
    else if (v->request->method == SERVER_HEAD)
        server_answer(v->request, 200, "application/octet-stream", NULL);
    else
        asked(v, history_merge(v->state->history, &q, profile_came, v));
}
