/* wire/codec.c: every row of the table, and every way for a packet to be wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire/codec.h"

static unsigned char packet[sizeof(struct wire_head) + WIRE_BODY_MAX_BYTES + 64];

/* A packet of this type with so many bytes of body; returns its length. */
static size_t make(unsigned type, size_t body, size_t fds)
{
    struct wire_head h = {.magic = WIRE_MAGIC,
                          .type = (uint16_t)type,
                          .fds = (uint16_t)fds,
                          .id = 1,
                          .bytes = (uint32_t)body};

    memcpy(packet, &h, sizeof(h));
    return sizeof(h) + body;
}

static struct wire_turn turn_for(const struct wire_row *row)
{
    return (struct wire_turn){.self = (enum wire_role)row->to,
                              .peer = (enum wire_role)row->from,
                              .state = WIRE_STATE_ANY};
}

static int check(struct wire_turn *turn, size_t bytes, size_t fds)
{
    const char *why = NULL;
    struct wire_head head;
    int r = codec_check(turn, packet, bytes, fds, &head, &why);

    assert_true(r == 0 || r == -EPROTO);
    assert_int_equal(why == NULL, r == 0);
    return r;
}

/* Both limits of each row, and one byte beyond on either side. */
static void lengths_of_all_rows(void **state)
{
    unsigned rows = 0;

    (void)state;
    for (unsigned type = 0; type < 70000; type++) {
        const struct wire_row *row = codec_row(type);
        struct wire_turn turn;

        if (!row)
            continue;
        rows++;
        assert_int_equal(row->type, type);
        assert_true(row->min_bytes <= row->max_bytes && row->max_bytes <= WIRE_BODY_MAX_BYTES);
        turn = turn_for(row);
        assert_int_equal(check(&turn, make(type, row->min_bytes, 0), 0), 0);
        turn = turn_for(row);
        assert_int_equal(check(&turn, make(type, row->max_bytes, row->max_fds), row->max_fds), 0);
        turn = turn_for(row);
        assert_int_equal(check(&turn, make(type, row->min_bytes - 1, 0), 0), -EPROTO);
        assert_int_equal(check(&turn, make(type, row->max_bytes + 1, 0), 0), -EPROTO);
        assert_int_equal(
            check(&turn, make(type, row->min_bytes, row->max_fds + 1u), row->max_fds + 1u),
            -EPROTO);
        assert_int_equal(turn.seen, 0); /* what was refused was not seen */
    }
    assert_true(rows > 20);
}

static void directions(void **state)
{
    (void)state;
    for (unsigned type = 0; type < WIRE_TYPE_END; type++) {
        const struct wire_row *row = codec_row(type);

        for (unsigned self = 0; row && self < 3; self++) {
            for (unsigned peer = 0; peer < 3; peer++) {
                struct wire_turn turn = {.self = (enum wire_role)self,
                                         .peer = (enum wire_role)peer,
                                         .state = WIRE_STATE_ANY};
                int want = row->to == self && row->from == peer ? 0 : -EPROTO;

                assert_int_equal(check(&turn, make(type, row->min_bytes, 0), 0), want);
            }
        }
    }
}

static void states(void **state)
{
    static const unsigned states[] = {WIRE_STATE_START, WIRE_STATE_RUN,
                                      WIRE_STATE_RUN | WIRE_STATE_PERF};

    (void)state;
    for (unsigned type = 0; type < WIRE_TYPE_END; type++) {
        const struct wire_row *row = codec_row(type);

        for (unsigned i = 0; row && i < 3; i++) {
            struct wire_turn turn = turn_for(row);

            turn.state = states[i];
            assert_int_equal(check(&turn, make(type, row->min_bytes, 0), 0),
                             row->when & states[i] ? 0 : -EPROTO);
        }
    }
    /* the ones that matter most: nothing is read before hello, nothing enabled before open */
    assert_int_equal(codec_row(WIRE_ASK_READ)->when & WIRE_STATE_START, 0);
    assert_int_equal(codec_row(WIRE_ASK_PERF_ENABLE)->when, WIRE_STATE_PERF);
}

static void once(void **state)
{
    (void)state;
    for (unsigned type = 0; type < WIRE_TYPE_END; type++) {
        const struct wire_row *row = codec_row(type);
        struct wire_turn turn;

        if (!row)
            continue;
        turn = turn_for(row);
        assert_int_equal(check(&turn, make(type, row->min_bytes, 0), 0), 0);
        assert_int_equal(check(&turn, make(type, row->min_bytes, 0), 0),
                         row->times == WIRE_TIMES_ONCE ? -EPROTO : 0);
    }
}

static void heads(void **state)
{
    const struct wire_row *row = codec_row(WIRE_ASK_MAPS);
    struct wire_turn turn = turn_for(row);
    size_t bytes = make(WIRE_ASK_MAPS, row->min_bytes, 0);
    struct wire_head h;

    (void)state;
    for (size_t n = 0; n < bytes; n++)
        assert_int_equal(check(&turn, n, 0), -EPROTO);
    assert_int_equal(check(&turn, bytes, 0), 0);
    assert_int_equal(check(&turn, bytes + 1, 0), -EPROTO); /* more came than the header says */
    assert_int_equal(check(&turn, bytes, 1), -EPROTO);     /* so did a descriptor */
    memcpy(&h, packet, sizeof(h));
    h.magic++;
    memcpy(packet, &h, sizeof(h));
    assert_int_equal(check(&turn, bytes, 0), -EPROTO);
    h.magic = WIRE_MAGIC;
    h.type = WIRE_TYPE_END;
    memcpy(packet, &h, sizeof(h));
    assert_int_equal(check(&turn, bytes, 0), -EPROTO);
    h.type = WIRE_ASK_MAPS;
    h.fds = 1; /* a promised descriptor that did not come */
    memcpy(packet, &h, sizeof(h));
    assert_int_equal(check(&turn, bytes, 0), -EPROTO);
    h.fds = 0;
    h.bytes = UINT32_MAX;
    memcpy(packet, &h, sizeof(h));
    assert_int_equal(check(&turn, bytes, 0), -EPROTO);
}

static void texts(void **state)
{
    char text[8];

    (void)state;
    assert_true(codec_text_ok("", 1));
    assert_true(codec_text_ok("abc ~\0\xff", 7)); /* what is behind the end is not looked at */
    assert_false(codec_text_ok("abc", 3));        /* no end */
    assert_false(codec_text_ok("a\nb", 4));
    assert_false(codec_text_ok("a\x7f", 3));
    assert_false(codec_text_ok("\xc3\xa4", 3));
    assert_false(codec_text_ok("", 0));
    memset(text, 'x', sizeof(text));
    codec_text(text, sizeof(text), "a\nb");
    assert_memory_equal(text, "a?b\0\0\0\0\0", 8); /* nothing of what was there before */
    codec_text(text, sizeof(text), "123456789");
    assert_string_equal(text, "1234567");
    assert_true(codec_text_ok(text, sizeof(text)));
}

/* Nobody hands the guard a descriptor; it hands out the most. */
static void descriptors_of_a_direction(void **state)
{
    static const struct {
        enum wire_role self, peer;
        size_t max;
    } links[] = {
        {WIRE_ROLE_GUARD, WIRE_ROLE_SAMPLER, 0}, {WIRE_ROLE_GUARD, WIRE_ROLE_FRONT, 0},
        {WIRE_ROLE_SAMPLER, WIRE_ROLE_FRONT, 0}, {WIRE_ROLE_SAMPLER, WIRE_ROLE_GUARD, WIRE_FDS_MAX},
        {WIRE_ROLE_FRONT, WIRE_ROLE_SAMPLER, 1}, {WIRE_ROLE_FRONT, WIRE_ROLE_GUARD, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        const struct wire_turn turn = {.self = links[i].self, .peer = links[i].peer};

        assert_int_equal(codec_fds_max(&turn), links[i].max);
    }
}

static void rates(void **state)
{
    struct wire_rate r[WIRE_RATES] = {{0}};

    (void)state;
    assert_true(codec_rates_ok(r));
    for (size_t i = 0; i < WIRE_RATES; i++) {
        r[i].state = WIRE_RATE_STATES - 1;
        assert_true(codec_rates_ok(r));
        r[i].state = WIRE_RATE_STATES;
        assert_false(codec_rates_ok(r));
        r[i].state = 0;
        r[i].zero = 1;
        assert_false(codec_rates_ok(r));
        r[i].zero = 0;
    }
}

static void members(void **state)
{
    struct wire_members m = {.count = WIRE_MEMBERS_MAX, .missed = UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < WIRE_MEMBERS_MAX; i++)
        m.row[i] = (struct wire_member){.generation = 1, .mode = WIRE_MODE_RESTRICTED, .apart = 1};
    assert_true(codec_members_ok(&m));
    m.count++;
    assert_false(codec_members_ok(&m));
    m.count--;
    m.row[31].generation = 0;
    assert_false(codec_members_ok(&m));
    m.count--; /* what is not counted is not looked at */
    assert_true(codec_members_ok(&m));
    m.row[30].mode++;
    assert_false(codec_members_ok(&m));
    m.row[30].mode--;
    m.row[30].apart = 2;
    assert_false(codec_members_ok(&m));
    m.row[30].apart = 0;
    m.row[30].name[0] = '\x1b';
    assert_false(codec_members_ok(&m));
    memset(m.row[30].name, 'a', sizeof(m.row[30].name)); /* no end */
    assert_false(codec_members_ok(&m));
    m.row[30].name[WIRE_NAME_BYTES - 1] = '\0';
    assert_true(codec_members_ok(&m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lengths_of_all_rows),
                                       cmocka_unit_test(directions),
                                       cmocka_unit_test(states),
                                       cmocka_unit_test(once),
                                       cmocka_unit_test(heads),
                                       cmocka_unit_test(descriptors_of_a_direction),
                                       cmocka_unit_test(texts),
                                       cmocka_unit_test(rates),
                                       cmocka_unit_test(members)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
