/* The rules of the leak watch with a clock of our own, and the groups it is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/leak.h"
#include "sidecar/leak_groups.h"

enum { WINDOW = 11, MINIMUM = 100 }; /* ten steps: eight have to grow */

static struct leak *l;
static unsigned events[LEAK_FEWER + 1];
static uint64_t last_key;

static void tell(void *ctx, enum leak_event what, const struct leak *leak,
                 const struct leak_group *g)
{
    assert_ptr_equal(ctx, &events);
    assert_ptr_equal(leak, l);
    assert_int_equal(g == NULL, what == LEAK_TOO_MANY || what == LEAK_FEWER);
    if (g)
        last_key = g->key;
    events[what]++;
}

static int fresh(void **state)
{
    const struct leak_rules rules = {WINDOW, MINIMUM};

    (void)state;
    l = malloc(sizeof(*l));
    if (!l)
        return -1;
    leak_init(l, &rules);
    memset(events, 0, sizeof(events));
    return 0;
}

static int gone(void **state)
{
    (void)state;
    free(l);
    return 0;
}

static struct leak_seen group(uint64_t key, uint64_t count)
{
    return (struct leak_seen){key, count, "main.serve", "main.handle", "chan receive"};
}

/* One sample with one group; a count of 0: it is not there. */
static void one(uint64_t count)
{
    struct leak_seen seen = group(7, count);

    leak_sample(l, 1000, &seen, count ? 1 : 0, tell, &events);
}

static void many(const uint64_t *counts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        one(counts[i]);
}

static void growth_is_suspected_once(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < WINDOW - 1; i++)
        one(100 + i);
    assert_int_equal(leak_suspects(l), 0); /* the window is not full */
    one(200);
    assert_int_equal(leak_suspects(l), 1);
    assert_int_equal(events[LEAK_BEGINS], 1);
    assert_int_equal(last_key, 7);
    for (uint64_t i = 0; i < 3 * WINDOW; i++)
        one(300 + i);
    assert_int_equal(events[LEAK_BEGINS], 1); /* no spam */
    assert_int_equal(events[LEAK_ENDS], 0);
}

static void eight_of_ten_steps_are_enough_and_seven_are_not(void **state)
{
    static const uint64_t eight[WINDOW] = {100, 101, 102, 102, 103, 104, 104, 105, 106, 107, 108};
    static const uint64_t seven[WINDOW] = {100, 101, 102, 102, 103, 104, 104, 105, 106, 106, 107};

    (void)state;
    many(seven, WINDOW);
    assert_int_equal(leak_suspects(l), 0);
    leak_forget(l);
    many(eight, WINDOW);
    assert_int_equal(leak_suspects(l), 1);
}

static void the_minimum_is_a_minimum(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < WINDOW; i++)
        one(MINIMUM - WINDOW + i);
    assert_int_equal(leak_suspects(l), 0); /* 99 now */
    one(MINIMUM);
    assert_int_equal(leak_suspects(l), 1);
}

/* Fills for nine steps and empties at the tenth, for ever: it grows in 90 %, and is no leak. */
static void a_pool_is_no_leak(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        one(1000 + 100 * (i % 5));
    assert_int_equal(events[LEAK_BEGINS], 0);
}

static void what_stands_still_or_shrinks_is_no_leak(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3 * WINDOW; i++)
        one(5000);
    for (uint64_t i = 0; i < 3 * WINDOW; i++)
        one(5000 - i);
    assert_int_equal(events[LEAK_BEGINS], 0);
}

static void suspect(void)
{
    for (uint64_t i = 0; i < WINDOW; i++)
        one(200 + i);
    assert_int_equal(leak_suspects(l), 1);
}

static void a_suspicion_ends(void **state)
{
    (void)state;
    suspect();
    for (int i = 0; i < 5; i++) { /* five of ten steps still grew */
        one(211);
        assert_int_equal(leak_suspects(l), i < 5);
    }
    one(211);
    one(211);
    assert_int_equal(leak_suspects(l), 0);
    assert_int_equal(events[LEAK_ENDS], 1);
    leak_forget(l);
    suspect();
    one(MINIMUM - 1);
    assert_int_equal(events[LEAK_ENDS], 2);
    leak_forget(l);
    suspect();
    one(0); /* it is not there any more */
    assert_int_equal(leak_suspects(l), 0);
    assert_int_equal(events[LEAK_ENDS], 3);
    for (uint64_t i = 0; i < WINDOW - 1; i++)
        one(300 + i); /* what comes back begins anew */
    assert_int_equal(leak_suspects(l), 0);
}

static void another_target_has_no_past(void **state)
{
    const struct leak_rules shorter = {WINDOW - 1, MINIMUM}, lower = {WINDOW - 1, 1};

    (void)state;
    suspect();
    leak_forget(l);
    assert_int_equal(leak_suspects(l), 0);
    assert_int_equal(events[LEAK_ENDS], 0);
    assert_int_equal(l->samples, 0);
    suspect();
    leak_set_rules(l, &lower); /* another window */
    assert_int_equal(leak_suspects(l), 0);
    one(5);
    leak_set_rules(l, &shorter); /* the same window */
    assert_int_equal(l->samples, 1);
}

static void the_total_warns_above_its_limit(void **state)
{
    (void)state;
    one(LEAK_MANY);
    assert_int_equal(events[LEAK_TOO_MANY], 0);
    one(LEAK_MANY + 1);
    one(LEAK_MANY + 2);
    assert_int_equal(events[LEAK_TOO_MANY], 1);
    one(LEAK_FEW + 1);
    assert_int_equal(events[LEAK_FEWER], 0);
    assert_true(l->many);
    one(LEAK_FEW);
    assert_int_equal(events[LEAK_FEWER], 1);
    assert_false(l->many);
}

static void the_largest_groups_are_followed(void **state)
{
    struct leak_seen seen[LEAK_GROUPS_MAX + 1];
    size_t used = 0;

    (void)state;
    for (uint64_t s = 0; s < WINDOW; s++) {
        for (uint64_t i = 0; i < LEAK_GROUPS_MAX + 1; i++)
            seen[i] = group(i + 1, 100 + i + s);
        leak_sample(l, s, seen, LEAK_GROUPS_MAX + 1, tell, &events);
    }
    for (size_t i = 0; i < LEAK_GROUPS_MAX; i++) {
        used += l->groups[i].used;
        assert_int_not_equal(l->groups[i].key, 1); /* the smallest */
    }
    assert_int_equal(used, LEAK_GROUPS_MAX);
    assert_int_equal(leak_suspects(l), LEAK_GROUPS_MAX);
    assert_int_equal(events[LEAK_BEGINS], LEAK_GROUPS_MAX);
    /* all others take their place at once */
    for (uint64_t i = 0; i < LEAK_GROUPS_MAX; i++)
        seen[i] = group(1000 + i, 5);
    leak_sample(l, 99, seen, LEAK_GROUPS_MAX, tell, &events);
    assert_int_equal(events[LEAK_ENDS], LEAK_GROUPS_MAX);
    leak_sample(l, 100, NULL, 0, tell, &events);
    for (size_t i = 0; i < LEAK_GROUPS_MAX; i++)
        assert_false(l->groups[i].used);
}

static void names_are_bounded_and_escaped(void **state)
{
    char name[LEAK_TEXT_BYTES + 50];
    struct leak_seen seen;
    struct buf out;
    struct json j;

    (void)state;
    /* the cut would fall into the middle of a two-byte character */
    memset(name, 'x', sizeof(name));
    memcpy(name + LEAK_TEXT_BYTES - 2, "\xc3\xa4", 2);
    name[0] = '"';
    name[1] = '\n';
    name[sizeof(name) - 1] = '\0';
    for (uint64_t i = 0; i < WINDOW; i++) {
        seen = (struct leak_seen){9, 200 + i, name, name, "select"};
        leak_sample(l, i, &seen, 1, tell, &events);
    }
    buf_init(&out, 65536);
    leak_metrics(l, &out);
    assert_non_null(strstr(buf_text(&out), "created_by=\"\\\"\\nxxx"));
    assert_non_null(strstr(buf_text(&out), "xxx\"} 210\n"));
    assert_null(strchr(buf_text(&out), '\xc3'));
    buf_clear(&out);
    json_begin(&j, &out);
    leak_json(l, &j, NULL);
    assert_non_null(strstr(buf_text(&out), "\"goroutines\":210,\"goroutines_before\":200"));
    buf_release(&out);
}

static void series_are_bounded(void **state)
{
    struct leak_seen seen[LEAK_SERIES_MAX + 4];
    char names[LEAK_SERIES_MAX + 4][16];
    unsigned series = 0;
    struct buf out;

    (void)state;
    for (uint64_t s = 0; s < WINDOW; s++) {
        for (size_t i = 0; i < LEAK_SERIES_MAX + 4; i++) {
            (void)snprintf(names[i], sizeof(names[i]), "main.f%zu", i / 2); /* two groups each */
            seen[i] = group(i + 1, 200 + s);
            seen[i].created_by = names[i];
        }
        leak_sample(l, s, seen, LEAK_SERIES_MAX + 4, tell, &events);
    }
    buf_init(&out, 65536);
    leak_metrics(l, &out);
    for (const char *p = buf_text(&out); (p = strstr(p, "_suspected{")) != NULL; p++)
        series++;
    assert_int_equal(series, (LEAK_SERIES_MAX + 4) / 2);
    assert_non_null(strstr(buf_text(&out), "{created_by=\"main.f0\"} 420\n"));
    buf_release(&out);
}

/* --- groups from a profile --- */

static uint64_t location(struct profile *p, const char *name, uint64_t address)
{
    const struct profile_line line = {profile_function(p, name, name, "x.go", 1), 2};

    return profile_location(p, 0, address, &line, 1);
}

static void add(struct profile *p, const uint64_t *stack, const char *state, const char *creator,
                const char *user, int64_t count)
{
    struct profile_label labels[3];
    size_t n = 0;

    if (state)
        labels[n++] = (struct profile_label){.key = "state", .str = state};
    if (creator)
        labels[n++] = (struct profile_label){.key = "created_by", .str = creator};
    if (user)
        labels[n++] = (struct profile_label){.key = "request", .str = user};
    assert_int_equal(profile_sample(p, stack, 2, &count, labels, n), 0);
}

static void groups_are_by_creator_stack_and_state(void **state)
{
    static const uint64_t key[2] = {1, 2};
    struct profile *p = profile_new();
    struct leak_groups g;
    struct buf out;
    struct err e;
    uint64_t a[2], b[2], total = 0;

    (void)state;
    assert_int_equal(profile_add_type(p, "goroutine", "count"), 0);
    a[0] = b[0] = location(p, "runtime.gopark", 0x10);
    a[1] = location(p, "main.a", 0x20);
    b[1] = location(p, "main.b", 0x30);
    add(p, a, "select", "main.x", NULL, 1);
    add(p, a, "select", "main.x", "u1", 2); /* the program's own labels make no group */
    add(p, a, "select", "main.y", NULL, 4);
    add(p, a, "chan receive", "main.x", NULL, 8);
    add(p, b, NULL, NULL, NULL, 16);
    buf_init(&out, 65536);
    assert_int_equal(profile_encode(p, &out), 0);
    profile_free(p);
    assert_int_equal(leak_groups_read(out.data, out.len, key, &g, &e), 0);
    assert_int_equal(g.n, 4);
    for (size_t i = 0; i < g.n; i++) {
        total += g.seen[i].count;
        if (g.seen[i].count == 3)
            assert_string_equal(g.seen[i].function, "main.a");
        if (g.seen[i].count == 16)
            assert_string_equal(g.seen[i].created_by, "main.b"); /* the outermost function */
    }
    assert_int_equal(total, 31);
    leak_groups_release(&g);
    assert_int_not_equal(leak_groups_read("\xff\xff\xff", 3, key, &g, &e), 0);
    assert_int_equal(leak_groups_read(out.data, 0, key, &g, &e), -EBADMSG);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(growth_is_suspected_once, fresh, gone),
        cmocka_unit_test_setup_teardown(eight_of_ten_steps_are_enough_and_seven_are_not, fresh,
                                        gone),
        cmocka_unit_test_setup_teardown(the_minimum_is_a_minimum, fresh, gone),
        cmocka_unit_test_setup_teardown(a_pool_is_no_leak, fresh, gone),
        cmocka_unit_test_setup_teardown(what_stands_still_or_shrinks_is_no_leak, fresh, gone),
        cmocka_unit_test_setup_teardown(a_suspicion_ends, fresh, gone),
        cmocka_unit_test_setup_teardown(another_target_has_no_past, fresh, gone),
        cmocka_unit_test_setup_teardown(the_total_warns_above_its_limit, fresh, gone),
        cmocka_unit_test_setup_teardown(the_largest_groups_are_followed, fresh, gone),
        cmocka_unit_test_setup_teardown(names_are_bounded_and_escaped, fresh, gone),
        cmocka_unit_test_setup_teardown(series_are_bounded, fresh, gone),
        cmocka_unit_test(groups_are_by_creator_stack_and_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
