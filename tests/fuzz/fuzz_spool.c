/*
 * Any bytes as a file of the spool. What is read as a good one has a profile of the size that its
 * head tells; the first byte says whether a right head and checksum are put before the rest, so
 * that meta and frame are reached too.
 */
#include <zlib.h>

#include "sidecar/store/format.h"
#include "sidecar/store/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* Lengths that fit the bytes there are; the second byte says how much of them is meta. */
static void dress(uint8_t *p, size_t bytes)
{
    uint32_t body = (uint32_t)(bytes - FORMAT_HEAD_BYTES);
    uint32_t meta = body * p[1] / 256;

    put_u32(p + 8, meta);
    put_u32(p + 24, body - meta);
    put_u32(p + 28, 0);
    put_u32(p + 12, (uint32_t)crc32(0, p + FORMAT_HEAD_BYTES, body));
    put_u32(p + 4, FORMAT_VERSION);
    memcpy(p, "PLSP", 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct format *f;
    struct key_types types = {.count = 0};
    const char *why = NULL;
    struct item item;
    struct key k;
    struct buf raw;
    uint64_t raw_bytes;
    uint8_t *copy;
    int r;

    if (!f)
        f = format_new();
    if (!f || bytes == 0 || bytes > 100000)
        return 0;
    copy = malloc(bytes);
    if (!copy)
        return 0;
    memcpy(copy, data, bytes);
    if (copy[0] == '!' && bytes > FORMAT_HEAD_BYTES)
        dress(copy, bytes);
    r = format_unpack(f, copy, bytes, &item, &raw, &why);
    if ((r == 0) == (why != NULL) || (r == 0 && (raw.len == 0 || raw.len > ITEM_RAW_MAX_BYTES)))
        abort();
    if (r == 0 && (format_peek(copy, bytes, &item, &raw_bytes) || raw_bytes != raw.len))
        abort();
    if (r == 0 && item.time_ns >= 0 && key_of(&types, &item, &k))
        abort(); /* a good item has a good name */
    buf_release(&raw);
    if (bytes < KEY_NAME_BYTES) {
        char name[KEY_NAME_BYTES] = "", again[KEY_NAME_BYTES];

        memcpy(name, data, bytes);
        for (int marked = 0; marked < 2; marked++) {
            if (key_parse(&types, name, marked, &k) == 0) {
                key_print(&types, &k, marked, again);
                if (strcmp(name, again) != 0)
                    abort();
            }
        }
    }
    free(copy);
    return 0;
}
