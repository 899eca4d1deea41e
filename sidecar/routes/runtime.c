/*
 * One request is one job: a reading, or with seconds=N two of them with a timer between. The job
 * ends in one place, whatever comes first: the answer, the client's leaving, the sampler's death. A
 * first reading is kept packed: sixty seconds are long, and several may wait.
 *
 * Packing and comparing happen on the loop, as with CPU profiles (cpu.c): a few milliseconds.
 */
#include "sidecar/routes/runtime.h"

#include <errno.h>
#include <inttypes.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "base/magic.h"
#include "profile/gzip.h"
#include "sidecar/routes/params.h"
#include "sidecar/routes/through.h"
#include "wire/codec.h"

enum {
    JOB_MAGIC = 0x4a4f4221,
    TARGET_RETRY_MS = 5000,
    /* A gzip member is never larger than its input by more than a few bytes in each 16 KiB. */
    BODY_MAX_BYTES = WIRE_PROFILE_MAX_BYTES + WIRE_PROFILE_MAX_BYTES / 1024 + 1024,
};

enum job_how { JOB_PLAIN, JOB_SECONDS, JOB_SINCE };

struct job {
    unsigned magic;
    struct visit *visit;
    enum job_how how;
    uint32_t kind; /* enum wire_runtime_kind */
    struct params_runtime params;
    uint32_t reading;  /* open, 0: none */
    uv_timer_t *timer; /* JOB_SECONDS, after the first reading; closes by itself */
    uint64_t ends_ns;  /* when the second reading is due */
    bool cut;          /* we shut down before that */
    struct buf first;  /* gzip; empty: no first reading yet */
    uint64_t program;  /* that it is of */
};

/* --- names --- */

int runtime_kind(const char *name)
{
    static const char delta[] = "delta_";

    if (strncmp(name, delta, sizeof(delta) - 1) == 0)
        name += sizeof(delta) - 1;
    for (uint32_t kind = 0; kind < WIRE_RUNTIME_KINDS; kind++) {
        if (strcmp(name, session_kind_name(session_runtime_kind(kind))) == 0)
            return (int)kind;
    }
    return -1;
}

static const char *content_type(const struct job *j)
{
    return j->params.text ? "text/plain; charset=utf-8" : "application/octet-stream";
}

/* What HEAD is told too: the names that Go and godeltaprof give the file; a text has none. */
static void shape_headers(const struct job *j)
{
    struct server_request *q = j->visit->request;
    const char *name = session_kind_name(session_runtime_kind(j->kind));
    const char *more = "";

    if (j->how == JOB_SECONDS)
        more = "-delta";
    else if (j->how == JOB_SINCE)
        more = ".pprof.gz";
    if (!j->params.text)
        server_headerf(q, "Content-Disposition", "attachment; filename=\"%s%s\"", name, more);
    if (j->params.gc)
        server_header(q, "Pillion-Note", "gc=1 has no effect: the target is only read");
}

/* What is in it, and of goroutines also what is not. */
static void count_headers(const struct job *j, const struct wire_runtime_read *read)
{
    struct server_request *q = j->visit->request;

    server_header(q, "Pillion-Mode", codec_mode_name(read->mode));
    if (state_note(j->visit->state)[0] && !j->params.gc)
        server_header(q, "Pillion-Note", state_note(j->visit->state));
    server_headerf(q, "Pillion-Read-Seconds", "%.6f",
                   (double)read->duration_ns / (double)CLOCK_NS_PER_SEC);
    if (j->kind == WIRE_RUNTIME_GOROUTINE) {
        server_headerf(q, "Pillion-Goroutines", "%" PRIu64, read->count);
        server_headerf(q, "Pillion-Running", "%" PRIu64, read->running);
        server_headerf(q, "Pillion-Running-Sampled", "%" PRIu64, read->sampled);
        server_headerf(q, "Pillion-Torn", "%" PRIu64, read->torn);
        server_headerf(q, "Pillion-Unreadable", "%" PRIu64, read->unreadable);
        server_headerf(q, "Pillion-Truncated", "%" PRIu64, read->truncated);
    } else {
        server_headerf(q,
                       j->kind == WIRE_RUNTIME_THREADCREATE ? "Pillion-Threads" : "Pillion-Buckets",
                       "%" PRIu64, read->count);
    }
}

/* --- the end of a job --- */

static void free_handle(uv_handle_t *h)
{
    free(h);
}

/* Counts how it went; afterwards the request is like any other. The visit, for the answer. */
static struct visit *end(struct job *j, enum metrics_result result)
{
    struct visit *v = j->visit;

    metrics_profile(&v->state->metrics, session_runtime_kind(j->kind), result);
    readings_forget(v->state->readings, j->reading);
    if (j->timer) {
        (void)uv_timer_stop(j->timer);
        uv_close((uv_handle_t *)j->timer, free_handle);
    }
    if (j->how == JOB_SECONDS)
        v->state->delta_jobs--;
    buf_release(&j->first);
    j->magic = 0;
    free(j);
    v->job = NULL;
    v->left = NULL;
    return v;
}

static void client_left(struct visit *v)
{
    struct job *j = v->job;

    MAGIC_CHECK(j, JOB_MAGIC);
    (void)end(j, METRICS_CANCELED);
}

static void fail(struct job *j, const char *why)
{
    visit_retry(end(j, METRICS_FAILED), 503, RUNTIME_RETRY_MS, why);
}

/* What cannot be read from outside, the target's own endpoint may serve; not what has come since
 * the last call of one identity, which it knows nothing of. */
static bool may_go_through(const struct job *j)
{
    return j->how != JOB_SINCE && through_there(j->visit->state);
}

static void go_through(struct visit *v, uint32_t kind, const struct params_runtime *params)
{
    unsigned debug = params->text ? 1 : 0;

    through_begin(v, &(struct through_plan){
                         .name = session_kind_name(session_runtime_kind(kind)),
                         .kind = session_runtime_kind(kind),
                         .ms = (uint64_t)params->seconds * 1000,
                         .debug = params->form == WIRE_RUNTIME_STACKS ? 2 : debug,
                         .gc = params->gc,
                     });
}

static bool lacks_right(int result)
{
    return result == -EPERM || result == -EACCES || result == -ENOTSUP || result == -ENOSYS;
}

/* The sampler's refusals as statuses; its text says why and what to do. */
static void refused(struct job *j, const struct wire_runtime_read *read)
{
    const struct state *st = j->visit->state;
    const char *text = read->text[0] ? read->text : uv_strerror(read->result);
    struct params_runtime params = j->params;
    uint32_t kind = j->kind;
    char why[STATE_WHY_BYTES], words[STATE_WHY_BYTES];

    if (lacks_right(read->result) && may_go_through(j)) {
        go_through(end(j, METRICS_FAILED), kind, &params);
        return;
    }
    switch (-read->result) {
    case ESRCH:
    case ESTALE:
        (void)snprintf(why, sizeof(why), "no target yet: %s", text);
        visit_retry(end(j, METRICS_FAILED), 503, TARGET_RETRY_MS, why);
        return;
    case ENOTSUP:
    case ENOSYS:
        (void)snprintf(why, sizeof(why), "%s", text);
        visit_refuse(end(j, METRICS_FAILED), 501, why);
        return;
    case EPERM:
    case EACCES:
        if (rights_can(&st->facts, RIGHTS_RUNTIME))
            (void)snprintf(why, sizeof(why), "%s", text);
        else
            (void)snprintf(why, sizeof(why), "%s",
                           state_missing(st, RIGHTS_RUNTIME, words, sizeof(words)));
        visit_refuse(end(j, METRICS_FAILED), 501, why);
        return;
    default:
        (void)snprintf(why, sizeof(why), "the profile could not be read: %s", text);
        fail(j, why);
    }
}

/* --- bodies --- */

static void serve_bytes(struct job *j, const struct wire_runtime_read *read,
                        struct server_bytes *bytes)
{
    const char *type = content_type(j);
    bool cut = j->cut;
    struct visit *v;

    shape_headers(j);
    count_headers(j, read);
    if (cut)
        server_header(j->visit->request, "Pillion-Ended", "shutdown");
    v = end(j, cut ? METRICS_PARTIAL : METRICS_OK);
    visit_answer_bytes(v, 200, type, bytes);
}

static void serve(struct job *j, const struct wire_runtime_read *read, struct buf *body)
{
    serve_bytes(j, read, server_bytes_take(body));
}

static int pack(const void *data, size_t bytes, struct buf *out)
{
    int r;

    buf_init(out, BODY_MAX_BYTES);
    r = gzip_pack(data, bytes, out);
    if (r == 0 && out->failed)
        r = -ENOMEM;
    if (r)
        buf_release(out);
    return r;
}

/* A text is served from where the sampler has put it: it may be large, and is not ours to copy. */
static void serve_text(struct job *j, const struct wire_runtime_read *read, struct bulk *bulk)
{
    struct server_bytes *bytes =
        j->params.form == WIRE_RUNTIME_STACKS ? server_bytes_rope(bulk) : server_bytes_map(bulk);

    if (bytes)
        serve_bytes(j, read, bytes);
    else
        fail(j, "the profile cannot be taken over from the sampler");
}

/* No Content-Encoding: the gzip is the file format, and a client that undid it would break it. */
static void serve_plain(struct job *j, const struct wire_runtime_read *read, struct bulk *bulk)
{
    struct buf body;

    if (j->params.text)
        serve_text(j, read, bulk);
    else if (pack(bulk->data, bulk->bytes, &body))
        fail(j, "the profile could not be compressed: out of memory");
    else
        serve(j, read, &body);
}

/* What has changed since ${packed}, compressed. */
static int difference(const struct buf *packed, const struct bulk *now, enum delta_rule rule,
                      struct buf *body, int64_t *ret_between_ns, struct err *e)
{
    struct buf before, raw;
    struct bulk first;
    int r;

    buf_init(&before, DELTA_RAW_MAX_BYTES);
    buf_init(&raw, WIRE_PROFILE_MAX_BYTES);
    r = gzip_unpack(packed->data, packed->len, &before, e);
    first = (struct bulk){before.data, before.len};
    if (r == 0)
        r = delta_encoded(&first, now, rule, &raw, ret_between_ns, e);
    buf_release(&before);
    if (r == 0 && pack(raw.data, raw.len, body))
        r = err_set(e, -ENOMEM, "out of memory");
    buf_release(&raw);
    return r;
}

static void seconds_header(const struct job *j, int64_t between_ns)
{
    server_headerf(j->visit->request, "Pillion-Seconds", "%.3f",
                   (double)between_ns / (double)CLOCK_NS_PER_SEC);
}

/* --- seconds=N --- */

static void ask(struct job *j);

/*
 * Looked at again and again rather than once at the end: when we shut down, who waits gets the
 * difference up to now instead of a closed connection.
 */
static void on_timer(uv_timer_t *t)
{
    struct job *j = t->data;

    MAGIC_CHECK(j, JOB_MAGIC);
    j->cut = j->visit->state->draining && clock_mono_ns() < j->ends_ns;
    if (!j->cut && clock_mono_ns() < j->ends_ns)
        return;
    (void)uv_timer_stop(t);
    ask(j);
}

/* Packed: what waits for up to a minute is a few hundred KiB then, not tens of MiB. */
static void keep_first(struct job *j, const struct wire_runtime_read *read, const struct bulk *bulk)
{
    uint64_t step_ms = RUNTIME_LOOK_MS;
    int r = pack(bulk->data, bulk->bytes, &j->first);

    j->program = read->program;
    if (r == 0 && j->first.len > DELTA_ONE_MAX_BYTES)
        r = -EFBIG;
    j->timer = r ? NULL : calloc(1, sizeof(*j->timer));
    if (!j->timer) {
        fail(j, r == -EFBIG ? "the profile is too large for a difference: ask without seconds"
                            : "out of memory");
        return;
    }
    (void)uv_timer_init(j->visit->state->loop, j->timer); /* always 0 */
    j->timer->data = j;
    j->ends_ns = clock_mono_ns() + j->params.seconds * CLOCK_NS_PER_SEC;
    (void)uv_timer_start(j->timer, on_timer, step_ms, step_ms);
}

/* Another process may have the same addresses for other things: there is no difference then. */
static void serve_seconds(struct job *j, const struct wire_runtime_read *read,
                          const struct bulk *bulk)
{
    struct buf body;
    int64_t between_ns = 0;
    struct err e = {0};

    if (j->program != read->program) {
        fail(j, "the target was replaced between the two readings");
        return;
    }
    if (difference(&j->first, bulk, DELTA_GO, &body, &between_ns, &e)) {
        fail(j, e.text);
        return;
    }
    seconds_header(j, between_ns);
    serve(j, read, &body);
}

/* --- since the last call --- */

/* Remembered only when it is served: what a client did not get is in its next difference. */
static void serve_since(struct job *j, const struct wire_runtime_read *read,
                        const struct bulk *bulk)
{
    struct state *st = j->visit->state;
    const char *identity = j->visit->who.name;
    const struct buf *last = delta_store_get(&st->deltas, identity, j->kind, read->program);
    struct buf body = {0}, now;
    int64_t between_ns = 0;
    struct err e = {0};

    if (pack(bulk->data, bulk->bytes, &now)) {
        fail(j, "the profile could not be compressed: out of memory");
        return;
    }
    if (last && difference(last, bulk, DELTA_GROWTH, &body, &between_ns, &e)) {
        buf_release(&now);
        fail(j, e.text);
        return;
    }
    if (!last) {
        buf_init(&body, BODY_MAX_BYTES);
        buf_put(&body, now.data, now.len);
    }
    server_header(j->visit->request, "Pillion-Delta", last ? "difference" : "whole");
    if (last)
        seconds_header(j, between_ns);
    if (delta_store_put(&st->deltas, identity, j->kind, read->program, &now)) {
        buf_release(&body);
        fail(j, "the profile is too large to be remembered for a difference: use seconds=");
        return;
    }
    serve(j, read, &body);
}

/* --- readings --- */

static void answered(struct job *j, const struct ask_sampler_answer *answer)
{
    const struct wire_runtime_read *read = &answer->body.runtime;
    struct bulk bulk = {0};

    if (read->result) {
        refused(j, read);
        return;
    }
    if (bulk_map(answer->fd, WIRE_PROFILE_MAX_BYTES, &bulk)) {
        fail(j, "the profile cannot be taken over from the sampler");
        return;
    }
    if (j->how == JOB_SINCE)
        serve_since(j, read, &bulk);
    else if (j->how == JOB_PLAIN)
        serve_plain(j, read, &bulk);
    else if (j->first.len)
        serve_seconds(j, read, &bulk);
    else
        keep_first(j, read, &bulk);
    bulk_release(&bulk);
}

/* The one callback of each reading; after client_left() it is never called. */
static void came(void *data, const struct peers_answer *a)
{
    struct job *j = data;

    MAGIC_CHECK(j, JOB_MAGIC);
    j->reading = 0;
    if (a->fate == PEERS_ANSWERED)
        answered(j, a->answer);
    else
        visit_retry(end(j, a->fate == PEERS_DIED ? METRICS_CRASHED : METRICS_FAILED), 503,
                    RUNTIME_RETRY_MS, a->why);
}

static void ask(struct job *j)
{
    const struct wire_runtime want = {
        .kind = j->kind,
        .form = j->params.form,
        .flags = j->params.detail ? WIRE_RUNTIME_DETAIL : 0,
    };
    int r = readings_ask(j->visit->state->readings, &want, came, j, &j->reading);

    if (r)
        visit_unasked(end(j, METRICS_FAILED), r);
}

/* --- requests --- */

/* In Go's order: the parameters, then the profile. HEAD is told the headers and reads nothing. */
static void begin(struct visit *v, const struct job *plan)
{
    struct state *st = v->state;
    char why[STATE_WHY_BYTES];
    unsigned status;
    struct job *j;

    if (v->request->method == SERVER_HEAD) {
        shape_headers(plan);
        server_answer(v->request, 200, content_type(plan), NULL);
        return;
    }
    status = state_refuses_runtime(st, plan->kind, why);
    if (status == 501 && may_go_through(plan)) {
        go_through(v, plan->kind, &plan->params);
        return;
    }
    if (status) {
        visit_refuse(v, status, why);
        return;
    }
    if (plan->how == JOB_SECONDS && st->delta_jobs >= RUNTIME_JOBS_MAX) {
        st->metrics.rate_limited++;
        visit_retry(v, 429, RUNTIME_RETRY_MS, "too many requests with seconds are open");
        return;
    }
    j = malloc(sizeof(*j));
    if (!j) {
        visit_retry(v, 503, RUNTIME_RETRY_MS, "out of memory");
        return;
    }
    *j = *plan;
    if (j->how == JOB_SECONDS)
        st->delta_jobs++;
    v->granted_seconds = j->params.seconds;
    v->job = j;
    v->left = client_left;
    ask(j);
}

/* A job on the caller's stack, for HEAD and for the checks before anything is begun. */
static struct job plan_of(struct visit *v, enum job_how how)
{
    int kind = runtime_kind(v->route->name); /* the route table has no other rows here */

    return (struct job){
        .magic = JOB_MAGIC,
        .visit = v,
        .how = how,
        .kind = kind < 0 ? 0 : (uint32_t)kind,
    };
}

void runtime_handle(struct visit *v)
{
    struct job plan = plan_of(v, JOB_PLAIN);
    struct err e;

    if (params_runtime(v->request->query, v->state->config, plan.kind, &plan.params, &e)) {
        visit_refuse(v, 400, e.text);
        return;
    }
    v->asked_seconds = plan.params.asked_seconds;
    if (plan.params.seconds)
        plan.how = JOB_SECONDS;
    begin(v, &plan);
}

/* Of the parameters only gc is looked at, as in godeltaprof: there is one form. */
void runtime_delta_handle(struct visit *v)
{
    struct job plan = plan_of(v, JOB_SINCE);

    plan.params.form = WIRE_RUNTIME_PPROF;
    plan.params.gc = plan.kind == WIRE_RUNTIME_HEAP && params_gc(v->request->query);
    begin(v, &plan);
}
