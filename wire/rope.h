/*
 * rope.h: a long text in which much repeats, as it travels in a bulk: literals, each there once,
 * and pieces that point into them. A hundred thousand goroutines have a few dozen stacks between
 * them: as text they are 20 MiB, as a rope 5 MiB, and neither side ever holds the text.
 *
 * The sampler makes it (rope_make.c), the front shows it window by window (rope_read.c). The front
 * believes nothing of it: rope_open() has looked at every piece before the first byte is shown.
 *
 * In the bulk: struct rope_head, the pieces, the literals.
 */
#ifndef WIRE_ROPE_H
#define WIRE_ROPE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/bulk.h"
#include "wire/wire.h"

enum {
    ROPE_MAX_BYTES = WIRE_PROFILE_MAX_BYTES, /* of the text */
    ROPE_LITERALS_MAX_BYTES = WIRE_PROFILE_MAX_BYTES,
    ROPE_PIECES_MAX = 2 * 1024 * 1024,
    ROPE_MAGIC = 0x524f5045,
};

/* So many bytes of the literals from there; both are checked by the reader. */
struct rope_piece {
    uint32_t at, bytes;
};

struct rope_head {
    uint32_t magic; /* ROPE_MAGIC */
    uint32_t pieces;
    uint64_t bytes;    /* of the text: all pieces together */
    uint64_t literals; /* bytes */
};

/* ---- The sampler's half. */

struct rope {
    struct buf literals, pieces;
    uint64_t bytes; /* of the text so far */
    uint64_t max_bytes;
    bool failed; /* sticky: a bound, or no memory */
};

/** rope_init(r, max_bytes): empty, for a text of at most ${max_bytes} <= ROPE_MAX_BYTES.
 * rope_release() is NULL-safe and repeatable. */
void rope_init(struct rope *r, uint64_t max_bytes);
void rope_release(struct rope *r);

/** rope_keep(r, data, bytes): a literal that is not shown yet; of no bytes when there is no room
 * (and failed). */
struct rope_piece rope_keep(struct rope *r, const void *data, size_t bytes);

/** rope_show(r, piece): append it to the text; at a bound nothing is appended (and failed). */
void rope_show(struct rope *r, struct rope_piece piece);

/** rope_put(r, data, bytes): a literal that is shown here. */
void rope_put(struct rope *r, const void *data, size_t bytes);

/** rope_has_room(r, bytes): would so many more bytes of text fit? */
bool rope_has_room(const struct rope *r, uint64_t bytes);

/** rope_seal(r): a sealed descriptor, or -errno (-E2BIG: it has failed). */
int rope_seal(const struct rope *r);

/* ---- The front's half. */

/* Good as long as the bulk is mapped. */
struct rope_text {
    const struct rope_piece *pieces;
    const unsigned char *literals;
    uint64_t bytes; /* of the text */
    uint32_t count; /* pieces */
};

/* A place in the text; all zero is its beginning. */
struct rope_place {
    uint32_t piece, bytes; /* so much of that piece is behind us */
};

/** rope_open(bulk, ret): 0, or -EBADMSG: it is not what rope_seal() makes. */
int rope_open(const struct bulk *bulk, struct rope_text *ret);

/** rope_read(t, place, out, bytes): copy on from ${place} and move it; less only at the end. */
size_t rope_read(const struct rope_text *t, struct rope_place *place, void *out, size_t bytes);

#endif
