#include "profile/gzip.h"

#include <errno.h>
#include <limits.h>

/* next_in as a pointer to const (zconf.h): what goes in is not ours to write. */
#define ZLIB_CONST
#include <zlib.h>

enum {
    GZIP_WINDOW_BITS = 15 + 16, /* largest window; + 16: gzip, not zlib framing (zlib.h) */
    GZIP_MEM_LEVEL = 8,         /* zlib's default: 256 KiB with the window */
    GZIP_CHUNK_BYTES = 16384,
    GZIP_HEAD_BYTES = 3, /* ID1 ID2 CM, RFC 1952 section 2.3 */
};

/*
 * The level that Go's runtime/pprof takes as well (BestSpeed): a profile is mostly small numbers,
 * and the better levels win a tenth of the size for several times the work.
 */
static const int GZIP_LEVEL = Z_BEST_SPEED;

/*
 * By chunks through the stack rather than with deflateBound() in one go: the buffer then grows by
 * what is really written, and its limit is met at the right byte.
 */
int gzip_pack(const void *data, size_t bytes, struct buf *out)
{
    z_stream z = {.next_in = data, .avail_in = (uInt)bytes};
    size_t bound;
    int rc = 0;

    if (bytes > UINT_MAX)
        return -EFBIG;
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    do {
        unsigned char chunk[GZIP_CHUNK_BYTES];

        z.next_out = chunk;
        z.avail_out = sizeof(chunk);
        rc = deflate(&z, Z_FINISH);
        bound = sizeof(chunk) - z.avail_out;
        buf_put(out, chunk, bound);
    } while (rc == Z_OK && !out->failed);
    (void)deflateEnd(&z);
    return rc == Z_STREAM_END && !out->failed ? 0 : -ENOMEM;
}

bool gzip_is(const void *data, size_t bytes)
{
    static const unsigned char head[GZIP_HEAD_BYTES] = {0x1f, 0x8b, Z_DEFLATED};

    return bytes >= sizeof(head) && memcmp(data, head, sizeof(head)) == 0;
}

/*
 * Inflate to the member's end. The output is counted before it is kept, so that a small file which
 * claims gigabytes costs one chunk more than it may. inflate() checks CRC32 and length of the
 * trailer itself; Z_BUF_ERROR only says that it could not go on, which is seen by nothing read and
 * nothing written.
 */
static int inflate_all(z_stream *z, struct buf *out, struct err *e)
{
    unsigned char chunk[GZIP_CHUNK_BYTES];
    int rc;

    do {
        size_t n;

        z->next_out = chunk;
        z->avail_out = sizeof(chunk);
        rc = inflate(z, Z_NO_FLUSH);
        if (rc == Z_MEM_ERROR)
            return err_set(e, -ENOMEM, "no memory to unpack gzip");
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return err_set(e, -EBADMSG, "the gzip data is damaged");
        n = sizeof(chunk) - z->avail_out;
        if (n > out->max_bytes - out->len)
            return err_set(e, -EFBIG, "more than %zu bytes after unpacking", out->max_bytes);
        buf_put(out, chunk, n);
        if (out->failed)
            return err_set(e, -ENOMEM, "no memory to unpack gzip");
        if (rc != Z_STREAM_END && n == 0 && z->avail_in == 0)
            return err_set(e, -EBADMSG, "the gzip data ends too early");
    } while (rc != Z_STREAM_END);
    return 0;
}

/* A second member is refused, not joined: pprof's readers would see a concatenated profile. */
int gzip_unpack(const void *data, size_t bytes, struct buf *out, struct err *e)
{
    z_stream z = {.next_in = data, .avail_in = (uInt)bytes};
    int rc;

    if (!gzip_is(data, bytes))
        return err_set(e, -EBADMSG, "this is not gzip");
    if (bytes > UINT_MAX)
        return err_set(e, -EFBIG, "%zu bytes of gzip are too many", bytes);
    if (inflateInit2(&z, GZIP_WINDOW_BITS) != Z_OK)
        return err_set(e, -ENOMEM, "no memory to unpack gzip");
    rc = inflate_all(&z, out, e);
    if (rc == 0 && z.avail_in > 0)
        rc = err_set(e, -EBADMSG, "%u bytes after the gzip data", z.avail_in);
    (void)inflateEnd(&z);
    return rc;
}
