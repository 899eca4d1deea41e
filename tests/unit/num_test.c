/* base/num.c: whole texts only, at each limit and one above. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/num.h"

static int u64(const char *s, unsigned base, uint64_t max, uint64_t *ret)
{
    return num_u64(s, strlen(s), base, max, ret);
}

static void plain(void **state)
{
    uint64_t v = 7;

    (void)state;
    assert_int_equal(u64("0", 10, 0, &v), 0);
    assert_int_equal(v, 0);
    assert_int_equal(u64("18446744073709551615", 10, UINT64_MAX, &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(u64("ffffFFFFffffFFFF", 16, UINT64_MAX, &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(u64("00042", 10, 100, &v), 0);
    assert_int_equal(v, 42);
}

static void refused(void **state)
{
    static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "1x", "0x1", "1.0", "a", "1_0"};
    uint64_t v = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(u64(bad[i], 10, UINT64_MAX, &v), -EINVAL);
    assert_int_equal(u64("18446744073709551616", 10, UINT64_MAX, &v), -ERANGE);
    assert_int_equal(u64("99999999999999999999999", 10, UINT64_MAX, &v), -ERANGE);
    assert_int_equal(u64("10000000000000000", 16, UINT64_MAX, &v), -ERANGE);
    assert_int_equal(u64("100", 10, 99, &v), -ERANGE);
    assert_int_equal(u64("99", 10, 99, &v), 0);
    assert_int_equal(v, 99);
    v = 7;
    assert_int_equal(num_u64("12\0", 3, 10, 100, &v), -EINVAL);
    assert_int_equal(v, 7); /* untouched by a failure */
}

static void any_base(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint64_t value;
    } rows[] = {
        {"10", 0, 10},
        {"0x10", 0, 16},
        {"0XfF", 0, 255},
        {"010", 0, 8},
        {"0o17", 0, 15},
        {"0b101", 0, 5},
        {"0", 0, 0},
        {"0x", -EINVAL, 0},
        {"0b", -EINVAL, 0},
        {"08", -EINVAL, 0},
        {"0b2", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"x10", -EINVAL, 0},
        {"0x-1", -EINVAL, 0},
        {"0o8", -EINVAL, 0},
        {"00", 0, 0},
        {"0x1ffffffffffffffff", -ERANGE, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t v = 99;

        assert_int_equal(num_any(rows[i].text, strlen(rows[i].text), UINT64_MAX, &v),
                         rows[i].result);
        assert_int_equal(v, rows[i].result ? 99 : rows[i].value);
    }
}

static int ms(const char *s, uint64_t max, uint64_t *ret)
{
    return num_duration_ms(s, strlen(s), max, ret);
}

static void durations(void **state)
{
    static const char *const bad[] = {"",   "s",   "10",   "1.5s",   "1 s",  "-1s", "s1",
                                      "1S", "1ss", "1h1m", "500 ms", "1msx", "00",  "0x1s"};
    uint64_t v = 7;

    (void)state;
    assert_int_equal(ms("500ms", 500, &v), 0);
    assert_int_equal(v, 500);
    assert_int_equal(ms("501ms", 500, &v), -ERANGE);
    assert_int_equal(ms("10s", 10000, &v), 0);
    assert_int_equal(v, 10000);
    assert_int_equal(ms("10s", 9999, &v), -ERANGE);
    assert_int_equal(ms("5m", UINT64_MAX, &v), 0);
    assert_int_equal(v, 300000);
    assert_int_equal(ms("24h", UINT64_MAX, &v), 0);
    assert_int_equal(v, 86400000);
    assert_int_equal(ms("30d", UINT64_MAX, &v), 0);
    assert_int_equal(v, UINT64_C(2592000000));
    assert_int_equal(ms("0", 10, &v), 0);
    assert_int_equal(v, 0);
    assert_int_equal(ms("0s", 10, &v), 0);
    /* the product would overflow */
    assert_int_equal(ms("18446744073709551615d", UINT64_MAX, &v), -ERANGE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ms(bad[i], UINT64_MAX, &v), -EINVAL);
}

static void sizes(void **state)
{
    static const char *const bad[] = {"", "KiB", "1kib", "1KB", "1 KiB", "-1", "1TiB", "1B"};
    uint64_t v = 7;

    (void)state;
    assert_int_equal(num_size_bytes("512", 3, 512, &v), 0);
    assert_int_equal(v, 512);
    assert_int_equal(num_size_bytes("513", 3, 512, &v), -ERANGE);
    assert_int_equal(num_size_bytes("64KiB", 5, UINT64_MAX, &v), 0);
    assert_int_equal(v, 65536);
    assert_int_equal(num_size_bytes("256MiB", 6, UINT64_MAX, &v), 0);
    assert_int_equal(v, 268435456);
    assert_int_equal(num_size_bytes("1GiB", 4, 1 << 30, &v), 0);
    assert_int_equal(v, 1 << 30);
    assert_int_equal(num_size_bytes("1GiB", 4, (1 << 30) - 1, &v), -ERANGE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(num_size_bytes(bad[i], strlen(bad[i]), UINT64_MAX, &v), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),     cmocka_unit_test(refused), cmocka_unit_test(any_base),
        cmocka_unit_test(durations), cmocka_unit_test(sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
