#include "wire/rope.h"

#include <errno.h>

void rope_init(struct rope *r, uint64_t max_bytes)
{
    *r = (struct rope){.max_bytes = max_bytes < ROPE_MAX_BYTES ? max_bytes : ROPE_MAX_BYTES};
    buf_init(&r->literals, ROPE_LITERALS_MAX_BYTES);
    buf_init(&r->pieces, ROPE_PIECES_MAX * sizeof(struct rope_piece));
}

void rope_release(struct rope *r)
{
    if (!r)
        return;
    buf_release(&r->literals);
    buf_release(&r->pieces);
    r->bytes = 0;
}

struct rope_piece rope_keep(struct rope *r, const void *data, size_t bytes)
{
    struct rope_piece piece = {(uint32_t)r->literals.len, (uint32_t)bytes};

    buf_put(&r->literals, data, bytes);
    if (!r->literals.failed)
        return piece;
    r->failed = true;
    return (struct rope_piece){0, 0};
}

/* What goes on where the last piece ends is no piece of its own. */
static bool joins(struct rope *r, struct rope_piece piece)
{
    struct rope_piece last;

    if (r->pieces.len == 0)
        return false;
    memcpy(&last, r->pieces.data + r->pieces.len - sizeof(last), sizeof(last));
    if (last.at + last.bytes != piece.at)
        return false;
    last.bytes += piece.bytes;
    memcpy(r->pieces.data + r->pieces.len - sizeof(last), &last, sizeof(last));
    return true;
}

void rope_show(struct rope *r, struct rope_piece piece)
{
    if (piece.bytes == 0 || r->failed)
        return;
    if (!rope_has_room(r, piece.bytes)) {
        r->failed = true;
        return;
    }
    if (!joins(r, piece))
        buf_put(&r->pieces, &piece, sizeof(piece));
    r->failed = r->pieces.failed;
    if (!r->failed)
        r->bytes += piece.bytes;
}

void rope_put(struct rope *r, const void *data, size_t bytes)
{
    rope_show(r, rope_keep(r, data, bytes));
}

bool rope_has_room(const struct rope *r, uint64_t bytes)
{
    return bytes <= r->max_bytes - r->bytes;
}

int rope_seal(const struct rope *r)
{
    struct rope_head head = {
        .magic = ROPE_MAGIC,
        .pieces = (uint32_t)(r->pieces.len / sizeof(struct rope_piece)),
        .bytes = r->bytes,
        .literals = r->literals.len,
    };
    const struct bulk parts[] = {
        {(const unsigned char *)&head, sizeof(head)},
        {r->pieces.data, r->pieces.len},
        {r->literals.data, r->literals.len},
    };

    return r->failed ? -E2BIG : bulk_make_of(parts, sizeof(parts) / sizeof(parts[0]));
}
