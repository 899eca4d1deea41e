#include "sampler/runtime_serve.h"

#include <errno.h>
#include <malloc.h>
#include <unistd.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "sampler/bucket_profile.h"
#include "sampler/go/stats.h"
#include "sampler/goroutine_profile.h"
#include "sampler/goroutine_stacks.h"
#include "sampler/rates.h"
#include "sampler/watch.h"
#include "wire/codec.h"

struct reading {
    struct sampler *sampler;
    uint32_t id;
    uint64_t drain_at_ns;
    bool cancelled;
};

/* Between two batches: the client may have gone, and samples must not pile up. */
static bool is_cancelled(void *ctx)
{
    struct reading *r = ctx;
    struct sampler *s = r->sampler;

    if (!r->cancelled && sampler_hear(s, r->id))
        r->cancelled = true;
    if (clock_mono_ns() >= r->drain_at_ns) {
        for (size_t i = 0; i < WIRE_PERF_SLOTS; i++) {
            if (s->recordings[i] && !s->recordings[i]->over)
                (void)recording_run(s->recordings[i]); /* a broken one shows at its own turn */
        }
        r->drain_at_ns = clock_mono_ns() + RUNTIME_DRAIN_MS * CLOCK_NS_PER_MS;
    }
    return r->cancelled;
}

static unsigned flags_of(uint32_t flags)
{
    return (flags & WIRE_RUNTIME_DETAIL ? GOROUTINE_PROFILE_DETAIL : 0u) |
           (flags & WIRE_RUNTIME_GROUPS ? GOROUTINE_PROFILE_GROUPS : 0u);
}

/* One of them is used: the rope for WIRE_RUNTIME_STACKS. */
struct output {
    struct buf buf;
    struct rope rope;
};

static int goroutines(struct sampler *s, const struct wire_runtime *want, struct go_budget *budget,
                      struct output *out, struct wire_runtime_read *ret, struct err *e)
{
    static const enum goroutine_form forms[WIRE_RUNTIME_FORMS] = {
        [WIRE_RUNTIME_PPROF] = GOROUTINE_PPROF,
        [WIRE_RUNTIME_TEXT] = GOROUTINE_DEBUG1,
        [WIRE_RUNTIME_JSON] = GOROUTINE_JSON,
        [WIRE_RUNTIME_GROUPED] = GOROUTINE_GROUPED,
    };
    const struct go_watch watch = watch_of(s);
    struct goroutines_counts c = {0};
    int r;

    s->scene.runtime.watch = &watch;
    r = want->form == WIRE_RUNTIME_STACKS
            ? goroutine_stacks_build(&s->scene.runtime, false, budget, &out->rope, &c, e)
            : goroutine_profile_build(&s->scene.runtime, s->scene.space, forms[want->form],
                                      flags_of(want->flags), budget, &out->buf, &c, e);

    s->scene.runtime.watch = NULL;
    ret->count = c.user;
    ret->running = c.running;
    ret->sampled = c.sampled;
    ret->torn = c.torn;
    ret->unreadable = c.unreadable;
    ret->truncated = c.truncated;
    return r;
}

static int buckets(struct sampler *s, const struct wire_runtime *want, struct go_budget *budget,
                   struct output *out, struct wire_runtime_read *ret, struct err *e)
{
    static const enum bucket_profile_kind kinds[WIRE_RUNTIME_KINDS] = {
        [WIRE_RUNTIME_HEAP] = BUCKET_PROFILE_HEAP,
        [WIRE_RUNTIME_ALLOCS] = BUCKET_PROFILE_ALLOCS,
        [WIRE_RUNTIME_BLOCK] = BUCKET_PROFILE_BLOCK,
        [WIRE_RUNTIME_MUTEX] = BUCKET_PROFILE_MUTEX,
        [WIRE_RUNTIME_THREADCREATE] = BUCKET_PROFILE_THREADCREATE,
    };
    char comment[ERR_TEXT_BYTES];
    struct bucket_profile_want w = {
        .kind = kinds[want->kind],
        .text = want->form != WIRE_RUNTIME_PPROF,
        .heap_rate = rates_heap(s),
        .comment = comment,
    };
    int r;

    rates_comment(s, want->kind, comment, sizeof(comment));
    r = bucket_profile_build(&s->scene.runtime, s->scene.space, &w, budget, &out->buf, &ret->count,
                             e);
    if (r == -ENOTSUP)
        rates_advise(s, want->kind, e);
    return r;
}

/* The sealed descriptor, or -errno. */
static int seal(const struct wire_runtime *want, const struct output *out, struct err *e)
{
    int fd;

    if (out->buf.failed || out->rope.failed)
        return err_set(e, -E2BIG, "the profile is larger than %d MiB",
                       WIRE_PROFILE_MAX_BYTES >> 20);
    fd = want->form == WIRE_RUNTIME_STACKS ? rope_seal(&out->rope)
                                           : bulk_make(out->buf.data, out->buf.len);
    return fd < 0 ? err_set(e, fd, "no memory for the profile") : fd;
}

/* Everything that can be said before the runtime is looked at. */
static int ready(struct sampler *s, struct err *e)
{
    const struct wire_target *t = &s->guard.target;
    int r;

    if (t->state == WIRE_TARGET_UP && !(t->rights & WIRE_RIGHT_MEMORY))
        return err_set(e, t->memory_errno ? t->memory_errno : -EPERM, "%s", t->reason);
    r = scene_ready(s, e);
    return r ? r : scene_runtime(s, e);
}

int runtime_serve_profile(struct sampler *s)
{
    const struct wire_runtime want = s->question.runtime;
    struct reading reading = {.sampler = s, .id = s->question.id};
    struct go_budget budget = {
        .deadline_ns = clock_mono_ns() + RUNTIME_READ_MAX_MS * CLOCK_NS_PER_MS,
        .bytes_left = RUNTIME_READ_MAX_BYTES,
        .cancelled = is_cancelled,
        .ctx = &reading,
    };
    struct wire_runtime_read read = {.mode = s->guard.target.mode, .time_ns = clock_real_ns()};
    uint64_t began = clock_mono_ns();
    struct err e = {0};
    struct output out;
    int fd = -1;
    int r;

    buf_init(&out.buf, WIRE_PROFILE_MAX_BYTES);
    rope_init(&out.rope, ROPE_MAX_BYTES);
    read.result = ready(s, &e);
    if (read.result == 0)
        read.result = want.kind == WIRE_RUNTIME_GOROUTINE
                          ? goroutines(s, &want, &budget, &out, &read, &e)
                          : buckets(s, &want, &budget, &out, &read, &e);
    if (read.result == 0)
        read.result = scene_still(&s->scene, &e);
    if (read.result == 0) {
        read.program = scene_program(&s->scene);
        fd = seal(&want, &out, &e);
        read.result = fd < 0 ? fd : 0;
    }
    buf_release(&out.buf);
    rope_release(&out.rope);
    read.duration_ns = clock_mono_ns() - began;
    (void)snprintf(read.text, sizeof(read.text), "%.*s", (int)sizeof(read.text) - 1, e.text);
    r = answer_sampler_runtime(&s->front, reading.id, &read, fd);
    if (fd >= 0)
        (void)close(fd);
    scene_trim(s);
    (void)malloc_trim(0);
    return r;
}

int runtime_serve_stats(struct sampler *s)
{
    struct wire_stats stats = {.count = GO_STATS_COUNT};
    struct go_stats read = {0};
    struct err e = {0};

    _Static_assert((int)GO_STATS_COUNT <= (int)WIRE_STATS_MAX, "the wire has room for all");
    stats.result = ready(s, &e);
    if (stats.result == 0)
        stats.result = go_stats_read(&s->scene.runtime, &read, &e);
    if (stats.result == 0) {
        stats.has = read.has;
#define X(field, name, kind, help) stats.value[GO_STATS_##field] = read.field;
        GO_STATS(X)
#undef X
    }
    (void)snprintf(stats.text, sizeof(stats.text), "%.*s", (int)sizeof(stats.text) - 1, e.text);
    return answer_sampler_stats(&s->front, s->question.id, &stats);
}
