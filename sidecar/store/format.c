/*
 * zlib's crc32 rather than zstd's own checksum, since it covers the meta too, and is checked before
 * zstd sees a byte: damage is found without decoding what is damaged. (Sources: RFC 8878 for the
 * frame; zstd.h 1.5.4 for ZSTD_getFrameContentSize and ZSTD_findFrameCompressedSize.)
 */
#include "sidecar/store/format.h"

#include <errno.h>
#include <zlib.h>
#include <zstd.h>

static const unsigned char magic[] = {'P', 'L', 'S', 'P'};

struct format {
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
};

struct head {
    uint32_t version, meta_bytes, crc;
    uint64_t raw_bytes, packed_bytes;
};

struct format *format_new(void)
{
    struct format *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->pack = ZSTD_createCCtx();
    f->unpack = ZSTD_createDCtx();
    if (!f->pack || !f->unpack ||
        ZSTD_isError(ZSTD_CCtx_setParameter(f->pack, ZSTD_c_compressionLevel, FORMAT_LEVEL)) ||
        ZSTD_isError(ZSTD_DCtx_setParameter(f->unpack, ZSTD_d_windowLogMax, FORMAT_WINDOW_LOG))) {
        format_free(f);
        return NULL;
    }
    return f;
}

void format_free(struct format *f)
{
    if (!f)
        return;
    (void)ZSTD_freeCCtx(f->pack);
    (void)ZSTD_freeDCtx(f->unpack);
    free(f);
}

/* --- numbers, little endian --- */

static void put_u(unsigned char *p, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

static uint64_t get_u(const unsigned char *p, size_t bytes)
{
    uint64_t v = 0;

    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static void put_head(unsigned char *p, const struct head *h)
{
    memcpy(p, magic, sizeof(magic));
    put_u(p + 4, h->version, 4);
    put_u(p + 8, h->meta_bytes, 4);
    put_u(p + 12, h->crc, 4);
    put_u(p + 16, h->raw_bytes, 8);
    put_u(p + 24, h->packed_bytes, 8);
}

/* --- writing --- */

static uint32_t checksum(const unsigned char *p, size_t bytes)
{
    return (uint32_t)crc32_z(0, p, bytes);
}

int format_pack(struct format *f, const struct item *item, const void *raw, size_t bytes,
                struct buf *out)
{
    unsigned char empty[FORMAT_HEAD_BYTES] = {0};
    struct head h = {.version = FORMAT_VERSION, .raw_bytes = bytes};
    size_t start = out->len;
    size_t meta, got;
    void *room;

    if (bytes == 0 || bytes > ITEM_RAW_MAX_BYTES)
        return -EFBIG;
    buf_put(out, empty, sizeof(empty));
    item_print(item, out);
    meta = out->len - start - FORMAT_HEAD_BYTES;
    if (!out->failed && meta > ITEM_META_MAX_BYTES)
        return -EFBIG;
    room = buf_reserve(out, ZSTD_compressBound(bytes));
    if (!room)
        return -ENOMEM;
    got = ZSTD_compress2(f->pack, room, ZSTD_compressBound(bytes), raw, bytes);
    if (ZSTD_isError(got))
        return -ENOMEM; /* the room is enough and the parameters are constant: nothing else is left
                         */
    out->len += got;
    h.meta_bytes = (uint32_t)meta;
    h.packed_bytes = got;
    h.crc = checksum(out->data + start + FORMAT_HEAD_BYTES, meta + got);
    put_head(out->data + start, &h);
    return 0;
}

/* --- reading --- */

static const char *read_head(const unsigned char *p, size_t bytes, struct head *ret)
{
    if (bytes < FORMAT_HEAD_BYTES)
        return "the file is too short";
    if (memcmp(p, magic, sizeof(magic)) != 0)
        return "the file is none of ours";
    ret->version = (uint32_t)get_u(p + 4, 4);
    ret->meta_bytes = (uint32_t)get_u(p + 8, 4);
    ret->crc = (uint32_t)get_u(p + 12, 4);
    ret->raw_bytes = get_u(p + 16, 8);
    ret->packed_bytes = get_u(p + 24, 8);
    if (ret->version != FORMAT_VERSION)
        return "the file is of another version";
    if (ret->meta_bytes > ITEM_META_MAX_BYTES || ret->raw_bytes > ITEM_RAW_MAX_BYTES ||
        ret->raw_bytes == 0 || ret->packed_bytes > FORMAT_FILE_MAX_BYTES)
        return "the file tells of impossible lengths";
    return NULL;
}

static const char *unpack(struct format *f, const struct head *h, const unsigned char *p,
                          struct buf *raw, bool *ret_memory)
{
    size_t bytes = (size_t)h->packed_bytes;
    size_t want = (size_t)h->raw_bytes;
    void *room;

    /* libzstd may also read its formats before 1.0: decoders that nobody looks at any more */
    if (bytes < 4 || get_u(p, 4) != ZSTD_MAGICNUMBER)
        return "the packed profile is none of zstd's frames";
    if (ZSTD_getFrameContentSize(p, bytes) != h->raw_bytes ||
        ZSTD_findFrameCompressedSize(p, bytes) != bytes)
        return "the packed profile is not the one frame that it should be";
    room = buf_reserve(raw, want);
    if (!room) {
        *ret_memory = true;
        return "out of memory";
    }
    if (ZSTD_decompressDCtx(f->unpack, room, want, p, bytes) != want)
        return "the packed profile is damaged";
    raw->len += want;
    return NULL;
}

int format_unpack(struct format *f, const void *data, size_t bytes, struct item *ret,
                  struct buf *raw, const char **ret_why)
{
    const unsigned char *p = data;
    struct head h = {0};
    struct item item;
    bool memory = false;
    const char *why = read_head(p, bytes, &h);

    buf_init(raw, (size_t)h.raw_bytes); /* bounded by now, or not used */
    if (!why && bytes - FORMAT_HEAD_BYTES != h.meta_bytes + h.packed_bytes)
        why = "the file is cut, or longer than it should be";
    if (!why && checksum(p + FORMAT_HEAD_BYTES, bytes - FORMAT_HEAD_BYTES) != h.crc)
        why = "the file's checksum is wrong";
    if (!why && item_parse((const char *)p + FORMAT_HEAD_BYTES, h.meta_bytes, &item, NULL))
        why = "what the file tells of the profile is damaged";
    if (!why)
        why = unpack(f, &h, p + FORMAT_HEAD_BYTES + h.meta_bytes, raw, &memory);
    if (why) {
        buf_release(raw);
        *ret_why = why;
        return memory ? -ENOMEM : -EBADMSG;
    }
    *ret = item;
    return 0;
}

int format_peek(const void *data, size_t bytes, struct item *ret, uint64_t *ret_raw_bytes)
{
    const unsigned char *p = data;
    struct head h;

    if (read_head(p, bytes, &h) || bytes - FORMAT_HEAD_BYTES < h.meta_bytes)
        return -EBADMSG;
    if (item_parse((const char *)p + FORMAT_HEAD_BYTES, h.meta_bytes, ret, NULL))
        return -EBADMSG;
    *ret_raw_bytes = h.raw_bytes;
    return 0;
}
