/* base/bulk.c: only what is sealed, and not too large, is mapped. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bulk.h"

static void there_and_back(void **state)
{
    struct bulk b;
    int fd = bulk_make("hello", 5);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(bulk_map(fd, 5, &b), 0);
    (void)close(fd);
    assert_int_equal(b.bytes, 5);
    assert_memory_equal(b.data, "hello", 5);
    bulk_release(&b);
    bulk_release(&b);
    bulk_release(NULL);
    assert_null(b.data);
}

static void empty(void **state)
{
    struct bulk b = {(const unsigned char *)"x", 1};
    int fd = bulk_make(NULL, 0);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(bulk_map(fd, 0, &b), 0);
    assert_null(b.data);
    assert_int_equal(b.bytes, 0);
    bulk_release(&b);
    (void)close(fd);
}

static void too_large(void **state)
{
    struct bulk b = {0};
    int fd = bulk_make("123456", 6);

    (void)state;
    assert_int_equal(bulk_map(fd, 5, &b), -EFBIG);
    assert_int_equal(bulk_map(fd, 6, &b), 0);
    bulk_release(&b);
    (void)close(fd);
}

/* Each seal that is missing is one way to change the memory under the reader's eyes. */
static void seals(void **state)
{
    static const int all[] = {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE};
    struct bulk b = {0};

    (void)state;
    for (size_t missing = 0; missing <= 4; missing++) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int set = 0;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "abc", 3), 3);
        for (size_t i = 0; i < 4; i++)
            set |= i == missing ? 0 : all[i];
        assert_int_equal(fcntl(fd, F_ADD_SEALS, set), 0);
        assert_int_equal(bulk_map(fd, 100, &b), missing == 4 ? 0 : -EPERM);
        bulk_release(&b);
        (void)close(fd);
    }
}

static void no_memfd(void **state)
{
    struct bulk b = {0};
    int fds[2];
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(bulk_map(fd, 1 << 30, &b) < 0);
    (void)close(fd);
    assert_int_equal(pipe(fds), 0);
    assert_true(bulk_map(fds[0], 100, &b) < 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(bulk_map(-1, 100, &b), -EBADF);
    assert_null(b.data);
}

static void nobody_can_write(void **state)
{
    int fd = bulk_make("abc", 3);

    (void)state;
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(empty),
        cmocka_unit_test(too_large),      cmocka_unit_test(seals),
        cmocka_unit_test(no_memfd),       cmocka_unit_test(nobody_can_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
