#include "sidecar/forward/lane_job.h"

#include <errno.h>

#include "base/magic.h"
#include "profile/gzip.h"
#include "profile/reshape.h"

enum {
    LANE_JOB_MAGIC = 0x4c4a4f42,
};

struct lane_job {
    unsigned magic;
    uv_work_t work;
    const struct backend_plan *plan;
    struct backend_plan *orphan; /* the plan, when nobody else frees it */
    const struct backend_ops *ops;
    struct hot_item *item;
    unsigned split;
    lane_job_done done; /* NULL: abandoned */
    void *data;
    struct backend_shaped *shaped;
    int result;
    struct err e;
};

/* A part of a profile that was too large whole, shaped like a profile of its own. */
static int shape_part(void *ctx, struct profile *part)
{
    struct lane_job *j = ctx;
    struct backend_shaped *one = calloc(1, sizeof(*one));
    struct backend_input in;
    struct buf raw, gzip;
    int r = -ENOMEM;

    buf_init(&raw, ITEM_RAW_MAX_BYTES);
    buf_init(&gzip, ITEM_RAW_MAX_BYTES);
    if (!one)
        goto out;
    r = profile_encode(part, &raw);
    if (r == 0)
        r = gzip_pack(raw.data, raw.len, &gzip);
    if (r)
        goto out;
    hot_input(j->item, &in);
    in.raw = raw.data;
    in.bytes = raw.len;
    in.gzip = gzip.data;
    in.gzip_bytes = gzip.len;
    r = j->ops->shape(j->plan, &in, one, &j->e);
    for (size_t i = 0; r == 0 && i < one->count; i++) {
        if (j->shaped->count == BACKEND_PARTS_MAX) {
            r = err_set(&j->e, -EFBIG, "it would take more than %d requests", BACKEND_PARTS_MAX);
            break;
        }
        /* header values point into the part they are copied from: point them to the copy */
        struct backend_part *to = &j->shaped->parts[j->shaped->count++];
        struct backend_part *from = &one->parts[i];

        *to = *from;
        buf_init(&from->body, from->body.max_bytes);
        for (size_t k = 0; k < to->headers_count; k++) {
            const char *value = from->headers[k].value;

            if (value >= from->texts && value < from->texts + sizeof(from->texts))
                to->headers[k].value = to->texts + (value - from->texts);
        }
    }
out:
    backend_shaped_release(one);
    free(one);
    buf_release(&raw);
    buf_release(&gzip);
    return r;
}

static int shape_split(struct lane_job *j, const struct backend_input *in)
{
    struct profile *whole = NULL;
    size_t each;
    int r = profile_decode(in->raw, in->bytes, &whole, &j->e);

    if (r)
        return r;
    each = (profile_samples(whole) + j->split - 1) / j->split;
    if (each < 1 || profile_samples(whole) <= 1)
        r = err_set(&j->e, -EFBIG, "too large for the backend, and a single sample");
    else
        r = reshape_split(whole, each, ITEM_RAW_MAX_BYTES, shape_part, j, &j->e);
    profile_free(whole);
    return r;
}

static void work(uv_work_t *w)
{
    struct lane_job *j = w->data;
    struct backend_input in;

    hot_input(j->item, &in);
    if (j->ops->deliver)
        j->result = j->ops->deliver(j->plan, &in, &j->e);
    else if (j->split > 1)
        j->result = shape_split(j, &in);
    else
        j->result = j->ops->shape(j->plan, &in, j->shaped, &j->e);
}

static void worked(uv_work_t *w, int status)
{
    struct lane_job *j = w->data;

    MAGIC_CHECK(j, LANE_JOB_MAGIC);
    if (status)
        j->result = status;
    hot_put(j->item);
    if (j->done)
        j->done(j->data, j);
    free(j->orphan);
    if (j->shaped)
        backend_shaped_release(j->shaped);
    free(j->shaped);
    j->magic = 0;
    free(j);
}

int lane_job_start(uv_loop_t *loop, const struct backend_plan *plan, const struct backend_ops *ops,
                   struct hot_item *item, unsigned split, lane_job_done done, void *data,
                   struct lane_job **ret)
{
    struct lane_job *j = calloc(1, sizeof(*j));
    int r = -ENOMEM;

    if (!j)
        return -ENOMEM;
    j->magic = LANE_JOB_MAGIC;
    j->plan = plan;
    j->ops = ops;
    j->item = item;
    j->split = split;
    j->done = done;
    j->data = data;
    j->work.data = j;
    j->shaped = calloc(1, sizeof(*j->shaped));
    if (j->shaped)
        r = uv_queue_work(loop, &j->work, work, worked);
    if (r) {
        free(j->shaped);
        free(j);
        return r;
    }
    *ret = j;
    return 0;
}

int lane_job_result(struct lane_job *j, struct backend_shaped **ret, struct err *e)
{
    *e = j->e;
    if (j->result)
        return j->result;
    if (!j->ops->deliver) {
        *ret = j->shaped;
        j->shaped = NULL;
    }
    return 0;
}

void lane_job_abandon(struct lane_job *j, struct backend_plan *plan)
{
    MAGIC_CHECK(j, LANE_JOB_MAGIC);
    j->done = NULL;
    j->orphan = plan;
}
