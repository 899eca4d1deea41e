/* sampler/perf/ring.c over plain shared memory that plays the kernel, also a mad one. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/perf/ring.h"

static const struct record_shape shape = {.regs = 0};

struct fake {
    struct ring *ring;
    struct perf_event_mmap_page *control;
    uint8_t *data;
    size_t page, bytes;
};

static void fake_open(struct fake *f, uint32_t pages)
{
    int fd = memfd_create("ring", MFD_CLOEXEC);

    f->page = (size_t)sysconf(_SC_PAGESIZE);
    f->bytes = pages * f->page;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)(f->bytes + f->page)), 0);
    f->control = mmap(NULL, f->bytes + f->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(f->control != MAP_FAILED);
    f->data = (uint8_t *)f->control + f->page;
    assert_int_equal(ring_open(fd, pages, &f->ring), 0);
    assert_int_equal(ring_fd(f->ring), fd);
}

static void fake_close(struct fake *f)
{
    int fd = ring_fd(f->ring);

    ring_free(f->ring);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    (void)munmap(f->control, f->bytes + f->page);
}

/* A LOST record that carries a number, at the head; `size` bytes long in all (>= 64). */
static void fake_put(struct fake *f, uint64_t number, uint16_t size)
{
    static uint64_t word[RECORD_MAX_BYTES / 8];
    struct perf_event_header h = {.type = PERF_RECORD_LOST, .size = size};
    uint64_t head = f->control->data_head;

    memset(word, 0, size);
    memcpy(word, &h, sizeof(h));
    word[2] = number;
    for (size_t i = 0; i < size; i++)
        f->data[(head + i) % f->bytes] = ((uint8_t *)word)[i];
    f->control->data_head = head + size;
}

struct got {
    uint64_t count, sum;
    int stop_after;
};

static int each(void *ctx, const struct record *rec)
{
    struct got *g = ctx;

    assert_int_equal(rec->kind, RECORD_LOST);
    g->count++;
    g->sum += rec->lost;
    return g->stop_after && g->count == (uint64_t)g->stop_after;
}

static void test_open_limits(void **state)
{
    static const uint32_t bad[] = {0, 3, 6, 8192, UINT32_MAX};
    struct ring *r;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = memfd_create("ring", MFD_CLOEXEC);

        assert_int_equal(ring_open(fd, bad[i], &r), -EINVAL);
        assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken over all the same */
    }
    assert_int_equal(ring_open(-1, 1, &r), -EINVAL);
    ring_free(NULL);
}

/* Many times around, with sizes that put the end of the ring everywhere into a record. */
static void test_wrap(void **state)
{
    uint64_t bad = 0, sum = 0;
    struct got g = {0};
    struct fake f;

    (void)state;
    fake_open(&f, 1);
    for (uint64_t i = 0; i < 2000; i++) {
        fake_put(&f, i, (uint16_t)(64 + 8 * (i % 37)));
        sum += i;
        if (i % 3 == 0)
            assert_in_range(ring_read(f.ring, &shape, each, &g, 100, &bad), 1, 3);
    }
    (void)ring_read(f.ring, &shape, each, &g, 100, &bad);
    assert_int_equal(g.count, 2000);
    assert_int_equal(g.sum, sum);
    assert_int_equal(bad, 0);
    assert_int_equal(f.control->data_tail, f.control->data_head);
    fake_close(&f);
}

static void test_stop_and_max(void **state)
{
    struct got g = {.stop_after = 2};
    uint64_t bad = 0;
    struct fake f;

    (void)state;
    fake_open(&f, 1);
    for (uint64_t i = 0; i < 10; i++)
        fake_put(&f, 1, 64);
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), 2);
    g.stop_after = 0;
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 3, &bad), 3);
    assert_int_equal(f.control->data_tail, 5 * 64);
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 0, &bad), 0);
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), 5);
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), 0);
    assert_int_equal(g.count, 10);
    fake_close(&f);
}

/* A record that cannot be parsed is counted, and the next one is read. */
static void test_bad_record(void **state)
{
    uint64_t bad = 0;
    struct got g = {0};
    struct fake f;

    (void)state;
    fake_open(&f, 1);
    fake_put(&f, 1, 64);
    fake_put(&f, 1, 32); /* no room for its trailer */
    fake_put(&f, 1, 64);
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), 3);
    assert_int_equal(g.count, 2);
    assert_int_equal(bad, 1);
    fake_close(&f);
}

static void test_broken(void **state)
{
    static const uint16_t sizes[] = {0, 4, 12, 72, 65535};
    uint64_t bad = 0;
    struct got g = {0};
    struct fake f;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        fake_open(&f, 1);
        fake_put(&f, 1, 64);
        memcpy(f.data + offsetof(struct perf_event_header, size), &sizes[i], sizeof(sizes[i]));
        assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), -EBADMSG);
        assert_int_equal(f.control->data_tail, f.control->data_head);
        g = (struct got){0};
        fake_put(&f, 5, 64); /* it goes on after that */
        assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), 1);
        assert_int_equal(g.sum, 5);
        fake_close(&f);
    }
}

static void test_mad_head(void **state)
{
    uint64_t bad = 0;
    struct got g = {0};
    struct fake f;

    (void)state;
    fake_open(&f, 2);
    f.control->data_head = f.bytes + 8; /* more than fits */
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), -EBADMSG);
    f.control->data_head = 8; /* backwards */
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), -EBADMSG);
    f.control->data_head = 9; /* not a multiple of 8 */
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), -EBADMSG);
    f.control->data_head = UINT64_MAX;
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), -EBADMSG);
    f.control->data_head = UINT64_MAX - 7;
    f.control->data_offset = UINT64_C(1) << 40; /* never looked at */
    f.control->data_size = UINT64_C(1) << 40;
    assert_int_equal(ring_read(f.ring, &shape, each, &g, 100, &bad), 0);
    assert_int_equal(g.count, 0);
    fake_close(&f);
}

static void test_hup(void **state)
{
    struct fake f;

    (void)state;
    fake_open(&f, 1);
    assert_int_equal(ring_is_hup(f.ring), 0);
    ring_set_hup(f.ring);
    assert_int_equal(ring_is_hup(f.ring), 1);
    fake_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_limits),  cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_stop_and_max), cmocka_unit_test(test_bad_record),
        cmocka_unit_test(test_broken),       cmocka_unit_test(test_mad_head),
        cmocka_unit_test(test_hup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
