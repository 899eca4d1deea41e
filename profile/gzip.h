/*
 * gzip.h: one gzip member by zlib (RFC 1952), in and out. Readers of pprof refuse a profile that
 * was packed twice or that has several members, so exactly one is written and exactly one is read.
 */
#ifndef PROFILE_GZIP_H
#define PROFILE_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/**
 * gzip_pack(data, bytes, out): append one member; no time stamp, so the same bytes give the same.
 * 0, -EFBIG (4 GiB and more), -ENOMEM (no memory, or more than ${out} may hold).
 */
int gzip_pack(const void *data, size_t bytes, struct buf *out);

/** gzip_is(data, bytes): does it begin like gzip? */
bool gzip_is(const void *data, size_t bytes);

/**
 * gzip_unpack(data, bytes, out, e): append the content of one member, nothing may come after it;
 * bounded by out->max_bytes. 0, -EBADMSG (no gzip, damaged, cut, or bytes after it), -EFBIG (more
 * than ${out} may hold), -ENOMEM. After an error ${out} may hold a part.
 */
int gzip_unpack(const void *data, size_t bytes, struct buf *out, struct err *e);

#endif
