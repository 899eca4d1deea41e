#include "sidecar/forward/pieces.h"

#include <errno.h>

#include "profile/field.h"
#include "profile/frame.h"
#include "profile/gzip.h"
#include "profile/reshape.h"

enum {
    PIECES_TIME = 9, /* Profile.time_nanos and .duration_nanos, varints */
    PIECES_DURATION = 10,
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
 * The encoded profile with other times. The old ones are left out, not overruled by a second pair:
 * google/pprof takes a profile with two times for two profiles ("concatenated profiles detected",
 * profile/encode.go), though protobuf's rule is that the last one counts.
 */
static int put_with_times(const struct backend_input *in, const struct pieces_time *time,
                          struct buf *out)
{
    const unsigned char *raw = in->raw;
    struct field_cursor at = {raw, raw + in->bytes};
    struct field f;

    while (at.at < at.end) {
        const unsigned char *start = at.at;

        if (field_next(&at, &f) != 0)
            return -EBADMSG;
        if (f.number != PIECES_TIME && f.number != PIECES_DURATION)
            buf_put(out, start, (size_t)(at.at - start));
    }
    frame_varint(out, PIECES_TIME << 3);
    frame_varint(out, (uint64_t)time->time_ns);
    frame_varint(out, PIECES_DURATION << 3);
    frame_varint(out, (uint64_t)time->duration_ns);
    return out->failed ? -ENOMEM : 0;
}

int pieces_as_it_is(const struct backend_input *in, const struct glance *g,
                    const struct pieces_time *time, pieces_emit emit, void *ctx, struct err *e)
{
    struct buf raw;
    int rc;

    if (in->gzip_bytes > 0 && g->time_ns == time->time_ns && g->duration_ns == time->duration_ns)
        return emit(ctx, in->gzip, in->gzip_bytes, e);
    buf_init(&raw, in->bytes + PIECES_TIMES_BYTES);
    rc = put_with_times(in, time, &raw);
    if (rc != 0)
        (void)err_set(e, rc, "the profile's times cannot be set: %s", strerror(-rc));
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
