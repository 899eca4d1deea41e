/*
 * sidecar/store/{tiers,history}.c: what stays how long, and what is answered.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "helper_store.h"
#include "profile/gzip.h"
#include "profile/profile.h"
#include "sidecar/routes/history.h"
#include "sidecar/store/tiers.h"

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

enum { MS_MINUTE = 60000, MS_HOUR = 3600000, MS_DAY = 86400000 };

/* --- tiers --- */

static const struct tiers_rules rules = {
    .minutely_ms = MS_DAY,
    .hourly_ms = (uint64_t)7 * MS_DAY,
    .daily_ms = (uint64_t)30 * MS_DAY,
    .max_files = HISTORY_FILES_MAX,
};

static size_t staying(const struct tiers_row *rows, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += rows[i].stays;
    return count;
}

/* Forty days of one profile every ten seconds, of two types: what is left is what the tiers say. */
static void forty_days(void **state)
{
    size_t n = 40 * 86400 / 10, i = 0;
    struct tiers_row *rows = calloc(n * 2, sizeof(*rows));
    int64_t end = 20000 * DAY;

    (void)state;
    assert_non_null(rows);
    for (int64_t t = end - 40 * DAY; t < end; t += 10 * SECOND) {
        rows[i++] = (struct tiers_row){.key = {.time_ns = t, .type = 0}, .bytes = 10};
        rows[i++] = (struct tiers_row){.key = {.time_ns = t, .type = 1, .id = {1}}, .bytes = 10};
    }
    tiers_judge(rows, n * 2, &rules, end);
    /* a day of minutes, six more of hours, 23 more of days; ages are below their bound */
    assert_int_equal(staying(rows, n * 2), 2 * (1440 - 1 + 6 * 24 + 23 + 1 - 1));
    for (i = 0; i < n * 2; i++) {
        int64_t t = rows[i].key.time_ns;

        if (rows[i].stays)
            assert_int_equal(t % MINUTE, 0); /* the earliest */
        if (rows[i].stays && end - t > DAY)
            assert_int_equal(t % HOUR, 0);
        if (rows[i].stays && end - t > 7 * DAY)
            assert_int_equal(t % DAY, 0);
    }
    free(rows);
}

static void at_the_edge(void **state)
{
    struct tiers_rules r = {.minutely_ms = MS_MINUTE, .max_files = 10};
    struct tiers_row rows[] = {{.key = {.time_ns = DAY}},
                               {.key = {.time_ns = DAY + 1}},
                               {.key = {.time_ns = DAY + MINUTE}}};

    (void)state;
    tiers_judge(rows, 3, &r, DAY + MINUTE - 1);
    assert_true(rows[0].stays && !rows[1].stays && rows[2].stays); /* the last is of the future */
    tiers_judge(rows, 3, &r, DAY + MINUTE);
    assert_true(!rows[0].stays && !rows[1].stays && rows[2].stays);
}

static void releases(void **state)
{
    struct tiers_rules none = {.max_files = 1000};
    struct tiers_row rows[HISTORY_RELEASES_MAX * 3];
    size_t n = sizeof(rows) / sizeof(rows[0]);

    (void)state;
    for (size_t i = 0; i < n; i++) /* each version three times */
        rows[i] = (struct tiers_row){
            .key = {.time_ns = (int64_t)(i + 1) * HOUR, .mark = (uint32_t)(i / 3) + 1}};
    tiers_judge(rows, n, &none, 400 * DAY);
    assert_int_equal(staying(rows, n), HISTORY_RELEASES_MAX);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(rows[i].stays, i % 3 == 0); /* the earliest */
    rows[n - 1].key.mark = 77; /* one above the bound: the first version goes */
    tiers_judge(rows, n, &none, 400 * DAY);
    assert_int_equal(staying(rows, n), HISTORY_RELEASES_MAX);
    assert_false(rows[0].stays);
    assert_true(rows[3].stays && rows[n - 1].stays);
    for (size_t i = 0; i < n; i++)
        rows[i].key.mark = 0; /* unknown ones are no release */
    tiers_judge(rows, n, &none, 400 * DAY);
    assert_int_equal(staying(rows, n), 0);
}

static void size_at_the_bound(void **state)
{
    struct tiers_rules r = rules;
    struct tiers_row rows[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        rows[i] = (struct tiers_row){.key = {.time_ns = DAY + (int64_t)i * MINUTE}, .bytes = 100};
    r.max_bytes = 400;
    tiers_judge(rows, 4, &r, DAY + HOUR);
    assert_int_equal(staying(rows, 4), 4);
    r.max_bytes = 399;
    tiers_judge(rows, 4, &r, DAY + HOUR);
    assert_true(!rows[0].stays && rows[1].stays && rows[3].stays);
    r.max_bytes = 0;
    r.max_files = 2;
    tiers_judge(rows, 4, &r, DAY + HOUR);
    assert_true(!rows[1].stays && rows[2].stays && rows[3].stays);
}

/* --- the history --- */

static struct helper_store h;
static struct history *history;

static int begin(void **state)
{
    (void)state;
    helper_store_begin(&h, 1);
    (void)snprintf(h.config->history.dir, sizeof(h.config->history.dir), "%s/history", h.folder);
    h.config->history.minutely_ms = MS_DAY;
    h.config->history.hourly_ms = (uint64_t)7 * MS_DAY;
    h.config->history.daily_ms = (uint64_t)30 * MS_DAY;
    h.config->history.max_bytes = 1 << 30;
    assert_int_equal(store_open(&h.loop, h.config, &h.store, NULL), 0);
    assert_int_equal(history_open(h.store, h.config, &history, NULL), 0);
    helper_store_turn(&h, 50);
    return 0;
}

static int end(void **state)
{
    (void)state;
    history_close(history);
    history = NULL;
    helper_store_end(&h);
    return 0;
}

/* A profile of one sample per type, which has this value. */
static void encode(int64_t value, bool other, struct buf *out)
{
    struct profile *p = profile_new();
    uint64_t f = profile_function(p, "main.work", NULL, "main.go", 1);
    struct profile_line line = {f, 7};
    uint64_t at;

    assert_int_equal(profile_add_type(p, other ? "alloc" : "samples", "count"), 0);
    assert_int_equal(profile_set_period(p, "cpu", "nanoseconds", 10000000), 0);
    profile_set_time(p, 1, 10 * SECOND);
    at = profile_location(p, 0, 0x1000, &line, 1);
    assert_int_equal(profile_sample(p, &at, 1, &value, NULL, 0), 0);
    buf_init(out, 1 << 20);
    assert_int_equal(profile_encode(p, out), 0);
    profile_free(p);
}

static void ignore(void *data, int result, const char *why)
{
    assert_int_equal(result, 0);
    (void)why;
    ++*(unsigned *)data;
}

/* Item n, ${ago} before now. */
static void keep(unsigned n, const char *type, int64_t ago, bool other)
{
    unsigned done = 0;
    struct item item;
    struct buf raw;

    helper_store_item(n, type, &item);
    item.time_ns = (int64_t)clock_real_ns() - ago;
    encode((int64_t)n, other, &raw);
    assert_int_equal(store_put(h.store, &item, raw.data, raw.len, 0, true, ignore, &done), 0);
    buf_release(&raw);
    for (int i = 0; i < 100 && !done; i++)
        helper_store_turn(&h, 20);
    assert_int_equal(done, 1);
}

struct got {
    bool done;
    int result;
    size_t count;
    char why[200];
    struct buf body;
    struct item item;
};

static void came(void *data, const struct history_answer *a)
{
    struct got *g = data;

    assert_false(g->done);
    g->done = true;
    g->result = a->result;
    g->count = a->count;
    g->item = a->item;
    assert_int_equal(a->result == 0, a->why == NULL || a->result == 0);
    (void)snprintf(g->why, sizeof(g->why), "%s", a->why ? a->why : "");
    if (a->body) {
        g->body = *a->body;
        *a->body = (struct buf){0};
    }
}

static void wait_for(struct got *g)
{
    for (int i = 0; i < 500 && !g->done; i++)
        helper_store_turn(&h, 20);
    assert_true(g->done);
}

static void list(const struct history_query *q, struct got *g)
{
    memset(g, 0, sizeof(*g));
    assert_int_equal(history_list(history, q, came, g), 0);
    wait_for(g);
    assert_int_equal(g->result, 0);
}

static void listed(void **state)
{
    struct history_query q = {.limit = 0};
    struct history_counts c;
    struct got g;

    (void)state;
    for (unsigned i = 1; i <= 10; i++)
        keep(i, i % 2 ? "cpu" : "heap", (20 - (int64_t)i) * MINUTE, false);
    history_counts(history, &c);
    assert_int_equal(c.profiles, 10);
    assert_string_equal(c.state, "ok");
    list(&q, &g);
    assert_int_equal(g.count, 10);
    assert_non_null(strstr(buf_text(&g.body), "\"more\":false"));
    assert_non_null(strstr(buf_text(&g.body), "\"target\":\"server \\\"3\\\"\""));
    /* newest first */
    assert_true(strstr(buf_text(&g.body), "0000000a\"") < strstr(buf_text(&g.body), "00000009\""));
    buf_release(&g.body);
    q.limit = 10;
    list(&q, &g);
    assert_non_null(strstr(buf_text(&g.body), "\"more\":false"));
    buf_release(&g.body);
    q.limit = 9;
    list(&q, &g);
    assert_int_equal(g.count, 9);
    assert_non_null(strstr(buf_text(&g.body), "\"more\":true"));
    buf_release(&g.body);
    (void)snprintf(q.type, sizeof(q.type), "heap");
    list(&q, &g);
    assert_int_equal(g.count, 5);
    buf_release(&g.body);
    q.from_ns = (int64_t)clock_real_ns() - 13 * MINUTE - 30 * SECOND; /* items 7 and later */
    list(&q, &g);
    assert_int_equal(g.count, 2);
    buf_release(&g.body);
    q.to_ns = q.from_ns;
    list(&q, &g);
    assert_int_equal(g.count, 0);
    buf_release(&g.body);
}

static void read_back(void **state)
{
    struct got g = {.done = false};
    struct buf raw, want;

    (void)state;
    keep(5, "cpu", MINUTE, false);
    assert_int_equal(history_read(history, "00000000000000000000000000000006", came, &g), -ENOENT);
    assert_int_equal(history_read(history, "../../../../etc/passwd", came, &g), -ENOENT);
    assert_int_equal(history_read(history, "00000000000000000000000000000005", came, &g), 0);
    wait_for(&g);
    assert_int_equal(g.result, 0);
    assert_int_equal(g.item.seq, 5);
    buf_init(&raw, 1 << 20);
    assert_int_equal(gzip_unpack(g.body.data, g.body.len, &raw, NULL), 0);
    encode(5, false, &want);
    assert_int_equal(raw.len, want.len);
    assert_memory_equal(raw.data, want.data, raw.len);
    buf_release(&raw);
    buf_release(&want);
    buf_release(&g.body);
}

static struct profile *merged(const char *type, struct got *g)
{
    struct history_query q = {.limit = 0};
    struct profile *p = NULL;
    struct buf raw;

    memset(g, 0, sizeof(*g));
    (void)snprintf(q.type, sizeof(q.type), "%s", type);
    assert_int_equal(history_merge(history, &q, came, g), 0);
    wait_for(g);
    if (g->result)
        return NULL;
    buf_init(&raw, 1 << 20);
    assert_int_equal(gzip_unpack(g->body.data, g->body.len, &raw, NULL), 0);
    assert_int_equal(profile_decode(raw.data, raw.len, &p, NULL), 0);
    assert_int_equal(profile_validate(p, NULL), 0);
    buf_release(&raw);
    buf_release(&g->body);
    return p;
}

static bool says(const struct profile *p, const char *text)
{
    for (size_t i = 0; i < profile_comments(p); i++) {
        if (strstr(profile_comment(p, i), text))
            return true;
    }
    return false;
}

static void merge_sums(void **state)
{
    struct got g;
    struct profile *p;
    int64_t sum = 0;

    (void)state;
    for (unsigned i = 1; i <= 120; i++) { /* two versions: v1.0 and v1.1 */
        keep(i, "cpu", (200 - (int64_t)i) * MINUTE, false);
        sum += i;
    }
    keep(500, "heap", MINUTE, false);
    p = merged("cpu", &g);
    assert_non_null(p);
    assert_int_equal(profile_total(p, 0), sum);
    assert_int_equal(profile_samples(p), 1);
    assert_int_equal(profile_duration_ns(p), 120 * 10 * SECOND);
    assert_int_equal(g.count, 120);
    assert_true(says(p, "merge of 120 profiles, from 2"));
    assert_string_equal(g.item.version, ""); /* they do not share it */
    profile_free(p);
    keep(7, "cpu", 30 * SECOND, true); /* other sample types: left out, and said */
    p = merged("cpu", &g);
    assert_int_equal(profile_total(p, 0), sum);
    assert_true(says(p, "left out: 1 profiles"));
    profile_free(p);
}

static void merge_of_none(void **state)
{
    struct history_query q = {.type = "cpu"};
    struct got g = {.done = false};

    (void)state;
    assert_int_equal(history_merge(history, &q, came, &g), -ENOENT);
    assert_int_equal(history_merge(NULL, &q, came, &g), -ENOTSUP);
    assert_int_equal(history_list(NULL, &q, came, &g), -ENOTSUP);
    assert_int_equal(history_read(NULL, "", came, &g), -ENOTSUP);
}

/* Names are enough to be counted; none can be read. */
static void merge_at_the_bound(void **state)
{
    struct history_query q = {.type = "cpu"};
    struct got g = {.done = false};
    char path[1300];

    (void)state;
    history_close(history);
    for (unsigned i = 0; i <= HISTORY_MERGE_MAX; i++) {
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%019lld-cpu-%032x-00000001.plsp",
                       h.config->history.dir,
                       (long long)((int64_t)clock_real_ns() - (1 + (int64_t)i) * MINUTE), i);
        fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_int_equal(ftruncate(fd, 100), 0);
        (void)close(fd);
    }
    h.config->history.minutely_ms = (uint64_t)2 * MS_DAY;
    assert_int_equal(history_open(h.store, h.config, &history, NULL), 0);
    for (unsigned i = 0; i < 20; i++) { /* until the folder has been read, on a busy machine too */
        helper_store_turn(&h, 1500);
        if (history_merge(history, &q, came, &g) != -ENOENT)
            break;
    }
    assert_int_equal(history_merge(history, &q, came, &g), -EFBIG);
    q.from_ns = (int64_t)clock_real_ns() - HISTORY_MERGE_MAX * MINUTE - 30 * SECOND;
    assert_int_equal(history_merge(history, &q, came, &g), 0);
    wait_for(&g);
    assert_int_equal(g.result, -EBADMSG); /* all of them are damaged */
}

static void questions_at_the_bound(void **state)
{
    struct history_query q = {.limit = 1};
    struct got g[9];

    (void)state;
    memset(g, 0, sizeof(g));
    keep(1, "cpu", MINUTE, false);
    for (int i = 0; i < 8; i++)
        assert_int_equal(history_list(history, &q, came, &g[i]), 0);
    assert_int_equal(history_list(history, &q, came, &g[8]), -EBUSY);
    history_forget(history, &g[3]);
    wait_for(&g[7]);
    assert_false(g[3].done);
    for (int i = 0; i < 8; i++)
        buf_release(&g[i].body);
    assert_int_equal(history_list(history, &q, came, &g[8]), 0);
    wait_for(&g[8]);
    buf_release(&g[8].body);
}

/* The same inode; a thinned or deleted file is no answer; the folder is made anew. */
static void the_folder(void **state)
{
    struct got g = {.done = false};
    struct history_counts c;

    (void)state;
    keep(1, "cpu", MINUTE, false);
    helper_store_rm(h.config->history.dir);
    assert_int_equal(history_read(history, "00000000000000000000000000000001", came, &g), 0);
    wait_for(&g);
    assert_int_equal(g.result, -ENOENT);
    assert_true(g.why[0]);
    keep(2, "cpu", MINUTE, false);
    memset(&g, 0, sizeof(g));
    assert_int_equal(history_read(history, "00000000000000000000000000000002", came, &g), 0);
    wait_for(&g);
    assert_int_equal(g.result, 0);
    buf_release(&g.body);
    history_close(history); /* what lies there is known at the next start */
    assert_int_equal(history_open(h.store, h.config, &history, NULL), 0);
    helper_store_turn(&h, 300);
    history_counts(history, &c);
    assert_int_equal(c.profiles, 1);
}

/* Kept with no spool at all. */
static void alone(void **state)
{
    struct history_counts c;
    struct got g = {.done = false};

    (void)state;
    history_close(history);
    helper_store_close(&h);
    h.config->spool.dir[0] = '\0';
    assert_int_equal(store_open(&h.loop, h.config, &h.store, NULL), 0);
    assert_int_equal(history_open(h.store, h.config, &history, NULL), 0);
    helper_store_turn(&h, 50);
    keep(3, "cpu", MINUTE, false);
    history_counts(history, &c);
    assert_int_equal(c.profiles, 1);
    assert_int_equal(history_read(history, "00000000000000000000000000000003", came, &g), 0);
    wait_for(&g);
    assert_int_equal(g.result, 0);
    buf_release(&g.body);
}

/* --- the route's times --- */

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t ns; /* -1: refused */
    } rows[] = {
        {"1763750000", INT64_C(1763750000) * SECOND},
        {"0", 0},
        {"2025-11-21T18:33:20Z", INT64_C(1763750000) * SECOND},
        {"2025-11-21T18:33:20.25Z", INT64_C(1763750000) * SECOND + SECOND / 4},
        {"2025-11-21T19:33:20+01:00", INT64_C(1763750000) * SECOND},
        {"2025-11-21T19:33:20 01:00", INT64_C(1763750000) * SECOND},
        {"2025-11-21T13:03:20-05:30", INT64_C(1763750000) * SECOND},
        {"-1h", 100 * HOUR - HOUR},
        {"-30m", 100 * HOUR - 30 * MINUTE},
        {"2025-11-21T18:33:20", -1},
        {"2025-11-21", -1},
        {"2025-13-21T18:33:20Z", -1},
        {"2025-11-21T18:33:20Zx", -1},
        {"9223372036", -1},
        {"9999-01-01T00:00:00Z", -1},
        {"1960-01-01T00:00:00Z", -1},
        {"-", -1},
        {"-1", -1},
        {"--1h", -1},
        {"yesterday", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ns = -1;
        int r = history_route_time(rows[i].text, 100 * HOUR, &ns);

        if (ns != rows[i].ns)
            print_error("%s\n", rows[i].text);
        assert_int_equal(ns, rows[i].ns);
        assert_int_equal(r, rows[i].ns < 0 ? -EINVAL : 0);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forty_days),
        cmocka_unit_test(at_the_edge),
        cmocka_unit_test(releases),
        cmocka_unit_test(size_at_the_bound),
        T(listed),
        T(read_back),
        T(merge_sums),
        T(merge_of_none),
        T(merge_at_the_bound),
        T(questions_at_the_bound),
        T(the_folder),
        T(alone),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
