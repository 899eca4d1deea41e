#include "sampler/go/elfscan.h"

#include <errno.h>

/* Each record of one piece that begins before ${stop}. */
static int scan_piece(const struct elfscan *what, uint64_t vaddr, uint64_t offset,
                      const unsigned char *piece, size_t stop)
{
    /* the first multiple of step at or after vaddr */
    for (size_t i = (size_t)(-vaddr & (what->step - 1)); i < stop; i += what->step) {
        int r = what->match(what->ctx, vaddr + i, offset + i, piece + i);

        if (r != 0)
            return r;
    }
    return 0;
}

/*
 * Piece by piece; each overlaps the next one by a record less one byte, so that a record on a
 * border is seen once and only once. 0: not here, 1: found, -errno. ${left} is what may
 * still be read in all: segments of a hostile file may all cover the same bytes.
 */
static int scan_segment(const struct elf *e, const struct elf_segment *s,
                        const struct elfscan *what, unsigned char *piece, uint64_t *left)
{
    uint64_t done = 0;

    while (done < s->filesz && s->filesz - done >= what->record_bytes && *left > 0) {
        uint64_t bytes = s->filesz - done;
        size_t stop;
        int r;

        if (bytes > ELFSCAN_PIECE_BYTES)
            bytes = ELFSCAN_PIECE_BYTES;
        /* a truncated file: what is left of it may still hold the record in another segment */
        if (file_read(elf_file(e), s->offset + done, piece, (size_t)bytes) != 0)
            return 0;
        stop = (size_t)bytes - what->record_bytes + 1;
        r = scan_piece(what, s->vaddr + done, s->offset + done, piece, stop);
        if (r != 0)
            return r;
        done += stop;
        *left -= *left < bytes ? *left : bytes;
    }
    return 0;
}

int elfscan_run(const struct elf *e, const struct elfscan *what)
{
    const struct elf_segment *segments;
    uint64_t left = ELFSCAN_MAX_BYTES;
    unsigned char *piece;
    size_t count;
    int r = 0;

    if (what->record_bytes == 0 || what->record_bytes > ELFSCAN_RECORD_MAX_BYTES)
        return -EINVAL;
    piece = malloc(ELFSCAN_PIECE_BYTES);
    if (!piece)
        return -ENOMEM;
    count = elf_segments(e, &segments);
    for (size_t i = 0; i < count && r == 0; i++) {
        if ((segments[i].flags & what->flags_mask) == what->flags)
            r = scan_segment(e, &segments[i], what, piece, &left);
    }
    free(piece);
    if (r < 0)
        return r;
    return r > 0 ? 0 : -ENOENT;
}
