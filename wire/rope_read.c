#include "wire/rope.h"

#include <errno.h>

/* Every piece within the literals, and all of them as long as the head says. */
static int check_pieces(const struct rope_head *head, const struct rope_piece *pieces)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < head->pieces; i++) {
        if (pieces[i].bytes == 0 || (uint64_t)pieces[i].at + pieces[i].bytes > head->literals)
            return -EBADMSG;
        bytes += pieces[i].bytes; /* no more than 2^21 times 2^32 */
    }
    return bytes == head->bytes ? 0 : -EBADMSG;
}

int rope_open(const struct bulk *bulk, struct rope_text *ret)
{
    const struct rope_piece *pieces;
    struct rope_head head;

    if (bulk->bytes < sizeof(head))
        return -EBADMSG;
    memcpy(&head, bulk->data, sizeof(head));
    if (head.magic != ROPE_MAGIC || head.pieces > ROPE_PIECES_MAX || head.bytes > ROPE_MAX_BYTES ||
        head.literals > ROPE_LITERALS_MAX_BYTES ||
        bulk->bytes != sizeof(head) + head.pieces * sizeof(*pieces) + head.literals)
        return -EBADMSG;
    /* a mapping begins with a page, and the head is a multiple of 8 bytes */
    pieces = (const struct rope_piece *)(const void *)(bulk->data + sizeof(head));
    if (check_pieces(&head, pieces) != 0)
        return -EBADMSG;
    *ret = (struct rope_text){
        .pieces = pieces,
        .literals = bulk->data + sizeof(head) + head.pieces * sizeof(*pieces),
        .bytes = head.bytes,
        .count = head.pieces,
    };
    return 0;
}

size_t rope_read(const struct rope_text *t, struct rope_place *place, void *out, size_t bytes)
{
    unsigned char *to = out;
    size_t done = 0;

    while (done < bytes && place->piece < t->count) {
        const struct rope_piece *p = &t->pieces[place->piece];
        size_t left = p->bytes - place->bytes;
        size_t n = left < bytes - done ? left : bytes - done;

        memcpy(to + done, t->literals + p->at + place->bytes, n);
        done += n;
        if (n == left)
            *place = (struct rope_place){place->piece + 1, 0};
        else
            place->bytes += (uint32_t)n;
    }
    return done;
}
