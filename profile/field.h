/*
 * field.h: protobuf's outermost layer, field by field (protobuf encoding guide): number, wire type,
 * and either the value or where the bytes are. Nothing is copied or allocated; no read passes the
 * end.
 */
#ifndef PROFILE_FIELD_H
#define PROFILE_FIELD_H

#include <stdint.h>

enum field_wire {
    FIELD_VARINT = 0,
    FIELD_FIXED64 = 1,
    FIELD_LENGTH = 2,
    FIELD_FIXED32 = 5, /* 3 and 4, groups, are refused */
};

/* What is still to be read: at <= end. */
struct field_cursor {
    const unsigned char *at, *end;
};

struct field {
    uint32_t number; /* 1 to 2^29 - 1 */
    enum field_wire wire;
    uint64_t value;           /* of a varint, else 0 */
    struct field_cursor body; /* of the others */
};

/** field_varint(c, ret): the next varint, at most 64 bits; 0 or -EBADMSG. */
int field_varint(struct field_cursor *c, uint64_t *ret);

/** field_next(c, ret): the next field, moving ${c} past it; 0 or -EBADMSG. */
int field_next(struct field_cursor *c, struct field *ret);

#endif
