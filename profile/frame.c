#include "profile/frame.h"

enum {
    FRAME_WIRE_LENGTH = 2, /* wire type of what has a length */
};

void frame_varint(struct buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buf_putc(out, (int)(value & 0x7f) | 0x80);
    buf_putc(out, (int)value);
}

void frame_head(struct buf *out, unsigned field, size_t bytes)
{
    frame_varint(out, (uint64_t)field << 3 | FRAME_WIRE_LENGTH);
    frame_varint(out, bytes);
}

void frame_bytes(struct buf *out, unsigned field, const void *data, size_t bytes)
{
    frame_head(out, field, bytes);
    buf_put(out, data, bytes);
}

void frame_fields(struct buf *out, const ProtobufCMessage *m)
{
    size_t bytes = protobuf_c_message_get_packed_size(m);
    unsigned char *to = buf_reserve(out, bytes);

    if (to)
        out->len += protobuf_c_message_pack(m, to);
}

/* The size is computed twice, which is cheaper than packing aside and copying. */
void frame_message(struct buf *out, unsigned field, const ProtobufCMessage *m)
{
    frame_head(out, field, protobuf_c_message_get_packed_size(m));
    frame_fields(out, m);
}
