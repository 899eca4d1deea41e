/*
 * format.h: the bytes of one kept profile (store.h has the layout), written and read.
 *
 * The reader is given files that anybody may have written: every length is held against the file's
 * size and a bound before it is used, the CRC comes before the content is looked at, the zstd frame
 * has to be exactly one that tells its size. Pure: no files, no clock.
 */
#ifndef SIDECAR_STORE_FORMAT_H
#define SIDECAR_STORE_FORMAT_H

#include "sidecar/item.h"

enum {
    FORMAT_VERSION = 1,
    FORMAT_HEAD_BYTES = 32,
    FORMAT_LEVEL = 3,       /* zstd's own default: 2 ms for a profile of 200 KiB */
    FORMAT_WINDOW_LOG = 26, /* ITEM_RAW_MAX_BYTES; a frame that wants more memory is refused */
    /* zstd's bound for what cannot be packed (ZSTD_COMPRESSBOUND), and some air */
    FORMAT_FILE_MAX_BYTES =
        FORMAT_HEAD_BYTES + ITEM_META_MAX_BYTES + ITEM_RAW_MAX_BYTES + ITEM_RAW_MAX_BYTES / 128,
};

struct format; /* zstd's work space, for one thread at a time */

struct format *format_new(void); /* NULL: no memory */
void format_free(struct format *f);

/** format_pack(f, item, raw, bytes, out): append the file. 0, -EFBIG (raw or meta too long, or
 * empty), -ENOMEM. */
int format_pack(struct format *f, const struct item *item, const void *raw, size_t bytes,
                struct buf *out);

/**
 * format_unpack(f, data, bytes, ret, raw, ret_why): a whole file. ${raw} (initialised here) gets
 * the pprof; on failure it is empty. 0, -EBADMSG with the reason, -ENOMEM.
 */
int format_unpack(struct format *f, const void *data, size_t bytes, struct item *ret,
                  struct buf *raw, const char **ret_why);

/**
 * format_peek(data, bytes, ret, ret_raw_bytes): what is told of the profile, from the first
 * FORMAT_HEAD_BYTES + ITEM_META_MAX_BYTES of a file (or all, if it is shorter). Its CRC is not
 * looked at: for listings. 0 or -EBADMSG.
 */
int format_peek(const void *data, size_t bytes, struct item *ret, uint64_t *ret_raw_bytes);

#endif
