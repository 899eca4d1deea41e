#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "sidecar/http/proxyv2.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static uint8_t header[PROXYV2_FIXED_BYTES + PROXYV2_MAX_BYTES + 64];

/* A header with ${length} bytes of which the first are an address; returns all its bytes. */
static size_t make(unsigned command, unsigned family, unsigned length)
{
    static const uint8_t v4[] = {203, 0, 113, 9, 10, 0, 0, 1, 0xc0, 0x01, 0x01, 0xbb};
    static const uint8_t v6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0,  0,    0,
                                 0,    0,    0,    7,    0, 0, 0, 0, 0, 0,  0,    0,
                                 0,    0,    0,    0,    0, 0, 0, 1, 0, 80, 0x01, 0xbb};

    memset(header, 0xee, sizeof(header));
    memcpy(header, SIGNATURE, 12);
    header[12] = (uint8_t)command;
    header[13] = (uint8_t)family;
    header[14] = (uint8_t)(length >> 8);
    header[15] = (uint8_t)length;
    if (family == 0x21)
        memcpy(header + 16, v6, sizeof(v6));
    else
        memcpy(header + 16, v4, sizeof(v4));
    return 16 + length;
}

/* In portions of ${step}; the result, and that no byte behind the header was wanted. */
static int feed(struct proxyv2 *p, const uint8_t *data, size_t bytes, size_t step)
{
    size_t used = 0;
    int r = -EAGAIN;

    proxyv2_init(p);
    while (r == -EAGAIN && used < bytes) {
        size_t n = proxyv2_wants(p);

        assert_true(n > 0);
        n = n < step ? n : step;
        n = n < bytes - used ? n : bytes - used;
        r = proxyv2_feed(p, data + used, n);
        used += n;
    }
    if (r == 0)
        assert_int_equal(proxyv2_wants(p), 0);
    return r;
}

static void test_good(void **state)
{
    static const struct {
        unsigned command, family, length;
        bool named;
        const char *address; /* 16 bytes */
        unsigned port;
    } rows[] = {
        {0x21, 0x11, 12, true, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x09", 0xc001},
        {0x21, 0x11, 12 + 7, true, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x09", 0xc001},
        {0x21, 0x11, PROXYV2_MAX_BYTES, true, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x09", 0xc001},
        {0x21, 0x21, 36, true, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 80},
        {0x21, 0x21, 36 + 300, true, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 80},
        {0x21, 0x00, 0, false, NULL, 0},
        {0x21, 0x00, 500, false, NULL, 0},
        {0x21, 0x31, 216, false, NULL, 0},
        {0x20, 0x00, 0, false, NULL, 0},
        {0x20, 0x11, 12, false, NULL, 0},
        {0x20, 0x99, 3, false, NULL, 0}, /* LOCAL: the family is not looked at */
    };
    struct proxyv2_source source;
    struct proxyv2 p;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t bytes = make(rows[i].command, rows[i].family, rows[i].length);

        for (size_t step = 1; step <= bytes; step += step < 20 ? 1 : 97) {
            assert_int_equal(feed(&p, header, sizeof(header), step), 0);
            assert_int_equal(p.have, bytes);
            proxyv2_result(&p, &source);
            assert_int_equal(source.named, rows[i].named);
            if (!rows[i].named)
                continue;
            assert_memory_equal(source.address, rows[i].address, 16);
            assert_int_equal(source.port, rows[i].port);
        }
    }
}

static void test_bad(void **state)
{
    static const struct {
        unsigned command, family, length;
    } rows[] = {
        {0x21, 0x11, PROXYV2_MAX_BYTES + 1}, /* too long */
        {0x20, 0x00, PROXYV2_MAX_BYTES + 1},
        {0x21, 0x11, 0xffff},
        {0x21, 0x11, 11}, /* too short for its addresses */
        {0x21, 0x21, 35},
        {0x21, 0x31, 215},
        {0x21, 0x12, 12}, /* UDP */
        {0x21, 0x22, 36},
        {0x21, 0x10, 12},
        {0x21, 0x01, 12},
        {0x21, 0x41, 36},
        {0x22, 0x11, 12}, /* unknown commands and versions */
        {0x11, 0x11, 12},
        {0x31, 0x11, 12},
        {0x2f, 0x11, 12},
    };
    struct proxyv2 p;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)make(rows[i].command, rows[i].family, rows[i].length);
        for (size_t step = 1; step <= 20; step++) {
            if (feed(&p, header, sizeof(header), step) != -EINVAL)
                fail_msg("row %zu by %zu", i, step);
        }
    }
}

/* What is no header is known by its first byte that cannot be one's. */
static void test_others(void **state)
{
    static const char *const texts[] = {
        "PROXY TCP4 203.0.113.9 10.0.0.1 49153 443\r\n", /* version 1 */
        "GET / HTTP/1.1\r\n",
        "\x16\x03\x01\x02\x00\x01",
        "\r\n\r\n\r\n",
        "\r\nGET /",
    };
    struct proxyv2 p;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(feed(&p, (const uint8_t *)texts[i], strlen(texts[i]), 1), -EINVAL);
        assert_true(p.have <= 5);
    }
    (void)make(0x21, 0x11, 12);
    for (size_t i = 0; i < 12; i++) { /* each byte of the signature counts */
        header[i] ^= 1;
        assert_int_equal(feed(&p, header, 28, 28), -EINVAL);
        header[i] ^= 1;
    }
    for (size_t i = 1; i < 28; i++)
        assert_int_equal(feed(&p, header, i, 28), -EAGAIN);
    proxyv2_init(&p);
    assert_int_equal(proxyv2_feed(&p, header, PROXYV2_FIXED_BYTES + 1),
                     -EINVAL); /* more than asked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
