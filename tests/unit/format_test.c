/* sidecar/store/format.c: what is packed comes back; frames that are none of today's zstd do not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <zlib.h>

#include "helper_store.h"
#include "sidecar/store/format.h"

enum {
    RAW_BYTES = 5000,
    AT_META_BYTES = 8, /* in the head, as store.h lays it out */
    AT_CRC = 12,
};

static uint32_t get_u32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

static void make(struct format *f, struct buf *file, unsigned char *raw)
{
    struct item item;

    helper_store_item(1, "cpu", &item);
    helper_store_raw(1, RAW_BYTES, raw);
    buf_init(file, FORMAT_FILE_MAX_BYTES);
    assert_int_equal(format_pack(f, &item, raw, RAW_BYTES, file), 0);
}

static void there_and_back(void **state)
{
    unsigned char raw[RAW_BYTES];
    struct format *f = format_new();
    struct buf file, back;
    struct item item;
    const char *why;

    (void)state;
    make(f, &file, raw);
    assert_int_equal(format_unpack(f, file.data, file.len, &item, &back, &why), 0);
    assert_int_equal(back.len, RAW_BYTES);
    assert_memory_equal(back.data, raw, RAW_BYTES);
    buf_release(&back);
    buf_release(&file);
    format_free(f);
}

/* With a right checksum: libzstd knows seven formats older than the frame of RFC 8878. */
static void old_frames(void **state)
{
    unsigned char raw[RAW_BYTES];
    struct format *f = format_new();
    struct buf file, back;
    struct item item;
    const char *why;
    unsigned char *frame;

    (void)state;
    make(f, &file, raw);
    frame = file.data + FORMAT_HEAD_BYTES + get_u32(file.data + AT_META_BYTES);
    assert_int_equal(get_u32(frame), 0xfd2fb528);
    for (uint32_t magic = 0xfd2fb51e; magic <= 0xfd2fb529; magic++) {
        put_u32(frame, magic);
        put_u32(file.data + AT_CRC,
                (uint32_t)crc32_z(0, file.data + FORMAT_HEAD_BYTES, file.len - FORMAT_HEAD_BYTES));
        why = NULL;
        if (magic == 0xfd2fb528) {
            assert_int_equal(format_unpack(f, file.data, file.len, &item, &back, &why), 0);
        } else {
            assert_int_equal(format_unpack(f, file.data, file.len, &item, &back, &why), -EBADMSG);
            assert_string_equal(why, "the packed profile is none of zstd's frames");
        }
        buf_release(&back);
    }
    buf_release(&file);
    format_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(old_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
