/*
 * file.c: blocks, short files, strings.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/symbols/file.h"

enum {
    BLOCKS = FILE_CACHE_BLOCKS + 3, /* more than the cache holds */
    BYTES = BLOCKS * FILE_BLOCK_BYTES + 100,
};

static unsigned char byte_at(uint64_t i)
{
    return (unsigned char)(i ^ (i >> 8) ^ (i >> 16) * 7);
}

/* A file of BYTES known bytes; *ret_fd stays the test's. */
static struct file *known_file(int *ret_fd)
{
    unsigned char *all = malloc(BYTES);
    struct file *f;

    *ret_fd = memfd_create("known", MFD_CLOEXEC);
    assert_non_null(all);
    for (uint64_t i = 0; i < BYTES; i++)
        all[i] = byte_at(i);
    assert_int_equal(write(*ret_fd, all, BYTES), BYTES);
    free(all);
    assert_int_equal(file_open(dup(*ret_fd), &f), 0);
    return f;
}

static void check_range(struct file *f, uint64_t offset, size_t bytes)
{
    unsigned char *out = malloc(bytes + 1);

    assert_non_null(out);
    assert_int_equal(file_read(f, offset, out, bytes), 0);
    for (size_t i = 0; i < bytes; i++)
        if (out[i] != byte_at(offset + i))
            fail_msg("byte %zu of [%zu, +%zu)", i, (size_t)offset, bytes);
    free(out);
}

static void test_reads(void **state)
{
    int fd;
    struct file *f = known_file(&fd);
    unsigned char c;

    (void)state;
    assert_int_equal(file_bytes(f), BYTES);
    check_range(f, 0, 1);
    check_range(f, 0, 0);
    check_range(f, FILE_BLOCK_BYTES - 1, 2);
    check_range(f, FILE_BLOCK_BYTES - 1, FILE_BLOCK_BYTES + 2);
    check_range(f, BYTES - 1, 1);
    check_range(f, BYTES - 200, 200);
    check_range(f, 5, 3 * FILE_BLOCK_BYTES);
    check_range(f, 0, BYTES);
    /* each block twice, in an order that pushes each out of the cache once */
    for (int turn = 0; turn < 2; turn++)
        for (uint64_t b = 0; b < BLOCKS; b++)
            check_range(f, b * FILE_BLOCK_BYTES + 17, 50);
    file_trim(f);
    check_range(f, 12345, 678);
    assert_int_equal(file_read(f, BYTES, &c, 1), -EFAULT);
    assert_int_equal(file_read(f, BYTES - 1, &(unsigned char[2]){0}, 2), -EFAULT);
    assert_int_equal(file_read(f, UINT64_MAX, &c, 1), -EFAULT);
    assert_int_equal(file_read(f, (uint64_t)INT64_MAX, &c, 1), -EFAULT);
    assert_int_equal(file_read(f, INT64_MAX - 10, &(unsigned char[64]){0}, 64), -EFAULT);
    file_free(f);
    close(fd);
}

/* The file is cut while it is read: an error, no SIGBUS, no stale size believed. */
static void test_truncated(void **state)
{
    static unsigned char big[2 * FILE_BLOCK_BYTES];
    int fd;
    struct file *f = known_file(&fd);
    unsigned char c;

    (void)state;
    assert_int_equal(ftruncate(fd, FILE_BLOCK_BYTES + 10), 0);
    assert_int_equal(file_bytes(f), BYTES);
    check_range(f, FILE_BLOCK_BYTES, 10);
    assert_int_equal(file_read(f, FILE_BLOCK_BYTES + 10, &c, 1), -EFAULT);
    assert_int_equal(file_read(f, 3 * FILE_BLOCK_BYTES, &c, 1), -EFAULT);
    assert_int_equal(file_read(f, 0, big, sizeof big), -EFAULT);
    /* a hole of many exabytes costs nothing */
    assert_int_equal(ftruncate(fd, INT64_MAX - 4096), 0);
    assert_int_equal(file_read(f, INT64_MAX - 2 * FILE_BLOCK_BYTES, &c, 1), 0);
    assert_int_equal(c, 0);
    file_free(f);
    close(fd);
}

static void test_not_a_file(void **state)
{
    struct file *f;
    int pair[2];

    (void)state;
    assert_int_equal(file_open(-1, &f), -EBADF);
    assert_int_equal(file_open(open("/", O_RDONLY | O_CLOEXEC), &f), -EINVAL);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(file_open(pair[0], &f), -EINVAL);
    assert_int_equal(fcntl(pair[0], F_GETFD), -1); /* taken over on failure, too */
    close(pair[1]);
    file_free(NULL);
    file_trim(NULL);
}

static void test_bytes(void **state)
{
    const char data[] = "abc";
    struct file *f;
    char out[4];

    (void)state;
    assert_int_equal(file_from_bytes(data, 3, &f), 0);
    assert_int_equal(file_bytes(f), 3);
    assert_int_equal(file_read(f, 0, out, 3), 0);
    assert_memory_equal(out, "abc", 3);
    assert_int_equal(file_read(f, 1, out, 3), -EFAULT);
    assert_int_equal(file_read(f, 3, out, 1), -EFAULT);
    file_free(f);
    assert_int_equal(file_from_bytes(NULL, 0, &f), 0);
    assert_int_equal(file_read(f, 0, out, 1), -EFAULT);
    assert_int_equal(file_string(f, 0, 1, out, sizeof out), -EFAULT);
    file_free(f);
}

static void test_strings(void **state)
{
    static char data[3 * FILE_BLOCK_BYTES];
    char out[FILE_STRING_MAX_BYTES + 10];
    struct file *f;
    int fd = memfd_create("strings", MFD_CLOEXEC);
    const size_t edge = FILE_BLOCK_BYTES - 3, longest = FILE_BLOCK_BYTES + 100;

    (void)state;
    memcpy(data, "one\0two", 8);
    memcpy(data + edge, "across", 7);
    memset(data + longest, 'x', FILE_STRING_MAX_BYTES);
    assert_int_equal(write(fd, data, sizeof data), (ssize_t)sizeof data);
    assert_int_equal(file_open(fd, &f), 0);
    assert_int_equal(file_string(f, 0, 100, out, sizeof out), 3);
    assert_string_equal(out, "one");
    assert_int_equal(file_string(f, 4, 8, out, sizeof out), 3); /* its NUL is the last allowed */
    assert_string_equal(out, "two");
    assert_int_equal(file_string(f, 4, 7, out, sizeof out), -EFAULT);
    assert_int_equal(file_string(f, 8, 8, out, sizeof out), -EFAULT);
    assert_int_equal(file_string(f, 9, 8, out, sizeof out), -EFAULT);
    assert_int_equal(file_string(f, edge, sizeof data, out, sizeof out), 6);
    assert_string_equal(out, "across");
    assert_int_equal(file_string(f, edge, sizeof data, out, 4), 6);
    assert_string_equal(out, "acr");
    assert_int_equal(file_string(f, edge, sizeof data, out, 1), 6);
    assert_string_equal(out, "");
    assert_int_equal(file_string(f, edge, sizeof data, NULL, 0), 6);
    assert_int_equal(file_string(f, longest, sizeof data, out, sizeof out), FILE_STRING_MAX_BYTES);
    assert_int_equal(strlen(out), FILE_STRING_MAX_BYTES);
    assert_int_equal(file_string(f, longest + 1, sizeof data, out, sizeof out),
                     FILE_STRING_MAX_BYTES - 1);
    assert_int_equal(file_string(f, sizeof data - 1, UINT64_MAX, out, sizeof out), 0);
    assert_int_equal(file_string(f, sizeof data, UINT64_MAX, out, sizeof out), -EFAULT);
    file_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),      cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_not_a_file), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
