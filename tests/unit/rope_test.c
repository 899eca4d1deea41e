/* wire/rope_make.c and rope_read.c: the text is what was shown, and no lie about it is believed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/helper_rope.h"

static void text_of(const struct rope *r, const char *want)
{
    char *text = helper_rope_text(r);

    assert_string_equal(text, want);
    free(text);
}

static void there_and_back(void **state)
{
    struct rope_piece stack;
    struct rope r;

    (void)state;
    rope_init(&r, ROPE_MAX_BYTES);
    text_of(&r, "");
    stack = rope_keep(&r, " parked\n", 8);
    text_of(&r, "");
    for (int i = 0; i < 3; i++) {
        char head[2] = {(char)('1' + i), '\0'};

        rope_put(&r, head, 1);
        rope_show(&r, stack);
    }
    rope_put(&r, "", 0);
    text_of(&r, "1 parked\n2 parked\n3 parked\n");
    assert_int_equal(r.bytes, 27);
    /* what is shown where the last one ended is one piece with it */
    assert_int_equal(r.pieces.len, 6 * sizeof(struct rope_piece));
    rope_put(&r, "x", 1);
    rope_put(&r, "y", 1);
    assert_int_equal(r.pieces.len, 7 * sizeof(struct rope_piece));
    text_of(&r, "1 parked\n2 parked\n3 parked\nxy");
    rope_release(&r);
    rope_release(&r);
    rope_release(NULL);
}

/* At the limit and one above. */
static void limits(void **state)
{
    struct rope_piece ten;
    struct rope r;

    (void)state;
    rope_init(&r, 20);
    ten = rope_keep(&r, "0123456789", 10);
    assert_true(rope_has_room(&r, 20));
    assert_false(rope_has_room(&r, 21));
    rope_show(&r, ten);
    rope_show(&r, ten);
    assert_false(r.failed);
    text_of(&r, "01234567890123456789");
    rope_put(&r, "x", 1);
    assert_true(r.failed);
    assert_int_equal(r.bytes, 20);
    assert_int_equal(rope_seal(&r), -E2BIG);
    rope_release(&r);

    rope_init(&r, UINT64_MAX);
    assert_int_equal(r.max_bytes, ROPE_MAX_BYTES);
    ten = rope_keep(&r, "ab", 2);
    ten.bytes = 1; /* so that no two of them join */
    for (uint32_t i = 0; i < ROPE_PIECES_MAX; i++)
        rope_show(&r, ten);
    assert_false(r.failed);
    rope_show(&r, ten);
    assert_true(r.failed);
    rope_release(&r);
}

struct forged {
    struct rope_head head;
    struct rope_piece pieces[2];
    char literals[8];
};

static const struct forged GOOD = {
    {ROPE_MAGIC, 2, 10, 8}, {{0, 8}, {6, 2}}, {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}};

static int opens(const struct forged *f, size_t bytes)
{
    const struct bulk b = {(const unsigned char *)f, bytes};
    struct rope_text t;

    return rope_open(&b, &t);
}

static void lies(void **state)
{
    struct forged f = GOOD;

    (void)state;
    assert_int_equal(opens(&f, sizeof(f)), 0);
    for (size_t n = 0; n < sizeof(f); n++)
        assert_int_equal(opens(&f, n), -EBADMSG);
    f.head.magic++;
    assert_int_equal(opens(&f, sizeof(f)), -EBADMSG);
    f = GOOD;
    f.head.bytes++;
    assert_int_equal(opens(&f, sizeof(f)), -EBADMSG);
    f = GOOD;
    f.head.pieces = 1; /* … and its bytes would be literals */
    assert_int_equal(opens(&f, sizeof(f)), -EBADMSG);
    f = GOOD;
    f.head.pieces = UINT32_MAX;
    assert_int_equal(opens(&f, sizeof(f)), -EBADMSG);
    f = GOOD;
    f.head.literals = UINT64_MAX - 16;
    assert_int_equal(opens(&f, sizeof(f)), -EBADMSG);
    f = GOOD;
    f.pieces[1].at = 7; /* one byte behind the end */
    assert_int_equal(opens(&f, sizeof(f)), -EBADMSG);
    f = GOOD;
    f.pieces[1].at = UINT32_MAX;
    assert_int_equal(opens(&f, sizeof(f)), -EBADMSG);
    f = GOOD;
    f.pieces[1].bytes = 0;
    f.head.bytes = 8; /* no piece is empty: a text of nothing must not take time */
    assert_int_equal(opens(&f, sizeof(f)), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(limits),
        cmocka_unit_test(lies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
