/*
 * gzip.h: one gzip member by zlib (RFC 1952), in and out.
 */
#ifndef PROFILE_GZIP_H
#define PROFILE_GZIP_H

#include "base/buf.h"
#include "base/err.h"

/** gzip_pack(data, bytes, out): append one member; no time stamp, so the same bytes give the same. */
int gzip_pack(const void *data, size_t bytes, struct buf *out);

/** gzip_is(data, bytes): does it begin like gzip? */
bool gzip_is(const void *data, size_t bytes);

/** gzip_unpack(data, bytes, out, e): one member, nothing after it; bounded by out->max_bytes. */
int gzip_unpack(const void *data, size_t bytes, struct buf *out, struct err *e);

#endif
