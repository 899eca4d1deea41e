/*
 * The shapes of protobuf's fields: tag = number << 3 | wire type, then a varint, 4 or 8 bytes, or a
 * length and so many bytes. Outputs are set only when the whole field is there.
 */
#include "profile/field.h"

#include <errno.h>

enum {
    FIELD_VARINT_MAX_BYTES = 10, /* 7 bits a byte; of the tenth only the lowest bit counts */
    FIELD_NUMBER_MAX = 0x1fffffff,
    FIELD_WIRE_BITS = 3,
};

int field_varint(struct field_cursor *c, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < FIELD_VARINT_MAX_BYTES && c->at < c->end; i++) {
        unsigned char byte = *c->at++;

        if (i == FIELD_VARINT_MAX_BYTES - 1 && byte > 1)
            return -EBADMSG; /* more than 64 bits, or no end */
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            *ret = value;
            return 0;
        }
    }
    return -EBADMSG;
}

/* The length is compared with what is left, never added to a pointer: it may be 2^64 - 1. */
static int take(struct field_cursor *c, uint64_t bytes, struct field_cursor *ret)
{
    if (bytes > (uint64_t)(c->end - c->at))
        return -EBADMSG;
    *ret = (struct field_cursor){c->at, c->at + bytes};
    c->at += bytes;
    return 0;
}

int field_next(struct field_cursor *c, struct field *ret)
{
    struct field f = {0};
    uint64_t tag, bytes;
    int rc = field_varint(c, &tag);

    if (rc != 0 || tag >> FIELD_WIRE_BITS == 0 || tag >> FIELD_WIRE_BITS > FIELD_NUMBER_MAX)
        return -EBADMSG;
    f.number = (uint32_t)(tag >> FIELD_WIRE_BITS);
    switch (tag & ((1 << FIELD_WIRE_BITS) - 1)) {
    case FIELD_VARINT:
        f.wire = FIELD_VARINT;
        rc = field_varint(c, &f.value);
        break;
    case FIELD_FIXED64:
        f.wire = FIELD_FIXED64;
        rc = take(c, 8, &f.body);
        break;
    case FIELD_FIXED32:
        f.wire = FIELD_FIXED32;
        rc = take(c, 4, &f.body);
        break;
    case FIELD_LENGTH:
        f.wire = FIELD_LENGTH;
        rc = field_varint(c, &bytes);
        if (rc == 0)
            rc = take(c, bytes, &f.body);
        break;
    default:
        rc = -EBADMSG;
        break;
    }
    if (rc == 0)
        *ret = f;
    return rc;
}
