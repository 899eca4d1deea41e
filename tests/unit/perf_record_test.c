/* sampler/perf/record.c: records put together word by word, and cut at every length. */
#include <errno.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampler/perf/record.h"

enum {
    WORDS_MAX = RECORD_MAX_BYTES / 8,
    REGS = 1 << 6 | 1 << 7 | 1 << 22,
};

static const struct record_shape shape = {.regs = REGS};

struct made {
    uint64_t word[WORDS_MAX];
    size_t count;
};

static void put(struct made *m, uint64_t word)
{
    assert_true(m->count < WORDS_MAX);
    m->word[m->count++] = word;
}

static void begin(struct made *m, uint32_t type, uint16_t misc)
{
    struct perf_event_header h = {.type = type, .misc = misc};

    m->count = 0;
    put(m, 0);
    memcpy(m->word, &h, sizeof(h));
}

static int parse(struct made *m, struct record *ret)
{
    struct perf_event_header h;

    memcpy(&h, m->word, sizeof(h));
    h.size = (uint16_t)(m->count * 8);
    memcpy(m->word, &h, sizeof(h));
    return record_parse(m->word, m->count * 8, &shape, ret);
}

static uint64_t pair(uint32_t first, uint32_t second)
{
    return (uint64_t)second << 32 | first;
}

static void trailer(struct made *m)
{
    put(m, pair(100, 101));
    put(m, 5555);
    put(m, 43);
    put(m, pair(3, 0));
    put(m, 42);
}

static void sample_head(struct made *m, uint16_t misc)
{
    begin(m, PERF_RECORD_SAMPLE, misc);
    put(m, 42);             /* identifier */
    put(m, 0x401000);       /* ip */
    put(m, pair(100, 101)); /* pid, tid */
    put(m, 5555);           /* time */
    put(m, 43);             /* stream */
    put(m, pair(3, 0));     /* cpu, res */
    put(m, 10000000);       /* period */
}

static void sample(struct made *m)
{
    sample_head(m, PERF_RECORD_MISC_USER);
    put(m, 3);
    put(m, PERF_CONTEXT_USER);
    put(m, 0x401000);
    put(m, 0x402000);
    put(m, PERF_SAMPLE_REGS_ABI_64);
    put(m, 0x6666);
    put(m, 0x7777);
    put(m, 0x2222);
    put(m, 16);
    put(m, 0x1111111111111111);
    put(m, 0x2222222222222222);
    put(m, 8);
}

static void test_sample(void **state)
{
    static struct made m;
    struct record r;

    (void)state;
    sample(&m);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.kind, RECORD_SAMPLE);
    assert_int_equal(r.id, 42);
    assert_int_equal(r.stream, 43);
    assert_int_equal(r.ip, 0x401000);
    assert_int_equal(r.pid, 100);
    assert_int_equal(r.tid, 101);
    assert_int_equal(r.time_ns, 5555);
    assert_int_equal(r.cpu, 3);
    assert_int_equal(r.period_ns, 10000000);
    assert_int_equal(r.user, 1);
    assert_int_equal(r.chain_count, 3);
    assert_int_equal(r.chain[2], 0x402000);
    assert_int_equal(r.regs_valid, 1);
    assert_int_equal(r.regs[6], 0x6666);
    assert_int_equal(r.regs[7], 0x7777);
    assert_int_equal(r.regs[22], 0x2222);
    assert_int_equal(r.regs[8], 0);
    assert_int_equal(r.stack_bytes, 8);
    assert_int_equal(r.stack[7], 0x11);
}

/* Cut after each word, a sample is broken; with words behind it, it is not (a newer kernel). */
static void test_sample_cut(void **state)
{
    static struct made m;
    struct record r;
    size_t whole;

    (void)state;
    sample(&m);
    whole = m.count;
    for (m.count = 1; m.count < whole; m.count++)
        assert_int_equal(parse(&m, &r), -EBADMSG);
    m.count = whole;
    put(&m, 9);
    assert_int_equal(parse(&m, &r), 0);
}

static void test_sample_without(void **state)
{
    static struct made m;
    struct record r;

    (void)state;
    sample_head(&m, PERF_RECORD_MISC_KERNEL);
    put(&m, 0);                         /* no chain */
    put(&m, PERF_SAMPLE_REGS_ABI_NONE); /* no registers follow */
    put(&m, 0);                         /* no stack: no dyn_size either */
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.user, 0);
    assert_int_equal(r.chain_count, 0);
    assert_int_equal(r.regs_valid, 0);
    assert_int_equal(r.stack_bytes, 0);
    assert_null(r.stack);
    /* a 32-bit target: registers are there, but not as we read them */
    sample_head(&m, PERF_RECORD_MISC_USER);
    put(&m, 0);
    put(&m, PERF_SAMPLE_REGS_ABI_32);
    put(&m, 1);
    put(&m, 2);
    put(&m, 3);
    put(&m, 0);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.regs_valid, 0);
}

static void chain_of(struct made *m, uint64_t said, size_t real)
{
    sample_head(m, PERF_RECORD_MISC_USER);
    put(m, said);
    for (size_t i = 0; i < real; i++)
        put(m, i);
    put(m, PERF_SAMPLE_REGS_ABI_NONE);
    put(m, 0);
}

static void test_chain_lengths(void **state)
{
    static struct made m;
    struct record r;

    (void)state;
    chain_of(&m, RECORD_CHAIN_MAX, RECORD_CHAIN_MAX);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.chain_count, RECORD_CHAIN_MAX);
    chain_of(&m, RECORD_CHAIN_MAX + 1, RECORD_CHAIN_MAX + 1);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.chain_count, RECORD_CHAIN_MAX);
    chain_of(&m, 10, 5);
    assert_int_equal(parse(&m, &r), -EBADMSG);
    chain_of(&m, UINT64_MAX, 5);
    assert_int_equal(parse(&m, &r), -EBADMSG);
    chain_of(&m, UINT64_C(1) << 61, 5); /* times 8 it would be 0 */
    assert_int_equal(parse(&m, &r), -EBADMSG);
}

static void stack_of(struct made *m, uint64_t bytes, size_t words, uint64_t copied)
{
    sample_head(m, PERF_RECORD_MISC_USER);
    put(m, 0);
    put(m, PERF_SAMPLE_REGS_ABI_NONE);
    put(m, bytes);
    for (size_t i = 0; i < words; i++)
        put(m, i);
    put(m, copied);
}

static void test_stack_lengths(void **state)
{
    static struct made m;
    struct record r;

    (void)state;
    stack_of(&m, 256, 32, 256);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.stack_bytes, 256);
    stack_of(&m, 256, 32, 257);
    assert_int_equal(parse(&m, &r), -EBADMSG);
    stack_of(&m, 264, 32, 0);
    assert_int_equal(parse(&m, &r), -EBADMSG);
    stack_of(&m, 255, 32, 0);
    assert_int_equal(parse(&m, &r), -EBADMSG);
    stack_of(&m, UINT64_MAX - 7, 32, 0);
    assert_int_equal(parse(&m, &r), -EBADMSG);
}

static void test_tasks(void **state)
{
    static struct made m;
    struct record r;

    (void)state;
    begin(&m, PERF_RECORD_FORK, 0);
    put(&m, pair(7, 8));  /* pid, ppid */
    put(&m, pair(9, 10)); /* tid, ptid */
    put(&m, 77);
    trailer(&m);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.kind, RECORD_FORK);
    assert_int_equal(r.pid, 7);
    assert_int_equal(r.ppid, 8);
    assert_int_equal(r.tid, 9);
    assert_int_equal(r.ptid, 10);
    assert_int_equal(r.time_ns, 5555);
    assert_int_equal(r.id, 42);
    assert_int_equal(r.stream, 43);
    m.count = 6; /* only the trailer would fit */
    assert_int_equal(parse(&m, &r), -EBADMSG);
    begin(&m, PERF_RECORD_EXIT, 0);
    put(&m, pair(7, 8));
    put(&m, pair(9, 10));
    put(&m, 77);
    trailer(&m);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.kind, RECORD_EXIT);
    assert_int_equal(r.tid, 9);
}

static void test_others(void **state)
{
    static struct made m;
    struct record r;

    (void)state;
    begin(&m, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC);
    put(&m, pair(7, 9));
    put(&m, 0x706d6574); /* "temp" */
    trailer(&m);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.kind, RECORD_COMM);
    assert_int_equal(r.exec, 1);
    assert_int_equal(r.pid, 7);
    assert_int_equal(r.tid, 9);
    begin(&m, PERF_RECORD_LOST, 0);
    put(&m, 42);
    put(&m, 1234);
    trailer(&m);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.kind, RECORD_LOST);
    assert_int_equal(r.lost, 1234);
    begin(&m, PERF_RECORD_MMAP, 0);
    put(&m, pair(7, 9));
    trailer(&m);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.kind, RECORD_MMAP);
    begin(&m, 9999, 0);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(r.kind, RECORD_OTHER);
}

static void test_frame(void **state)
{
    static struct made m;
    struct record_shape wide = {.regs = UINT64_C(1) << 31};
    struct record r;

    (void)state;
    sample(&m);
    assert_int_equal(parse(&m, &r), 0);
    assert_int_equal(record_parse(m.word, m.count * 8 - 8, &shape, &r), -EBADMSG);
    assert_int_equal(record_parse(m.word, m.count * 8 + 8, &shape, &r), -EBADMSG);
    assert_int_equal(record_parse((const char *)m.word + 4, m.count * 8, &shape, &r), -EBADMSG);
    assert_int_equal(record_parse(m.word, 4, &shape, &r), -EBADMSG);
    assert_int_equal(record_parse(m.word, RECORD_MAX_BYTES + 8, &shape, &r), -EBADMSG);
    assert_int_equal(record_parse(m.word, m.count * 8, &wide, &r), -EBADMSG); /* other layout */
    wide.regs = UINT64_C(1) << 32;
    assert_int_equal(record_parse(m.word, m.count * 8, &wide, &r), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),         cmocka_unit_test(test_sample_cut),
        cmocka_unit_test(test_sample_without), cmocka_unit_test(test_chain_lengths),
        cmocka_unit_test(test_stack_lengths),  cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_others),         cmocka_unit_test(test_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
