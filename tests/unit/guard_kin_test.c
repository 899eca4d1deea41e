/*
 * guard/kin.c and guard/members.c: who belongs to a target with target.all. The tables are as /proc
 * may tell them; then real processes that come, go, and are more than fit.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "guard/members.h"
#include "wire/codec.h"

static struct kin_row row(pid_t pid, pid_t ppid, uint64_t start)
{
    return (struct kin_row){.pid = pid, .ppid = ppid, .start_ticks = start};
}

static struct kin_row matching(pid_t pid, pid_t ppid, uint64_t start)
{
    struct kin_row r = row(pid, ppid, start);

    r.match = true;
    return r;
}

/* ---- Tables */

static void a_tree(void **state)
{
    struct kin_row t[] = {row(1, 0, 1),    row(7, 1, 5),    matching(20, 1, 10), row(21, 20, 11),
                          row(30, 21, 12), row(22, 20, 13), row(40, 7, 14)};

    (void)state;
    assert_int_equal(kin_close(t, 7, NULL, NULL), 4);
    assert_int_equal(t[0].pid, 20); /* the common ancestor first, then by age */
    assert_int_equal(t[1].pid, 21);
    assert_int_equal(t[2].pid, 30);
    assert_int_equal(t[3].pid, 22);
    assert_true(t[0].apart);
    assert_false(t[1].apart || t[2].apart || t[3].apart);
    assert_false(t[4].in);
}

static void two_families(void **state)
{
    struct kin_row t[] = {matching(90, 1, 20), row(91, 90, 21), matching(50, 1, 30),
                          matching(51, 50, 31)};

    (void)state;
    assert_int_equal(kin_close(t, 4, NULL, NULL), 4);
    assert_int_equal(t[0].pid, 90); /* the eldest, not the lowest number */
    assert_true(t[0].apart);
    assert_int_equal(t[2].pid, 50);
    assert_true(t[2].apart);
    assert_false(t[3].apart); /* it matches, and its parent is in too */
}

/* After the numbers wrapped around, a child's is lower; within one tick nothing tells who is older.
 */
static void wrapped_numbers(void **state)
{
    struct kin_row t[] = {row(3, 900, 10), matching(900, 1, 10), row(4, 3, 10)};

    (void)state;
    assert_int_equal(kin_close(t, 3, NULL, NULL), 3);
    assert_int_equal(t[0].pid, 900);
}

/* The parent's number was given away: a parent is never younger than its child. */
static void a_reused_number(void **state)
{
    struct kin_row t[] = {matching(20, 1, 500), row(21, 20, 100)};

    (void)state;
    assert_int_equal(kin_close(t, 2, NULL, NULL), 1);
    assert_int_equal(t[0].pid, 20);
}

static void rings_and_selves(void **state)
{
    struct kin_row ring[] = {row(5, 6, 1), row(6, 5, 1), row(7, 7, 1)};
    struct kin_row in[] = {matching(5, 6, 1), row(6, 5, 1), row(7, 7, 1)};

    (void)state;
    assert_int_equal(kin_close(ring, 3, NULL, NULL), 0);
    assert_int_equal(kin_close(in, 3, NULL, NULL), 2);
    assert_int_equal(kin_close(NULL, 0, NULL, NULL), 0);
}

static void never_ours(void **state)
{
    struct kin_row t[] = {matching(10, 1, 1), row(11, 10, 2), row(12, 11, 3), row(13, 10, 4)};

    (void)state;
    t[1].never = true;
    assert_int_equal(kin_close(t, 4, NULL, NULL), 2); /* nor what descends from it */
    assert_int_equal(t[1].pid, 13);
}

static bool not_12(void *ctx, pid_t parent, pid_t child)
{
    ++*(int *)ctx;
    return child != 12 && parent != 0;
}

static void other_containers(void **state)
{
    struct kin_row t[] = {matching(10, 1, 1), row(12, 10, 2), row(13, 12, 3), row(14, 10, 4)};
    int asked = 0;

    (void)state;
    assert_int_equal(kin_close(t, 4, not_12, &asked), 2);
    assert_int_equal(asked, 2); /* once each */
}

static void deep_chains(void **state)
{
    enum { LONG = 3000 };
    struct kin_row *t = calloc(LONG, sizeof(*t));

    (void)state;
    assert_non_null(t);
    for (int i = 0; i < LONG; i++)
        t[i] = row(100 + i, 99 + i, (uint64_t)i);
    t[0].match = true;
    assert_int_equal(kin_close(t, LONG, NULL, NULL), LONG); /* in the order of numbers: one pass */
    for (int i = 0; i < LONG; i++)
        t[i] = row(100 + i, 101 + i, (uint64_t)(LONG - i));
    t[LONG - 1].match = true;
    /* against it each pass finds one: as many as there are passes, and no more time than that */
    assert_int_equal(kin_close(t, LONG, NULL, NULL), KIN_PASSES_MAX + 1);
    free(t);
}

/* ---- Processes */

static struct {
    struct target first;
    struct guard_members m;
    struct find found;
    pid_t pid[2 * WIRE_MEMBERS_MAX];
    uint32_t count;
} g;

static pid_t start_one(void)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            (void)pause();
    }
    g.pid[g.count++] = pid;
    return pid;
}

static void end_one(uint32_t i)
{
    (void)kill(g.pid[i], SIGKILL);
    (void)waitpid(g.pid[i], NULL, 0);
    g.pid[i] = 0;
}

static uint64_t start_of(pid_t pid)
{
    struct proc_stat st = {0};

    assert_int_equal(proc_stat(pid, &st), 0);
    return st.start_ticks;
}

/* As find_target() would tell it: those that run, in order of their start. */
static void look(void)
{
    memset(&g.found, 0, sizeof(g.found));
    for (uint32_t i = 0; i < g.count; i++) {
        if (g.pid[i] == 0)
            continue;
        if (g.found.kin == WIRE_MEMBERS_MAX) {
            g.found.kin_missed++;
            continue;
        }
        g.found.kin_row[g.found.kin] = row(g.pid[i], getpid(), start_of(g.pid[i]));
        memcpy(g.found.kin_row[g.found.kin++].comm, "worker", sizeof("worker"));
    }
}

static int begin(void **state)
{
    (void)state;
    memset(&g, 0, sizeof(g));
    if (target_init(&g.first) != 0)
        return -1;
    guard_members_init(&g.m, &g.first);
    (void)start_one();
    return target_take(&g.first, g.pid[0], start_of(g.pid[0]));
}

static int end(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < g.count; i++) {
        if (g.pid[i])
            end_one(i);
    }
    guard_members_release(&g.m);
    guard_members_release(NULL);
    target_release(&g.first);
    return 0;
}

static void they_come_and_go(void **state)
{
    uint32_t generation, truncated;
    int fd;

    (void)state;
    (void)start_one();
    (void)start_one();
    look();
    assert_true(guard_members_take(&g.m, &g.found));
    assert_int_equal(g.m.known.count, 3);
    assert_true(codec_members_ok(&g.m.known));
    assert_int_equal(g.m.known.row[0].pid, g.pid[0]);
    assert_int_equal(g.m.known.row[0].generation, g.first.wire.generation);
    assert_string_equal(g.m.known.row[1].name, "worker");
    assert_true(g.m.known.row[1].generation != g.m.known.row[2].generation);
    assert_false(guard_members_take(&g.m, &g.found)); /* nothing new: the same generations */
    generation = g.m.known.row[1].generation;
    assert_ptr_not_equal(guard_members_of(&g.m, generation), NULL);
    assert_int_equal(guard_members_of(&g.m, generation)->pid, g.pid[1]);
    assert_ptr_equal(guard_members_of(&g.m, g.first.wire.generation), &g.first);
    assert_null(guard_members_of(&g.m, 4711));
    assert_int_equal(target_maps(guard_members_of(&g.m, generation), generation, &fd, &truncated),
                     0);
    (void)close(fd);

    end_one(1);
    look();
    assert_true(guard_members_take(&g.m, &g.found));
    assert_int_equal(g.m.known.count, 2);
    assert_null(guard_members_of(&g.m, generation));
    (void)start_one();
    look();
    assert_true(guard_members_take(&g.m, &g.found));
    assert_true(g.m.known.row[2].generation > generation); /* never given twice */
    assert_int_equal(g.first.wire.generation, 1);
}

/* Its memory is read into the arena of the first one. */
static void they_share_an_arena(void **state)
{
    static const char text[] = "what every copy of us has";
    struct wire_range range = {(uint64_t)(uintptr_t)text, sizeof(text), 0};
    struct target *t;
    uint32_t got = 0;

    (void)state;
    (void)start_one();
    look();
    assert_true(guard_members_take(&g.m, &g.found));
    t = guard_members_of(&g.m, g.m.known.row[1].generation);
    assert_non_null(t);
    assert_int_equal(target_read(t, t->wire.generation, &range, 1, &got), 0);
    assert_int_equal(got, sizeof(text));
    assert_memory_equal(g.first.arena, text, sizeof(text));
    assert_int_equal(target_read(t, g.first.wire.generation, &range, 1, &got), -ESTALE);
    end_one(1);
    assert_int_equal(target_read(t, t->wire.generation, &range, 1, &got), -ESRCH);
}

/* Another process with that number: its start time is not what was found. */
static void another_with_that_number(void **state)
{
    (void)state;
    (void)start_one();
    look();
    g.found.kin_row[1].start_ticks++;
    assert_false(guard_members_take(&g.m, &g.found));
    assert_int_equal(g.m.known.count, 1);
    look();
    assert_true(guard_members_take(&g.m, &g.found));
    g.found.kin_row[1].start_ticks++; /* the one that is held is no more; who is there is another */
    assert_true(guard_members_take(&g.m, &g.found));
    assert_int_equal(g.m.known.count, 1);
}

static void at_the_limit_and_above(void **state)
{
    (void)state;
    while (g.count < WIRE_MEMBERS_MAX)
        (void)start_one();
    look();
    (void)guard_members_take(&g.m, &g.found);
    assert_int_equal(g.m.known.count, WIRE_MEMBERS_MAX);
    assert_int_equal(g.m.known.missed, 0);
    (void)start_one();
    look();
    assert_false(guard_members_take(&g.m, &g.found));
    assert_int_equal(g.m.known.count, WIRE_MEMBERS_MAX);
    assert_int_equal(g.m.known.missed, 1);
    end_one(5); /* there is a place again */
    look();
    assert_true(guard_members_take(&g.m, &g.found));
    assert_int_equal(g.m.known.count, WIRE_MEMBERS_MAX);
    assert_int_equal(g.m.known.missed, 0);
}

/* The first one is not among the eldest that were found: it has its place all the same. */
static void the_first_is_always_in(void **state)
{
    (void)state;
    while (g.count < WIRE_MEMBERS_MAX + 1)
        (void)start_one();
    look();
    memmove(&g.found.kin_row[0], &g.found.kin_row[1],
            (WIRE_MEMBERS_MAX - 1) * sizeof(g.found.kin_row[0]));
    g.found.kin_row[WIRE_MEMBERS_MAX - 1] =
        row(g.pid[WIRE_MEMBERS_MAX], getpid(), start_of(g.pid[WIRE_MEMBERS_MAX]));
    (void)guard_members_take(&g.m, &g.found);
    assert_int_equal(g.m.known.count, WIRE_MEMBERS_MAX);
    assert_int_equal(g.m.known.row[0].pid, g.pid[0]);
    assert_int_equal(g.m.known.missed, 2);
}

/* One that let its reader wait is left alone; the arena, which may still be written to, is another
 * one for all of them, and the others are read as before. */
static void one_that_waits(void **state)
{
    static const char text[] = "as all of us have";
    struct wire_range range = {(uint64_t)(uintptr_t)text, sizeof(text), 0};
    struct target *a, *b;
    int arena;
    uint32_t got;

    (void)state;
    (void)start_one();
    (void)start_one();
    look();
    (void)guard_members_take(&g.m, &g.found);
    assert_null(guard_members_doing(&g.m));
    a = guard_members_of(&g.m, g.m.known.row[1].generation);
    b = guard_members_of(&g.m, g.m.known.row[2].generation);
    assert_true(a && b);
    arena = g.first.arena_fd;
    a->doing = TARGET_ACT_MEMORY; /* as after a read that has not come back */
    assert_ptr_equal(guard_members_doing(&g.m), a);
    assert_string_equal(target_relieve(a), "memory");
    assert_null(guard_members_doing(&g.m));
    assert_int_not_equal(g.first.arena_fd, arena);
    assert_int_equal(target_read(a, a->wire.generation, &range, 1, &got), -EIO);
    assert_int_equal(target_read(b, b->wire.generation, &range, 1, &got), 0);
    assert_memory_equal(g.first.arena, text, sizeof(text));
    (void)close(arena); /* the old one stays, for whoever may still write to it */
}

static void looks_are_rare(void **state)
{
    (void)state;
    assert_true(guard_members_due(&g.m));
    guard_members_rest(&g.m, 0);
    assert_false(guard_members_due(&g.m));
    assert_true(g.m.again_ns >= clock_mono_ns());
    assert_true(g.m.again_ns - clock_mono_ns() <= GUARD_MEMBERS_MIN_MS * CLOCK_NS_PER_MS);
    guard_members_rest(&g.m, CLOCK_NS_PER_SEC);
    assert_true(g.m.again_ns - clock_mono_ns() > (GUARD_MEMBERS_SHARE - 1) * CLOCK_NS_PER_SEC);
}

/* ---- Through /proc */

static void all_of_a_tree(void **state)
{
    struct plan plan = {.select = PLAN_SELECT_PID, .all = 1};
    static const struct find_skip none;
    int ready[2];
    char byte;
    pid_t child = 0;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    g.pid[g.count] = fork();
    if (g.pid[g.count] == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        child = fork();
        if (child == 0)
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    plan.number = (uint64_t)g.pid[g.count++];
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(find_target(&plan, &none, NULL, 0, &g.found), 0);
    assert_int_equal(g.found.matches, 1);
    assert_int_equal(g.found.pid, plan.number);
    assert_int_equal(g.found.kin, 2);
    assert_int_equal(g.found.kin_row[1].ppid, plan.number);
    assert_int_equal(g.found.kin_missed, 0);
    plan.all = 0;
    assert_int_equal(find_target(&plan, &none, NULL, 0, &g.found), 0);
    assert_int_equal(g.found.matches, 1);
    assert_int_equal(g.found.kin, 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree),
        cmocka_unit_test(two_families),
        cmocka_unit_test(wrapped_numbers),
        cmocka_unit_test(a_reused_number),
        cmocka_unit_test(rings_and_selves),
        cmocka_unit_test(never_ours),
        cmocka_unit_test(other_containers),
        cmocka_unit_test(deep_chains),
        cmocka_unit_test_setup_teardown(they_come_and_go, begin, end),
        cmocka_unit_test_setup_teardown(they_share_an_arena, begin, end),
        cmocka_unit_test_setup_teardown(another_with_that_number, begin, end),
        cmocka_unit_test_setup_teardown(at_the_limit_and_above, begin, end),
        cmocka_unit_test_setup_teardown(the_first_is_always_in, begin, end),
        cmocka_unit_test_setup_teardown(one_that_waits, begin, end),
        cmocka_unit_test_setup_teardown(looks_are_rare, begin, end),
        cmocka_unit_test_setup_teardown(all_of_a_tree, begin, end),
    };

    return cmocka_run_group_tests_name("guard_kin", tests, NULL, NULL);
}
