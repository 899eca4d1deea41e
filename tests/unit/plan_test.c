/* wire/plan.c: the guard takes nothing that is not exactly in range. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"
#include "wire/plan.h"
#include "wire/wire.h"

static struct plan fresh(void)
{
    return (struct plan){
        .magic = PLAN_MAGIC, .bytes = sizeof(struct plan), .hz_max = 100, .drain_ms = 1000};
}

static int check(const struct plan *plan)
{
    const char *why = NULL;
    int r = plan_check(plan, sizeof(*plan), &why);

    assert_int_equal(why == NULL, r == 0);
    return r;
}

static struct plan with_text(uint32_t select, const char *text)
{
    struct plan plan = fresh();

    plan.select = select;
    memcpy(plan.text, text, strlen(text));
    return plan;
}

static struct plan with_number(uint32_t select, uint64_t number)
{
    struct plan plan = fresh();

    plan.select = select;
    plan.number = number;
    return plan;
}

static void shape(void **state)
{
    struct plan plan = fresh();
    const char *why = NULL;

    (void)state;
    assert_int_equal(check(&plan), 0);
    assert_int_equal(plan_check(&plan, sizeof(plan) - 1, &why), -EPROTO);
    assert_int_equal(plan_check(&plan, sizeof(plan) + 1, &why), -EPROTO);
    assert_int_equal(plan_check(&plan, 0, &why), -EPROTO);
    plan.magic ^= 1;
    assert_int_equal(check(&plan), -EPROTO);
    plan = fresh();
    plan.bytes--;
    assert_int_equal(check(&plan), -EPROTO);
    plan = fresh();
    plan.front_uid_drop = 1;
    assert_int_equal(check(&plan), 0);
    plan.front_uid_drop = 2;
    assert_int_equal(check(&plan), -EPROTO);
}

static void ranges(void **state)
{
    static const struct {
        size_t offset;
        uint32_t last, first_bad;
    } rows[] = {
        {offsetof(struct plan, log_level), LOG_LEVEL_ERROR, LOG_LEVEL_ERROR + 1},
        {offsetof(struct plan, log_format), LOG_FORMAT_TEXT, LOG_FORMAT_TEXT + 1},
        {offsetof(struct plan, hz_max), WIRE_HZ_MAX, WIRE_HZ_MAX + 1},
        {offsetof(struct plan, hz_max), 1, 0},
        {offsetof(struct plan, drain_ms), PLAN_DRAIN_MAX_MS, PLAN_DRAIN_MAX_MS + 1},
        {offsetof(struct plan, select), PLAN_SELECT_AUTO, PLAN_SELECT_END},
        {offsetof(struct plan, select), PLAN_SELECT_AUTO, UINT32_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan plan = fresh();

        memcpy((char *)&plan + rows[i].offset, &rows[i].last, sizeof(uint32_t));
        assert_int_equal(check(&plan), 0);
        memcpy((char *)&plan + rows[i].offset, &rows[i].first_bad, sizeof(uint32_t));
        assert_int_equal(check(&plan), -EPROTO);
    }
}

static void numbers(void **state)
{
    static const struct {
        uint32_t select;
        uint64_t number;
        int result;
    } rows[] = {
        {PLAN_SELECT_PID, 0, -EPROTO},      {PLAN_SELECT_PID, 1, 0},
        {PLAN_SELECT_PID, PLAN_PID_MAX, 0}, {PLAN_SELECT_PID, PLAN_PID_MAX + 1, -EPROTO},
        {PLAN_SELECT_PORT, 0, -EPROTO},     {PLAN_SELECT_PORT, 1, 0},
        {PLAN_SELECT_PORT, 65535, 0},       {PLAN_SELECT_PORT, 65536, -EPROTO},
        {PLAN_SELECT_AUTO, 1, -EPROTO},     {PLAN_SELECT_PROCESS, 0, -EPROTO},
    };
    struct plan plan;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        plan = with_number(rows[i].select, rows[i].number);
        assert_int_equal(check(&plan), rows[i].result);
    }
    plan = with_text(PLAN_SELECT_PID, "x"); /* a number has no text */
    plan.number = 1;
    assert_int_equal(check(&plan), -EPROTO);
    plan = with_text(PLAN_SELECT_PROCESS, "x"); /* and a text no number */
    plan.number = 1;
    assert_int_equal(check(&plan), -EPROTO);
}

static void texts(void **state)
{
    static const struct {
        uint32_t select;
        const char *text;
        int result;
    } rows[] = {
        {PLAN_SELECT_PROCESS, "server", 0},
        {PLAN_SELECT_PROCESS, "a b.c-\xc3\xa4", 0},
        {PLAN_SELECT_PROCESS, "", -EPROTO},
        {PLAN_SELECT_PROCESS, "/bin/x", -EPROTO},
        {PLAN_SELECT_PROCESS, "a\nb", -EPROTO},
        {PLAN_SELECT_PROCESS, "a\x7f", -EPROTO},
        {PLAN_SELECT_CONTAINER, "0123456789abcdef", 0},
        {PLAN_SELECT_CONTAINER, "ABC", -EPROTO},
        {PLAN_SELECT_CONTAINER, "", -EPROTO},
        {PLAN_SELECT_ENV, "A=", 0},
        {PLAN_SELECT_ENV, "A=b=c", 0},
        {PLAN_SELECT_ENV, "=b", -EPROTO},
        {PLAN_SELECT_ENV, "AB", -EPROTO},
        {PLAN_SELECT_CMDLINE, "^server --port=", 0},
        {PLAN_SELECT_CMDLINE, "", -EPROTO},
        {PLAN_SELECT_AUTO, "x", -EPROTO},
        {PLAN_SELECT_PORT, "80", -EPROTO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan plan = with_text(rows[i].select, rows[i].text);

        assert_int_equal(check(&plan), rows[i].result);
    }
}

/* ${bytes} times 'a', for the limits. */
static int check_length(uint32_t select, size_t bytes)
{
    struct plan plan = fresh();

    plan.select = select;
    memset(plan.text, 'a', bytes);
    return check(&plan);
}

static void lengths(void **state)
{
    struct plan plan;

    (void)state;
    assert_int_equal(check_length(PLAN_SELECT_CMDLINE, PLAN_CMDLINE_MAX_BYTES), 0);
    assert_int_equal(check_length(PLAN_SELECT_CMDLINE, PLAN_CMDLINE_MAX_BYTES + 1), -EPROTO);
    assert_int_equal(check_length(PLAN_SELECT_CONTAINER, PLAN_CONTAINER_MAX_BYTES), 0);
    assert_int_equal(check_length(PLAN_SELECT_CONTAINER, PLAN_CONTAINER_MAX_BYTES + 1), -EPROTO);
    assert_int_equal(check_length(PLAN_SELECT_PROCESS, PLAN_TEXT_BYTES - 1), 0);
    assert_int_equal(check_length(PLAN_SELECT_PROCESS, PLAN_TEXT_BYTES), -EPROTO); /* no NUL */
    plan = with_text(PLAN_SELECT_PROCESS, "server");
    plan.text[PLAN_TEXT_BYTES - 1] = 'x'; /* something is hidden behind the end */
    assert_int_equal(check(&plan), -EPROTO);
}

/* What may be written into the target. */
static void rates(void **state)
{
    (void)state;
    for (size_t i = 0; i < WIRE_RATES; i++) {
        struct plan plan = fresh();

        plan.rate[i] = 1; /* not said to be set */
        assert_int_equal(check(&plan), -EPROTO);
        plan.rates = 1u << i;
        assert_int_equal(check(&plan), 0);
        plan.rate[i] = 0; /* switched off is a rate too */
        assert_int_equal(check(&plan), 0);
        plan.rate[i] = PLAN_RATE_MAX;
        assert_int_equal(check(&plan), 0);
        plan.rate[i] = PLAN_RATE_MAX + UINT64_C(1);
        assert_int_equal(check(&plan), -EPROTO);
        plan.rate[i] = UINT64_MAX; /* a negative one */
        assert_int_equal(check(&plan), -EPROTO);
        plan.rate[i] = 1;
        plan.rates |= 1u << WIRE_RATES;
        assert_int_equal(check(&plan), -EPROTO);
        plan.rates = 1u << i;
        plan.all = 1;
        assert_int_equal(check(&plan), 0);
        plan.all = 2;
        assert_int_equal(check(&plan), -EPROTO);
        plan.all = 0;
        plan.stops = 1;
        assert_int_equal(check(&plan), 0);
        plan.stops = 2;
        assert_int_equal(check(&plan), -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape), cmocka_unit_test(ranges),  cmocka_unit_test(numbers),
        cmocka_unit_test(texts), cmocka_unit_test(lengths), cmocka_unit_test(rates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
