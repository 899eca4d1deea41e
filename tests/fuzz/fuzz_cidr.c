/*
 * Any text as a range of addresses: what is taken prints as what is taken again, the same, and
 * holds its own first address and none that differs in front of its prefix.
 */
#include <assert.h>

#include "config/cidr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct config_cidr c, again;
    char text[128];
    uint8_t other[16];
    struct err e = {0};
    struct buf out;

    if (bytes >= sizeof(text))
        return 0;
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    if (config_cidr_parse(text, &c, &e)) {
        assert(e.text[0]);
        return 0;
    }
    buf_init(&out, 256);
    config_cidr_print(&c, &out);
    buf_putc(&out, '\0');
    assert(!out.failed && config_cidr_parse((const char *)out.data, &again, &e) == 0);
    assert(memcmp(&c, &again, sizeof(c)) == 0);
    assert(c.bits <= 128 && config_cidr_holds(&c, 1, c.address));
    if (c.bits > 0) {
        unsigned bit = c.bits - 1u;

        memcpy(other, c.address, sizeof(other));
        other[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        assert(!config_cidr_holds(&c, 1, other));
    }
    buf_release(&out);
    return 0;
}
