/*
 * frame.h: protobuf written piece by piece (protobuf encoding guide): a submessage is packed by
 * protobuf-c straight into the output behind its field's tag and length, so that the tree of
 * pointers which protobuf-c wants for a whole message need not exist.
 */
#ifndef PROFILE_FRAME_H
#define PROFILE_FRAME_H

#include <protobuf-c/protobuf-c.h>

#include "base/buf.h"

/** frame_varint(out, value): base 128, least significant group first. */
void frame_varint(struct buf *out, uint64_t value);

/** frame_head(out, field, bytes): tag and length of a field of ${bytes} bytes, which follow. */
void frame_head(struct buf *out, unsigned field, size_t bytes);

/** frame_bytes(out, field, data, bytes): a whole field of type bytes or string. */
void frame_bytes(struct buf *out, unsigned field, const void *data, size_t bytes);

/** frame_fields(out, m): a message's fields without a frame; for the outermost message, whose parts
 * may come in any number of pieces (concatenating is merging). */
void frame_fields(struct buf *out, const ProtobufCMessage *m);

/** frame_message(out, field, m): as field ${field} of the message that is being written. */
void frame_message(struct buf *out, unsigned field, const ProtobufCMessage *m);

#endif
