/*
 * Any bytes as packets, one after the other, for every end of every link. The input: roles, state,
 * then packets, each with a byte for its descriptors and two for its length.
 */
#include "wire/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* What was accepted must be what the table says; anything else would reach a handler. */
static void must_be_right(const struct wire_turn *turn, unsigned state, const struct wire_head *h,
                          size_t bytes, size_t fds)
{
    const struct wire_row *row = codec_row(h->type);

    if (!row || row->to != turn->self || row->from != turn->peer || !(row->when & state) ||
        h->magic != WIRE_MAGIC || h->bytes + sizeof(*h) != bytes || h->bytes < row->min_bytes ||
        h->bytes > row->max_bytes || h->fds != fds || fds > row->max_fds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct wire_turn turn = {0};

    if (bytes < 2)
        return 0;
    turn.self = (enum wire_role)(data[0] % 3);
    turn.peer = (enum wire_role)(data[0] / 3 % 3);
    turn.state = data[1] & WIRE_STATE_ANY;
    data += 2;
    bytes -= 2;
    while (bytes >= 3) {
        size_t fds = data[0];
        size_t length = (size_t)data[1] | (size_t)data[2] << 8;
        uint64_t seen = turn.seen;
        const char *why = NULL;
        struct wire_head head;

        data += 3;
        bytes -= 3;
        length = length < bytes ? length : bytes;
        if (codec_check(&turn, data, length, fds, &head, &why) == 0) {
            must_be_right(&turn, turn.state, &head, length, fds);
            (void)codec_text_ok((const char *)data + sizeof(head), length - sizeof(head));
        } else if (!why || turn.seen != seen) {
            abort();
        }
        data += length;
        bytes -= length;
    }
    return 0;
}
