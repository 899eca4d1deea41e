/*
 * sidecar/collect/beat.c, refine.c and the schedule of row.c: when, and what is made of an answer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "profile/gzip.h"
#include "sidecar/collect/beat.h"
#include "sidecar/collect/row.h"

/* --- beat --- */

static void beat_phases(void **state)
{
    bool seen[10] = {false};
    unsigned different = 0;
    char name[16];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t phase;

        (void)snprintf(name, sizeof(name), "pod-%u", i);
        phase = beat_phase_ms(name, 60000);
        assert_true(phase < 60000);
        assert_int_equal(phase, beat_phase_ms(name, 60000)); /* the same after a restart */
        different += !seen[phase / 6000];
        seen[phase / 6000] = true;
    }
    assert_true(different >= 8); /* a fleet does not beat in step */
    assert_int_equal(beat_phase_ms("", 1), 0);
    assert_int_equal(beat_phase_ms("pod", 0), 0);
}

static void beat_waits(void **state)
{
    const uint64_t every = 60000, phase = 12345;
    uint64_t at_ms = UINT64_C(1763750000000) / every * every + phase;

    (void)state;
    /* on the beat it is a whole one to the next, one ms before it is one ms */
    assert_int_equal(beat_wait_ms(at_ms * CLOCK_NS_PER_MS, every, phase), every);
    assert_int_equal(beat_wait_ms((at_ms - 1) * CLOCK_NS_PER_MS, every, phase), 1);
    assert_int_equal(beat_wait_ms((at_ms + 1) * CLOCK_NS_PER_MS, every, phase), every - 1);
    assert_int_equal(beat_wait_ms(at_ms * CLOCK_NS_PER_MS, 0, phase), 1);
    assert_int_equal(beat_wait_ms(at_ms * CLOCK_NS_PER_MS, 1, 0), 1);
}

/* Whatever the clock says: never 0 (that would be a storm), never more than one interval. */
static void beat_clock_steps(void **state)
{
    static const uint64_t clocks[] = {0,          1,         999999,           1000000,
                                      UINT64_MAX, INT64_MAX, INT64_MAX + 1ull, 1763750000000000000};
    static const uint64_t everies[] = {1, 1000, 60000, 86400000, UINT64_MAX / 2};

    (void)state;
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        for (size_t k = 0; k < sizeof(everies) / sizeof(everies[0]); k++) {
            uint64_t phase = beat_phase_ms("pod", everies[k]);
            uint64_t wait = beat_wait_ms(clocks[i], everies[k], phase);

            assert_in_range(wait, 1, everies[k]);
        }
    }
}

/* --- refine --- */

struct came {
    bool done, renewed;
    int result;
    char why[256];
    struct buf raw, base;
    int64_t time_ns, duration_ns;
};

static void came(void *data, const struct refine_done *done)
{
    struct came *c = data;

    c->done = true;
    c->result = done->result;
    c->renewed = done->renewed;
    c->time_ns = done->time_ns;
    c->duration_ns = done->duration_ns;
    (void)snprintf(c->why, sizeof(c->why), "%s", done->why);
    buf_init(&c->raw, ITEM_RAW_MAX_BYTES);
    buf_put(&c->raw, done->raw->data, done->raw->len);
    buf_init(&c->base, REFINE_BASE_MAX_BYTES);
    buf_put(&c->base, done->base->data, done->base->len);
}

static void release(struct came *c)
{
    buf_release(&c->raw);
    buf_release(&c->base);
}

/* A heap profile with one stack. */
static void make_heap(struct buf *out, int64_t time_ns, int64_t allocated, int64_t in_use)
{
    struct profile *p = profile_new();
    const struct profile_mapping app = {.start = 0x1000, .limit = 0x9000, .filename = "/app"};
    const int64_t values[] = {allocated, allocated * 100, in_use, in_use * 100};
    struct profile_line line;
    uint64_t at;

    assert_non_null(p);
    assert_int_equal(profile_add_type(p, "alloc_objects", "count"), 0);
    assert_int_equal(profile_add_type(p, "alloc_space", "bytes"), 0);
    assert_int_equal(profile_add_type(p, "inuse_objects", "count"), 0);
    assert_int_equal(profile_add_type(p, "inuse_space", "bytes"), 0);
    assert_int_equal(profile_set_period(p, "space", "bytes", 524288), 0);
    assert_int_equal(profile_mapping(p, &app), 1);
    line = (struct profile_line){profile_function(p, "main.f", NULL, "/home/anna/f.go", 1), 2};
    at = profile_location(p, 1, 0x1000, &line, 1);
    assert_int_equal(profile_sample(p, &at, 1, values, NULL, 0), 0);
    profile_set_time(p, time_ns, 0);
    buf_init(out, ITEM_RAW_MAX_BYTES);
    assert_int_equal(profile_encode(p, out), 0);
    profile_free(p);
}

static struct refine_policy *make_policy(void)
{
    const struct policy_rule rule = {"/home/[a-z]+", "~", POLICY_IN_FILES};
    const struct policy_want want = {.rules = &rule, .rules_count = 1, .max_values = 100};
    struct policy *policy = NULL;
    struct refine_policy *p;
    struct err e = {0};

    assert_int_equal(policy_new(&want, &policy, &e), 0);
    p = refine_policy_new(policy);
    assert_non_null(p);
    return p;
}

/* ${input} is taken; ${base} too, and it is what came back afterwards. */
static void refine(struct refine_want want, struct buf *input, struct buf *base, struct came *c)
{
    struct refine *job = NULL;
    struct buf none;
    uv_loop_t loop;

    memset(c, 0, sizeof(*c));
    buf_init(&none, REFINE_BASE_MAX_BYTES);
    want.policy = make_policy();
    want.input = input;
    want.base = base ? base : &none;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(refine_start(&loop, &want, came, c, &job), 0);
    assert_int_equal(input->len, 0); /* moved */
    assert_int_equal(want.base->len, 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_true(c->done);
    refine_policy_put(want.policy);
    if (base) {
        buf_release(base);
        *base = c->base;
        buf_init(&c->base, REFINE_BASE_MAX_BYTES);
    }
}

static int64_t total(const struct buf *raw, size_t type)
{
    struct profile *p = NULL;
    struct err e = {0};
    int64_t sum;

    assert_int_equal(profile_decode(raw->data, raw->len, &p, &e), 0);
    assert_int_equal(profile_validate(p, &e), 0);
    sum = profile_total(p, type);
    profile_free(p);
    return sum;
}

/* What the profile itself is stamped with. */
static int64_t stamp_of(const struct buf *raw)
{
    struct profile *p = NULL;
    struct err e = {0};
    int64_t ns;

    assert_int_equal(profile_decode(raw->data, raw->len, &p, &e), 0);
    ns = profile_time_ns(p);
    profile_free(p);
    return ns;
}

enum { NOW_S = 1763750000 };
#define NOW_NS (NOW_S * (int64_t)CLOCK_NS_PER_SEC)

static void refine_snapshot(void **state)
{
    struct refine_want want = {.now_ns = NOW_NS};
    struct buf input;
    struct came c;

    (void)state;
    make_heap(&input, NOW_NS - 5, 7, 3);
    refine(want, &input, NULL, &c);
    assert_int_equal(c.result, 0);
    assert_int_equal(c.base.len, 0); /* nothing grows */
    assert_int_equal(c.time_ns, NOW_NS - 5);
    assert_int_equal(total(&c.raw, 0), 7);
    /* the policy was here */
    assert_null(memmem(c.raw.data, c.raw.len, "anna", 4));
    assert_non_null(memmem(c.raw.data, c.raw.len, "~/f.go", 6));
    release(&c);
}

static void refine_growth(void **state)
{
    struct refine_want want = {.growth = true, .now_ns = NOW_NS};
    struct buf input, base, packed;
    struct came c;

    (void)state;
    buf_init(&base, REFINE_BASE_MAX_BYTES);
    make_heap(&input, NOW_NS, 100, 30);
    refine(want, &input, &base, &c);
    assert_int_equal(c.result, -ENODATA);
    assert_true(c.renewed && base.len > 0);
    release(&c);

    /* packed or not makes no difference; what is in use stays as it is */
    make_heap(&input, NOW_NS + 1, 150, 20);
    buf_init(&packed, ITEM_RAW_MAX_BYTES);
    assert_int_equal(gzip_pack(input.data, input.len, &packed), 0);
    buf_release(&input);
    want.since_base_ns = 10 * CLOCK_NS_PER_SEC;
    refine(want, &packed, &base, &c);
    assert_int_equal(c.result, 0);
    assert_int_equal(total(&c.raw, 0), 50);
    assert_int_equal(total(&c.raw, 2), 20);
    assert_int_equal(c.duration_ns, 10 * CLOCK_NS_PER_SEC);
    assert_int_equal(c.time_ns, NOW_NS - 10 * (int64_t)CLOCK_NS_PER_SEC);
    assert_int_equal(stamp_of(&c.raw), NOW_NS); /* as Go stamps a difference: with its end */
    release(&c);

    /* the base is the last one, not the first */
    make_heap(&input, NOW_NS + 2, 151, 20);
    refine(want, &input, &base, &c);
    assert_int_equal(c.result, 0);
    assert_int_equal(total(&c.raw, 0), 1);
    release(&c);
    buf_release(&base);
}

/* The clock is set back two days, and ahead, between two readings: neither the profile's stamp nor
 * what it covers follows. */
static void refine_clock_steps(void **state)
{
    static const int64_t days[] = {-2, 2, 2000, -2000};
    const int64_t day_ns = 86400 * (int64_t)CLOCK_NS_PER_SEC;
    struct refine_want want = {.growth = true, .now_ns = NOW_NS, .since_base_ns = 60000000000};

    (void)state;
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        struct buf input, base;
        struct came c;

        buf_init(&base, REFINE_BASE_MAX_BYTES);
        make_heap(&input, NOW_NS + days[i] * day_ns, 1, 1);
        refine(want, &input, &base, &c);
        release(&c);
        make_heap(&input, NOW_NS, 5, 1);
        refine(want, &input, &base, &c);
        assert_int_equal(c.result, 0);
        assert_int_equal(total(&c.raw, 0), 4);
        assert_int_equal(c.duration_ns, 60000000000);
        assert_int_equal(c.time_ns, NOW_NS - 60000000000);
        release(&c);
        buf_release(&base);
    }
}

/* A stamp at the bound is believed, one above it is not; nothing overflows. */
static void refine_stamps(void **state)
{
    const int64_t off_ns = REFINE_OFF_MAX_SECONDS * (int64_t)CLOCK_NS_PER_SEC;
    const struct {
        int64_t said, kept;
    } rows[] = {
        {NOW_NS - off_ns, NOW_NS - off_ns},
        {NOW_NS - off_ns - 1, NOW_NS},
        {NOW_NS + off_ns, NOW_NS + off_ns},
        {NOW_NS + off_ns + 1, NOW_NS},
        {0, NOW_NS},
        {INT64_MAX, NOW_NS},
    };
    struct refine_want want = {.now_ns = NOW_NS};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf input;
        struct came c;

        make_heap(&input, rows[i].said, 1, 1);
        refine(want, &input, NULL, &c);
        assert_int_equal(c.result, 0);
        assert_int_equal(c.time_ns, rows[i].kept);
        release(&c);
    }
    for (int64_t said = -1; said < 0; said = said == -1 ? INT64_MIN : 0) { /* refused */
        struct buf input;
        struct came c;

        make_heap(&input, said, 1, 1);
        refine(want, &input, NULL, &c);
        assert_int_equal(c.result, -EINVAL);
        release(&c);
    }
}

static void make_garbage(struct buf *out)
{
    buf_init(out, ITEM_RAW_MAX_BYTES);
    buf_puts(out, "<html>this is no profile</html>");
}

/* What is no profile is refused with a reason, and never becomes a base. */
static void refine_hostile(void **state)
{
    struct refine_want want = {.growth = true, .now_ns = NOW_NS};
    struct buf input, base;
    struct came c;

    (void)state;
    buf_init(&base, REFINE_BASE_MAX_BYTES);
    make_garbage(&input);
    refine(want, &input, &base, &c);
    assert_true(c.result < 0 && c.result != -ENODATA);
    assert_true(c.why[0]);
    assert_int_equal(base.len, 0);
    release(&c);

    make_heap(&input, NOW_NS, 100, 1);
    refine(want, &input, &base, &c);
    assert_int_equal(c.result, -ENODATA);
    release(&c);
    make_garbage(&input);
    refine(want, &input, &base, &c);
    assert_true(c.result < 0);
    assert_true(base.len > 0 && !c.renewed); /* the old one again */
    release(&c);
    make_heap(&input, NOW_NS, 130, 1);
    refine(want, &input, &base, &c);
    assert_int_equal(c.result, 0);
    assert_int_equal(total(&c.raw, 0), 30); /* both intervals */
    release(&c);
    buf_release(&base);

    make_garbage(&input); /* cut gzip */
    input.len = 0;
    buf_put(&input, "\x1f\x8b\x08", 3);
    want.growth = false;
    refine(want, &input, NULL, &c);
    assert_true(c.result < 0);
    release(&c);
}

/* Sample types that have changed: an error once, then the new ones grow. */
static void refine_types_change(void **state)
{
    struct refine_want want = {.growth = true, .now_ns = NOW_NS};
    struct profile *p = profile_new();
    struct buf input, base;
    struct came c;

    (void)state;
    buf_init(&base, REFINE_BASE_MAX_BYTES);
    assert_int_equal(profile_add_type(p, "contentions", "count"), 0);
    assert_int_equal(profile_set_period(p, "contentions", "count", 1), 0);
    buf_init(&input, ITEM_RAW_MAX_BYTES);
    assert_int_equal(profile_encode(p, &input), 0);
    profile_free(p);
    refine(want, &input, &base, &c);
    assert_int_equal(c.result, -ENODATA);
    release(&c);
    make_heap(&input, NOW_NS, 100, 1);
    refine(want, &input, &base, &c);
    assert_true(c.result < 0 && c.renewed);
    release(&c);
    make_heap(&input, NOW_NS, 101, 1);
    refine(want, &input, &base, &c);
    assert_int_equal(c.result, 0);
    assert_int_equal(total(&c.raw, 0), 1);
    release(&c);
    buf_release(&base);
}

static void forgotten(void *data, const struct refine_done *done)
{
    (void)done;
    *(bool *)data = true;
}

static void refine_forgotten(void **state)
{
    struct refine_want want = {.now_ns = NOW_NS};
    struct buf input, none;
    struct refine *job;
    uv_loop_t loop;
    bool called = false;

    (void)state;
    make_heap(&input, NOW_NS, 1, 1);
    buf_init(&none, REFINE_BASE_MAX_BYTES);
    want.policy = make_policy();
    want.input = &input;
    want.base = &none;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(refine_start(&loop, &want, forgotten, &called, &job), 0);
    refine_policy_put(want.policy); /* the job still holds it */
    refine_forget(job);
    refine_forget(NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_false(called);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* --- row: when --- */

struct schedule {
    struct state st;
    struct config config;
    struct row_room room;
    struct row row;
};

static struct schedule *new_schedule(void)
{
    struct schedule *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->config.collect.every_ms = 60000;
    s->st.config = &s->config;
    s->room.st = &s->st;
    return s;
}

static uint64_t wait_ms(const struct row *r)
{
    uint64_t now = clock_mono_ns();

    return r->due_ns > now ? (r->due_ns - now) / CLOCK_NS_PER_MS : 0;
}

static void row_beats(void **state)
{
    const struct config_collect cpu = {.type = "cpu", .seconds = 10};
    struct schedule *s = new_schedule();

    (void)state;
    assert_int_equal(row_init(&s->row, &s->room, "cpu", false, &cpu), 0);
    assert_int_equal(s->row.seconds, 10);
    assert_int_equal(s->row.hz, 100);
    assert_true(wait_ms(&s->row) <= 60000);
    s->row.again = true; /* ten seconds of sixty: the next one is a beat away */
    s->row.phase_ms = (clock_real_ns() / CLOCK_NS_PER_MS + 30000) % 60000;
    row_schedule(&s->row);
    assert_in_range(wait_ms(&s->row), 15000, 30000);
    row_release(&s->row);
    assert_int_equal(row_init(&s->row, &s->room, "nonsense", false, NULL), -EINVAL);
    row_release(&s->row);
    row_release(&s->row);
    free(s);
}

/* Each ends a little after the beat at which the next one should have begun. */
static void row_follows_on(void **state)
{
    const struct config_collect cpu = {.type = "cpu", .seconds = 60};
    struct schedule *s = new_schedule();

    (void)state;
    assert_int_equal(row_init(&s->row, &s->room, "cpu", false, &cpu), 0);
    s->row.phase_ms = (clock_real_ns() / CLOCK_NS_PER_MS + 30000) % 60000;
    row_schedule(&s->row);
    assert_in_range(wait_ms(&s->row), 15000, 30000); /* the first one: at the beat */
    s->row.again = true;
    row_schedule(&s->row);
    assert_int_equal(wait_ms(&s->row), 0);
    s->row.again = false; /* one that failed is no reason to hurry */
    row_schedule(&s->row);
    assert_in_range(wait_ms(&s->row), 15000, 30000);
    row_release(&s->row);
    free(s);
}

static void row_base_at_once(void **state)
{
    const struct config_collect heap = {.type = "heap", .every_ms = 3600000};
    struct schedule *s = new_schedule();

    (void)state;
    assert_int_equal(row_init(&s->row, &s->room, "heap", false, &heap), 0);
    assert_true(s->row.growth);
    assert_int_equal(s->row.every_ms, 3600000);
    assert_int_equal(wait_ms(&s->row), 0);
    buf_puts(&s->row.base, "a base");
    s->row.phase_ms = (clock_real_ns() / CLOCK_NS_PER_MS + 1800000) % 3600000;
    row_schedule(&s->row);
    assert_true(wait_ms(&s->row) > 1000000);
    s->row.seq = 7;
    row_renew(&s->row); /* another target: a base of its own, counted from 0 */
    assert_int_equal(s->row.seq, 0);
    assert_int_equal(s->row.base.len, 0);
    assert_int_equal(wait_ms(&s->row), 0);
    (void)snprintf(s->row.status.last_error, sizeof(s->row.status.last_error), "refused");
    row_schedule(&s->row); /* not in a loop */
    assert_true(wait_ms(&s->row) > 1000000);
    row_release(&s->row);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beat_phases),         cmocka_unit_test(beat_waits),
        cmocka_unit_test(beat_clock_steps),    cmocka_unit_test(refine_snapshot),
        cmocka_unit_test(refine_growth),       cmocka_unit_test(refine_clock_steps),
        cmocka_unit_test(refine_stamps),       cmocka_unit_test(refine_hostile),
        cmocka_unit_test(refine_types_change), cmocka_unit_test(refine_forgotten),
        cmocka_unit_test(row_beats),           cmocka_unit_test(row_follows_on),
        cmocka_unit_test(row_base_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
