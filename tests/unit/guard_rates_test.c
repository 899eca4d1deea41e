/*
 * guard/{rates,dataseg,mapline}.c: what may be written into a target, and nothing else. The target
 * is a copy of this process: its variables stand where ours do.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "guard/rates.h"

enum {
    PAGE = 4096,
    HEAP_RATE = 524288,
    FRACTION = 7,
};

/* The rates of the target: one with a value, two without, and what is no variable of it. */
static volatile uint64_t in_data = 1000;
static volatile uint64_t in_bss, also_in_bss;
static const uint64_t in_rodata = 5;

static struct {
    struct target target;
    struct guard_rates rates;
    struct plan plan;
    uint64_t *in_heap, *anonymous, *shared;
    pid_t pid;
} t;

static uint64_t address_of(const volatile uint64_t *word)
{
    return (uint64_t)(uintptr_t)word;
}

static uint64_t there(const volatile uint64_t *word)
{
    uint64_t v = UINT64_MAX;

    assert_int_equal(target_peek(&t.target, address_of(word), &v, sizeof(v)), sizeof(v));
    return v;
}

/* What the target does by itself. */
static void changes(const volatile uint64_t *word, uint64_t value)
{
    assert_int_equal(target_poke(&t.target, address_of(word), &value, sizeof(value)),
                     sizeof(value));
}

static void start_target(void)
{
    struct proc_stat st = {0};

    t.pid = fork();
    if (t.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            (void)pause();
    }
    assert_int_equal(proc_stat(t.pid, &st), 0);
    assert_int_equal(target_take(&t.target, t.pid, st.start_ticks), 0);
    guard_rates_found(&t.rates, &t.target);
}

static void end_target(void)
{
    (void)kill(t.pid, SIGKILL);
    (void)waitpid(t.pid, NULL, 0);
}

static void *map(int flags)
{
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

    assert_true(p != MAP_FAILED);
    return p;
}

static int begin(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    t.plan.rates = 1u << WIRE_RATE_HEAP | 1u << WIRE_RATE_MUTEX;
    t.plan.rate[WIRE_RATE_HEAP] = HEAP_RATE;
    t.plan.rate[WIRE_RATE_MUTEX] = FRACTION;
    guard_rates_init(&t.rates, &t.plan);
    t.in_heap = calloc(1, sizeof(uint64_t));
    t.anonymous = map(MAP_PRIVATE);
    t.shared = map(MAP_SHARED);
    if (target_init(&t.target) != 0)
        return -1;
    start_target();
    return 0;
}

static int end(void **state)
{
    (void)state;
    end_target();
    target_release(&t.target);
    (void)munmap(t.anonymous, PAGE);
    (void)munmap(t.shared, PAGE);
    free(t.in_heap);
    return 0;
}

static struct wire_rate_ask ask_for(uint32_t rate, const volatile uint64_t *word, uint64_t old)
{
    return (struct wire_rate_ask){.generation = t.target.wire.generation,
                                  .rate = rate,
                                  .address = address_of(word),
                                  .old = old};
}

static int try(uint32_t rate, const volatile uint64_t *word, uint64_t old)
{
    struct wire_rate_ask ask = ask_for(rate, word, old);

    return guard_rates_write(&t.rates, &t.target, &ask);
}

static uint32_t state_of(uint32_t rate)
{
    return t.target.wire.rate[rate].state;
}

/* --- what may be asked --- */

static void impossible_questions(void **state)
{
    struct wire_rate_ask ask = ask_for(WIRE_RATES, &in_data, 1000);

    (void)state;
    assert_int_equal(guard_rates_check(&t.rates, &t.target, &ask), -EPROTO); /* no such kind */
    ask = ask_for(WIRE_RATE_HEAP, &in_data, 1000);
    assert_int_equal(guard_rates_check(&t.rates, &t.target, &ask), 0);
    for (unsigned i = 1; i < 8; i++) {
        ask.address = address_of(&in_data) + i;
        assert_int_equal(guard_rates_check(&t.rates, &t.target, &ask), -EPROTO); /* unaligned */
    }
    ask = ask_for(WIRE_RATE_HEAP, &in_data, 1000);
    ask.zero = 1;
    assert_int_equal(guard_rates_check(&t.rates, &t.target, &ask), -EPROTO);
    ask.zero = 0;
    ask.state = WIRE_RATE_NOT_GO; /* an address, and a reason why there is none */
    assert_int_equal(guard_rates_check(&t.rates, &t.target, &ask), -EPROTO);
    assert_int_equal(guard_rates_write(&t.rates, &t.target, &ask), -EPROTO);
    assert_int_equal(there(&in_data), 1000);
}

static void reasons(void **state)
{
    struct wire_rate_ask ask = {.generation = t.target.wire.generation, .rate = WIRE_RATE_HEAP};

    (void)state;
    for (uint32_t s = 0; s < WIRE_RATE_STATES + 2; s++) {
        bool good = s >= WIRE_RATE_NOT_GO && s < WIRE_RATE_STATES;

        ask.state = s;
        assert_int_equal(guard_rates_check(&t.rates, &t.target, &ask), good ? 0 : -EPROTO);
    }
    ask.state = WIRE_RATE_NOT_FOUND;
    assert_int_equal(guard_rates_write(&t.rates, &t.target, &ask), 0);
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_NOT_FOUND);
    ask.rate = WIRE_RATE_BLOCK;
    assert_int_equal(guard_rates_write(&t.rates, &t.target, &ask), -EPERM);
    assert_int_equal(state_of(WIRE_RATE_BLOCK), WIRE_RATE_OFF);
}

static void not_in_the_plan(void **state)
{
    (void)state;
    assert_int_equal(try(WIRE_RATE_BLOCK, &in_bss, 0), -EPERM);
    assert_int_equal(there(&in_bss), 0);
    assert_int_equal(state_of(WIRE_RATE_BLOCK), WIRE_RATE_OFF);
}

static void another_target(void **state)
{
    struct wire_rate_ask ask = ask_for(WIRE_RATE_HEAP, &in_data, 1000);

    (void)state;
    ask.generation++;
    assert_int_equal(guard_rates_write(&t.rates, &t.target, &ask), -ESTALE);
    assert_int_equal(there(&in_data), 1000);
    end_target();
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), -ESRCH);
    target_drop(&t.target, WIRE_TARGET_WAITING, "");
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), -ESRCH);
}

/* --- where --- */

static void is_refused(const volatile uint64_t *word)
{
    guard_rates_found(&t.rates, &t.target);
    assert_int_equal(try(WIRE_RATE_HEAP, word, there(word)), -EACCES);
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_REFUSED);
}

static void outside_the_data_segment(void **state)
{
    uint64_t on_stack = 5;

    (void)state;
    is_refused(&in_rodata);
    is_refused(t.in_heap);
    is_refused(t.anonymous);
    is_refused(t.shared);
    is_refused((const uint64_t *)(const void *)stdout); /* the C library's variables */
    is_refused(&on_stack);
    guard_rates_found(&t.rates, &t.target);
    assert_int_equal(try(WIRE_RATE_HEAP, (const uint64_t *)8, 0), -EACCES); /* no memory at all */
    assert_int_equal(there(t.in_heap), 0);
    assert_int_equal(there(t.anonymous), 0);
}

/* A sampler that was taken over fills no log with them. */
static void refused_too_often(void **state)
{
    (void)state;
    for (int i = 0; i < RATES_REFUSALS_MAX; i++)
        assert_int_equal(try(WIRE_RATE_HEAP, t.in_heap, 0), -EACCES);
    assert_int_equal(try(WIRE_RATE_HEAP, t.in_heap, 0), -EALREADY);
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), -EALREADY);
    assert_int_equal(try(WIRE_RATE_MUTEX, &in_bss, 0), 0); /* each for itself */
    guard_rates_found(&t.rates, &t.target);                /* another target begins anew */
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
}

static void in_the_data_segment(void **state)
{
    (void)state;
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    assert_int_equal(try(WIRE_RATE_MUTEX, &in_bss, 0), 0);
    assert_int_equal(there(&in_data), HEAP_RATE);
    assert_int_equal(there(&in_bss), FRACTION);
    assert_int_equal(there(&also_in_bss), 0);
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_SET);
    assert_int_equal(t.target.wire.rate[WIRE_RATE_HEAP].old, 1000);
    assert_int_equal(t.target.wire.rate[WIRE_RATE_HEAP].value, HEAP_RATE);
    assert_true(t.target.wire.rate[WIRE_RATE_HEAP].set_real_ns > 0);
    guard_rates_restore(&t.rates, &t.target);
    assert_int_equal(there(&in_data), 1000);
    assert_int_equal(there(&in_bss), 0);
}

static void once(void **state)
{
    struct wire_rate_ask ask = ask_for(WIRE_RATE_HEAP, NULL, 0);

    (void)state;
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, HEAP_RATE), -EALREADY);
    assert_int_equal(try(WIRE_RATE_HEAP, &in_bss, 0), -EALREADY); /* nor elsewhere */
    ask.state = WIRE_RATE_NOT_FOUND;
    assert_int_equal(guard_rates_write(&t.rates, &t.target, &ask), -EALREADY);
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_SET);
    assert_int_equal(there(&in_bss), 0);
    guard_rates_restore(&t.rates, &t.target);
    assert_int_equal(there(&in_data), 1000);
}

/* --- what stands there --- */

static void another_value_than_was_read(void **state)
{
    (void)state;
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 999), -EAGAIN);
    assert_int_equal(there(&in_data), 1000);
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_WANTED);
}

static void no_rate(void **state)
{
    (void)state;
    changes(&in_data, RATES_OLD_MAX + 1);
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, RATES_OLD_MAX + 1), -ERANGE);
    assert_int_equal(there(&in_data), RATES_OLD_MAX + 1);
    guard_rates_found(&t.rates, &t.target);
    changes(&in_data, RATES_OLD_MAX);
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, RATES_OLD_MAX), 0);
    assert_int_equal(there(&in_data), HEAP_RATE);
}

static void it_is_so_already(void **state)
{
    (void)state;
    changes(&in_data, HEAP_RATE);
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, HEAP_RATE), 0);
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_ALREADY);
    changes(&in_data, 3);
    guard_rates_restore(&t.rates, &t.target); /* nothing was written, so nothing is restored */
    assert_int_equal(there(&in_data), 3);
}

static void somebody_else_changed_it(void **state)
{
    (void)state;
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    changes(&in_data, 77);
    guard_rates_restore(&t.rates, &t.target);
    assert_int_equal(there(&in_data), 77);
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_CHANGED);
}

/* Another program at the same place: our value there is its own. */
static void another_program(void **state)
{
    (void)state;
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    t.rates.rate[WIRE_RATE_HEAP].id.stack_end += PAGE;
    guard_rates_restore(&t.rates, &t.target);
    assert_int_equal(there(&in_data), HEAP_RATE);
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_CHANGED);
}

static void set_again_after_exec(void **state)
{
    (void)state;
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    t.rates.rate[WIRE_RATE_HEAP].id.stack_end += PAGE; /* as if it had been another program's */
    changes(&in_data, 1000);
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    assert_int_equal(there(&in_data), HEAP_RATE);
    guard_rates_restore(&t.rates, &t.target);
    assert_int_equal(there(&in_data), 1000);
}

/* --- reload --- */

static void the_key_goes_away(void **state)
{
    struct plan plan = t.plan;

    (void)state;
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    assert_int_equal(try(WIRE_RATE_MUTEX, &in_bss, 0), 0);
    assert_false(guard_rates_reload(&t.rates, &t.target, &plan));
    plan.rates = 1u << WIRE_RATE_MUTEX;
    plan.rate[WIRE_RATE_HEAP] = 0;
    assert_true(guard_rates_reload(&t.rates, &t.target, &plan));
    assert_int_equal(there(&in_data), 1000);
    assert_int_equal(there(&in_bss), FRACTION); /* its key is still there */
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_OFF);
    assert_int_equal(state_of(WIRE_RATE_MUTEX), WIRE_RATE_SET);
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), -EPERM);
}

/* A rate of 0 is written like any other: it switches off what the program records. */
static void switched_off(void **state)
{
    struct plan plan = t.plan;

    (void)state;
    plan.rate[WIRE_RATE_HEAP] = 0;
    assert_true(guard_rates_reload(&t.rates, &t.target, &plan));
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    assert_int_equal(there(&in_data), 0);
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_SET);
    guard_rates_restore(&t.rates, &t.target);
    assert_int_equal(there(&in_data), 1000);
}

static void the_key_changes(void **state)
{
    struct plan plan = t.plan;

    (void)state;
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    plan.rate[WIRE_RATE_HEAP] = 4096;
    plan.rate[WIRE_RATE_BLOCK] = 1;
    plan.rates |= 1u << WIRE_RATE_BLOCK;
    assert_true(guard_rates_reload(&t.rates, &t.target, &plan));
    assert_int_equal(there(&in_data), 1000);
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_WANTED);
    assert_int_equal(state_of(WIRE_RATE_BLOCK), WIRE_RATE_WANTED);
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    assert_int_equal(try(WIRE_RATE_BLOCK, &also_in_bss, 0), 0);
    assert_int_equal(there(&in_data), 4096);
    assert_int_equal(there(&also_in_bss), 1);
    guard_rates_restore(&t.rates, &t.target);
    assert_int_equal(there(&in_data), 1000);
    assert_int_equal(there(&also_in_bss), 0);
}

static void a_target_that_is_gone(void **state)
{
    (void)state;
    assert_int_equal(try(WIRE_RATE_HEAP, &in_data, 1000), 0);
    end_target();
    guard_rates_restore(&t.rates, &t.target);
    start_target();
    assert_int_equal(state_of(WIRE_RATE_HEAP), WIRE_RATE_WANTED);
    assert_int_equal(there(&in_data), 1000);
}

/* runtime.SetBlockProfileRate's rule; the clock's speed is this machine's. */
static void block_rates(void **state)
{
    static const uint64_t ns[] = {0, 1, 2, 10000, PLAN_RATE_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(ns) / sizeof(ns[0]); i++) {
        struct plan plan = {.rates = 1u << WIRE_RATE_BLOCK, .rate[WIRE_RATE_BLOCK] = ns[i]};
        struct guard_rates r;

        guard_rates_init(&r, &plan);
        assert_int_equal(r.rate[WIRE_RATE_BLOCK].wanted, ns[i]);
        assert_true(r.rate[WIRE_RATE_BLOCK].on);
        assert_int_equal(r.rate[WIRE_RATE_BLOCK].value == 0, ns[i] == 0);
        assert_true(r.rate[WIRE_RATE_BLOCK].value <= RATES_OLD_MAX);
        if (ns[i] == 1)
            assert_int_equal(r.rate[WIRE_RATE_BLOCK].value, 1);
        else if (ns[i] >= 10000) /* 100 MHz to 10 GHz */
            assert_true(r.rate[WIRE_RATE_BLOCK].value >= ns[i] / 10 &&
                        r.rate[WIRE_RATE_BLOCK].value <= ns[i] * 10);
    }
}

/* --- maps --- */

/* Is the address inside, with these lines? */
static bool inside(const char *const *lines, uint64_t address, uint64_t bytes)
{
    struct dataseg d;

    dataseg_begin(&d, "/bin/server", address, bytes);
    for (; *lines; lines++) {
        struct mapline line;

        assert_true(mapline_parse(*lines, &line));
        dataseg_line(&d, &line);
    }
    return d.inside;
}

static void data_segments(void **state)
{
    static const char *const lines[] = {
        "00400000-00500000 r-xp 00000000 08:01 42       /bin/server",
        "00500000-00600000 r--p 00100000 08:01 42       /bin/server",
        "00600000-00601000 rw-p 00200000 08:01 42       /bin/server (deleted)",
        "00601000-00602000 rw-p 00000000 00:00 0 ",
        "00602000-00603000 rw-p 00000000 00:00 0        [heap]",
        "00603000-00604000 rw-p 00000000 00:00 0 ",
        "00700000-00701000 rw-s 00000000 08:01 42       /bin/server",
        "00701000-00702000 rw-p 00000000 00:00 0 ",
        "00800000-00801000 rw-p 00000000 08:01 43       /bin/server",
        "00900000-00901000 rw-p 00000000 08:01 42       /bin/server2",
        "00a00000-00a01000 rw-p 00000000 08:02 42       /bin/server",
        "7ff000000000-7ff000010000 rw-p 00000000 00:00 0    [stack]",
        NULL};
    static const struct {
        uint64_t address;
        bool inside;
    } rows[] = {
        {0x400000, false}, {0x500000, false}, {0x5ffff8, false},       {0x600000, true},
        {0x600ff8, true},  {0x601000, true},  {0x601ff8, true},        {0x602000, false},
        {0x603000, false}, {0x700000, false}, {0x701000, false},       {0x800000, false},
        {0x900000, false}, {0xa00000, false}, {0x7ff000000000, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(inside(lines, rows[i].address, 8), rows[i].inside);
    assert_false(inside(lines, 0x600ffc, 8)); /* not across two mappings */
    assert_true(inside(lines, 0x600000, 0x1000));
    assert_false(inside(lines, 0x600000, 0x1001));
    assert_false(inside(lines, UINT64_MAX - 7, 8));
}

static void a_gap_ends_it(void **state)
{
    static const char *const lines[] = {
        "00600000-00601000 rw-p 00200000 08:01 42       /bin/server",
        "00602000-00603000 rw-p 00000000 00:00 0 ",
        "00603000-00604000 r--p 00000000 08:01 42       /bin/server",
        "00604000-00605000 rw-p 00000000 00:00 0 ", NULL};

    (void)state;
    assert_true(inside(lines, 0x600000, 8));
    assert_false(inside(lines, 0x602000, 8));
    assert_false(inside(lines, 0x604000, 8)); /* behind what is not to be written */
}

static void lines(void **state)
{
    static const char *const bad[] = {
        "",
        "00400000",
        "00400000-00500000",
        "00400000-00500000 r-x",
        "00400000-00500000 r-xp",
        "00400000-00500000 r-xp00000000 08:01 42 /a",
        "g0400000-00500000 r-xp 00000000 08:01 42 /a",
        "00400000-00500000 r-xp 00000000 08-01 42 /a",
        "00400000-00500000 r-xp 00000000 08:01  /a",
        "11111111111111111-00500000 r-xp 00000000 08:01 42 /a",
    };
    char path[] = "/a\\012b\\01 (deleted)";
    struct mapline line;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(mapline_parse(bad[i], &line));
    assert_true(mapline_parse("1000-2000 rw-p 00000000 08:01 42     /a b", &line));
    assert_int_equal(line.start, 0x1000);
    assert_int_equal(line.end, 0x2000);
    assert_int_equal(line.inode, 42);
    assert_true(line.writable && line.private);
    assert_string_equal(line.path, "/a b");
    assert_true(mapline_unescape(path));
    assert_string_equal(path, "/a\nb\\01");
    assert_false(mapline_unescape(path));
}

/* A path at the limit and one above. */
static void long_paths(void **state)
{
    static char text[PROC_PATH_BYTES + 64];
    int n = snprintf(text, sizeof(text), "1000-2000 rw-p 00000000 08:01 42 ");
    struct mapline line;

    (void)state;
    memset(text + n, '/', PROC_PATH_BYTES);
    text[n + PROC_PATH_BYTES] = '\0';
    assert_false(mapline_parse(text, &line));
    text[n + PROC_PATH_BYTES - 1] = '\0';
    assert_true(mapline_parse(text, &line));
    assert_int_equal(strlen(line.path), PROC_PATH_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(impossible_questions, begin, end),
        cmocka_unit_test_setup_teardown(reasons, begin, end),
        cmocka_unit_test_setup_teardown(not_in_the_plan, begin, end),
        cmocka_unit_test_setup_teardown(another_target, begin, end),
        cmocka_unit_test_setup_teardown(outside_the_data_segment, begin, end),
        cmocka_unit_test_setup_teardown(refused_too_often, begin, end),
        cmocka_unit_test_setup_teardown(in_the_data_segment, begin, end),
        cmocka_unit_test_setup_teardown(once, begin, end),
        cmocka_unit_test_setup_teardown(another_value_than_was_read, begin, end),
        cmocka_unit_test_setup_teardown(no_rate, begin, end),
        cmocka_unit_test_setup_teardown(it_is_so_already, begin, end),
        cmocka_unit_test_setup_teardown(somebody_else_changed_it, begin, end),
        cmocka_unit_test_setup_teardown(another_program, begin, end),
        cmocka_unit_test_setup_teardown(set_again_after_exec, begin, end),
        cmocka_unit_test_setup_teardown(the_key_goes_away, begin, end),
        cmocka_unit_test_setup_teardown(switched_off, begin, end),
        cmocka_unit_test_setup_teardown(the_key_changes, begin, end),
        cmocka_unit_test_setup_teardown(a_target_that_is_gone, begin, end),
        cmocka_unit_test(block_rates),
        cmocka_unit_test(data_segments),
        cmocka_unit_test(a_gap_ends_it),
        cmocka_unit_test(lines),
        cmocka_unit_test(long_paths),
    };

    return cmocka_run_group_tests_name("guard_rates", tests, NULL, NULL);
}
