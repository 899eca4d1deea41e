#include "tests/unit/helper_rope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

char *helper_rope_text(const struct rope *r)
{
    struct rope_place place = {0, 0};
    struct rope_text text;
    struct bulk bulk;
    size_t at = 0, n;
    char *out;
    int fd = rope_seal(r);

    assert_true(fd >= 0);
    assert_int_equal(bulk_map(fd, WIRE_PROFILE_MAX_BYTES, &bulk), 0);
    (void)close(fd);
    assert_int_equal(rope_open(&bulk, &text), 0);
    out = malloc(text.bytes + 1);
    assert_non_null(out);
    while ((n = rope_read(&text, &place, out + at, text.bytes - at < 777 ? text.bytes - at : 777)))
        at += n;
    assert_int_equal(at, text.bytes);
    out[at] = '\0';
    bulk_release(&bulk);
    return out;
}
