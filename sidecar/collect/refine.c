#include "sidecar/collect/refine.h"

#include <errno.h>

#include "base/clock.h"
#include "base/magic.h"
#include "profile/gzip.h"
#include "sidecar/delta.h"
#include "sidecar/item.h"

enum {
    REFINE_MAGIC = 0x52464e45,
    REFINE_DURATION_MAX_SECONDS = 7 * 24 * 3600, /* longer ones are told by nobody in earnest */
};

struct refine {
    unsigned magic;
    uv_work_t work;
    struct refine_policy *policy;
    bool growth, renewed;
    int64_t now_ns;
    uint64_t since_base_ns;
    struct buf input, base; /* what came */
    struct buf raw, next;   /* what goes */
    refine_came then;       /* NULL: nobody waits */
    void *data;
    int result;
    int64_t time_ns, duration_ns;
    uint64_t samples;
    struct policy_report report;
    struct err e;
};

struct refine_policy *refine_policy_new(struct policy *policy)
{
    struct refine_policy *p = calloc(1, sizeof(*p));

    if (p) {
        p->policy = policy;
        p->refs = 1;
    }
    return p;
}

void refine_policy_put(struct refine_policy *p)
{
    if (!p || --p->refs > 0)
        return;
    policy_free(p->policy);
    free(p);
}

/* Plain pprof in r->input, packed or not when it came. */
static int unpack(struct refine *r)
{
    struct buf plain;
    int rc;

    if (!gzip_is(r->input.data, r->input.len))
        return 0;
    buf_init(&plain, ITEM_RAW_MAX_BYTES);
    rc = gzip_unpack(r->input.data, r->input.len, &plain, &r->e);
    if (rc) {
        buf_release(&plain);
        return rc;
    }
    buf_release(&r->input);
    r->input = plain;
    return 0;
}

static int check(const struct buf *data, struct err *e)
{
    struct profile *p = NULL;
    int rc = profile_decode(data->data, data->len, &p, e);

    if (rc == 0)
        rc = profile_validate(p, e);
    profile_free(p);
    return rc;
}

static int since_base(struct refine *r)
{
    struct bulk first, second = {r->input.data, r->input.len};
    struct buf before;
    int64_t between_ns;
    int rc;

    buf_init(&before, ITEM_RAW_MAX_BYTES);
    rc = gzip_unpack(r->base.data, r->base.len, &before, &r->e);
    first = (struct bulk){before.data, before.len};
    if (rc == 0)
        rc = delta_encoded(&first, &second, DELTA_GROWTH, &r->raw, &between_ns, &r->e);
    buf_release(&before);
    return rc;
}

/* r->raw: what has grown since r->base. This reading, packed, is the next one's base; one that is
 * no profile never becomes that, one that has other sample types than the base does. */
static int grow(struct refine *r)
{
    struct err e = {0};
    int rc = r->base.len ? since_base(r) : 0;
    int bad = rc || r->base.len == 0 ? check(&r->input, &e) : 0;

    if (bad) {
        r->e = e;
        return bad;
    }
    if (gzip_pack(r->input.data, r->input.len, &r->next) != 0)
        return err_set(&r->e, -ENOMEM, "it cannot be kept for the next one");
    r->renewed = true;
    if (r->base.len == 0)
        return err_set(&r->e, -ENODATA, "the first one is the base of the next");
    return rc;
}

static bool is_off(int64_t end_ns, int64_t now_ns)
{
    const int64_t most_ns = REFINE_OFF_MAX_SECONDS * (int64_t)CLOCK_NS_PER_SEC;

    return end_ns < now_ns - most_ns || end_ns > now_ns + most_ns;
}

/*
 * Where the window began. What covers a time ends now, also when the clock was stepped meanwhile: a
 * file stamped days ago would be too old at the next start.
 */
static void stamp(struct refine *r, struct profile *p)
{
    int64_t duration = profile_duration_ns(p), end;

    if (r->growth)
        duration = (int64_t)r->since_base_ns;
    if (duration < 0 || duration > REFINE_DURATION_MAX_SECONDS * (int64_t)CLOCK_NS_PER_SEC)
        duration = 0;
    if (r->growth || __builtin_add_overflow(profile_time_ns(p), duration, &end) ||
        is_off(end, r->now_ns))
        end = r->now_ns;
    r->time_ns = end - duration;
    r->duration_ns = duration;
    r->samples = profile_samples(p);
    /* as Go stamps them: a difference with its end (net/http/pprof, serveDeltaProfile) */
    profile_set_time(p, r->growth ? end : r->time_ns, r->duration_ns);
}

static int refined(struct refine *r)
{
    struct profile *raw = NULL, *clean = NULL;
    struct buf *from = &r->input;
    int rc = unpack(r);

    if (rc == 0 && r->growth) {
        rc = grow(r);
        from = &r->raw;
    }
    if (rc == 0)
        rc = profile_decode(from->data, from->len, &raw, &r->e);
    if (rc == 0)
        rc = profile_validate(raw, &r->e);
    if (rc == 0)
        rc = policy_apply(r->policy->policy, raw, &clean, &r->report, &r->e);
    if (rc == 0) {
        stamp(r, clean);
        buf_clear(&r->raw);
        rc = profile_encode(clean, &r->raw);
    }
    profile_free(raw);
    profile_free(clean);
    buf_release(&r->input);
    return rc;
}

static void work(uv_work_t *w)
{
    struct refine *r = w->data;

    r->result = refined(r);
}

static void release(struct refine *r)
{
    refine_policy_put(r->policy);
    buf_release(&r->input);
    buf_release(&r->base);
    buf_release(&r->raw);
    buf_release(&r->next);
    r->magic = 0;
    free(r);
}

static void worked(uv_work_t *w, int status)
{
    struct refine *r = w->data;
    struct refine_done done;

    MAGIC_CHECK(r, REFINE_MAGIC);
    done = (struct refine_done){
        .result = status ? status : r->result,
        .raw = &r->raw,
        .base = r->renewed ? &r->next : &r->base,
        .renewed = r->renewed,
        .time_ns = r->time_ns,
        .duration_ns = r->duration_ns,
        .samples = r->samples,
        .report = r->report,
    };
    /* not uv_strerror(3): it allocates for what it does not know, 0 among it */
    done.why = r->e.text[0] ? r->e.text : strerror(-done.result);
    if (r->then)
        r->then(r->data, &done);
    release(r);
}

int refine_start(uv_loop_t *loop, const struct refine_want *want, refine_came then, void *data,
                 struct refine **ret)
{
    struct refine *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return -ENOMEM;
    r->magic = REFINE_MAGIC;
    r->policy = want->policy;
    r->growth = want->growth;
    r->now_ns = want->now_ns;
    r->since_base_ns = want->since_base_ns;
    r->then = then;
    r->data = data;
    r->work.data = r;
    buf_init(&r->raw, ITEM_RAW_MAX_BYTES);
    buf_init(&r->next, REFINE_BASE_MAX_BYTES);
    r->input = *want->input;
    r->base = *want->base;
    rc = uv_queue_work(loop, &r->work, work, worked);
    if (rc) {
        free(r);
        return rc;
    }
    r->policy->refs++;
    buf_init(want->input, want->input->max_bytes);
    buf_init(want->base, want->base->max_bytes);
    *ret = r;
    return 0;
}

void refine_forget(struct refine *r)
{
    if (!r)
        return;
    MAGIC_CHECK(r, REFINE_MAGIC);
    r->then = NULL;
}
