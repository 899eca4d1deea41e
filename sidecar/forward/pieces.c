#include "sidecar/forward/pieces.h"

#include <errno.h>

#include "profile/frame.h"
#include "profile/gzip.h"
#include "profile/reshape.h"

enum {
    PIECES_TIME_TAG = 9 << 3, /* Profile.time_nanos and .duration_nanos as varints */
    PIECES_DURATION_TAG = 10 << 3,
    PIECES_TIMES_BYTES = 32,
    PIECES_PACKED_MAX_BYTES = ITEM_RAW_MAX_BYTES + ITEM_RAW_MAX_BYTES / 512, /* zlib's worst */
};

static int pack_and_emit(const void *raw, size_t bytes, pieces_emit emit, void *ctx, struct err *e)
{
    struct buf packed;
    int rc;

    buf_init(&packed, PIECES_PACKED_MAX_BYTES);
    rc = gzip_pack(raw, bytes, &packed);
    if (rc == 0)
        rc = emit(ctx, packed.data, packed.len, e);
    else
        (void)err_set(e, rc, "the profile cannot be packed: %s", strerror(-rc));
    buf_release(&packed);
    return rc;
}

/*
 * The last one of a field that is there twice counts (protobuf encoding guide, "Last One Wins"), so
 * other times are appended to the encoded profile.
 */
int pieces_as_it_is(const struct backend_input *in, const struct glance *g,
                    const struct pieces_time *time, pieces_emit emit, void *ctx, struct err *e)
{
    struct buf raw;
    int rc;

    if (in->gzip_bytes > 0 && g->time_ns == time->time_ns && g->duration_ns == time->duration_ns)
        return emit(ctx, in->gzip, in->gzip_bytes, e);
    buf_init(&raw, in->bytes + PIECES_TIMES_BYTES);
    buf_put(&raw, in->raw, in->bytes);
    frame_varint(&raw, PIECES_TIME_TAG);
    frame_varint(&raw, (uint64_t)time->time_ns);
    frame_varint(&raw, PIECES_DURATION_TAG);
    frame_varint(&raw, (uint64_t)time->duration_ns);
    if (raw.failed)
        rc = err_set(e, -ENOMEM, "no memory for the profile");
    else
        rc = pack_and_emit(raw.data, raw.len, emit, ctx, e);
    buf_release(&raw);
    return rc;
}

struct splitting {
    size_t max_bytes;
    pieces_emit emit;
    void *ctx;
    struct err *e;
};

/* -EFBIG: it is larger than it may be. */
static int emit_one(void *ctx, struct profile *p)
{
    const struct splitting *s = ctx;
    struct buf raw;
    int rc;

    buf_init(&raw, s->max_bytes);
    rc = profile_encode(p, &raw);
    if (rc == 0)
        rc = pack_and_emit(raw.data, raw.len, s->emit, s->ctx, s->e);
    else
        rc = -EFBIG;
    buf_release(&raw);
    return rc;
}

/* Usually it fits: then it is encoded once, and not copied. */
int pieces_of(struct profile *p, size_t max_samples, size_t max_bytes, pieces_emit emit, void *ctx,
              struct err *e)
{
    struct splitting s = {max_bytes, emit, ctx, e};
    int rc = -EFBIG;

    err_clear(e);
    if (profile_samples(p) <= max_samples)
        rc = emit_one(&s, p);
    if (rc == -EFBIG && (!e || e->code == 0))
        rc = reshape_split(p, max_samples, max_bytes, emit_one, &s, e);
    return rc;
}
