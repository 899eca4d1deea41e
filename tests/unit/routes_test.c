/* The pure parts of the routes: the table, parameters, the index, symbol's addresses, status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "sidecar/banner.h"
#include "sidecar/routes/api.h"
#include "sidecar/routes/index.h"
#include "sidecar/routes/params.h"
#include "sidecar/routes/runtime.h"
#include "sidecar/routes/symbol.h"
#include "sidecar/routes/table.h"

/* --- the table --- */

static void paths_match_exactly(void **state)
{
    static const char *const others[] = {
        "",
        "//",
        "/debug/pprof//profile",
        "//debug/pprof/profile",
        "/debug/pprof/profile/",
        "/debug/pprof/./profile",
        "/debug/pprof/../pprof/profile",
        "/debug/pprof/x/../profile",
        "/debug/pprof/%70rofile",
        "/debug%2fpprof/profile",
        "/debug/pprof%2Fprofile",
        "/debug/pprof/profile%00",
        "/debug/pprof/Profile",
        "/DEBUG/pprof/profile",
        "/debug/pprof/profil",
        "/debug/pprof/profilee",
        "/debug/pprof/profile;x",
        "/livez/",
        "/metrics2",
    };

    (void)state;
    assert_non_null(table_find("/debug/pprof/profile", ROUTE_ADMIN));
    assert_non_null(table_find("/debug/pprof/", ROUTE_ADMIN));
    assert_non_null(table_find("/debug/pprof", ROUTE_ADMIN));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (table_find(others[i], ROUTE_ADMIN))
            fail_msg("%s is a path", others[i]);
    }
}

static void health_has_no_profile(void **state)
{
    size_t n;
    const struct route *rows = table_rows(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        bool health = strcmp(rows[i].path, "/livez") == 0 || strcmp(rows[i].path, "/readyz") == 0 ||
                      strcmp(rows[i].path, "/metrics") == 0;

        char path[128];

        (void)snprintf(path, sizeof(path), "%s%s", rows[i].path, rows[i].beneath ? "x" : "");
        if (&rows[i] == table_custom()) { /* no path of its own */
            assert_null(table_find(path, ROUTE_ADMIN));
            continue;
        }
        assert_int_equal(table_find(path, ROUTE_HEALTH) != NULL, health);
        assert_ptr_equal(table_find(path, ROUTE_ADMIN), &rows[i]);
        if (rows[i].beneath) { /* exactly one segment more */
            assert_null(table_find(rows[i].path, ROUTE_ADMIN));
            (void)snprintf(path, sizeof(path), "%sx/y", rows[i].path);
            assert_null(table_find(path, ROUTE_ADMIN));
        }
    }
}

/* Names are the metrics' labels, so two rows with one name would make a series twice. */
static void rows_are_complete(void **state)
{
    const char *listed = "";
    size_t n;
    const struct route *rows = table_rows(&n);

    (void)state;
    assert_true(n <= INDEX_ROWS_MAX && n < METRICS_HANDLERS_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_true((rows[i].handle == NULL) == (rows[i].absent != NULL));
        assert_true(rows[i].methods & ROUTE_GET);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(rows[i].name, rows[k].name);
            assert_string_not_equal(rows[i].path, rows[k].path);
        }
        if (!rows[i].about)
            continue;
        assert_true(strcmp(listed, rows[i].name) < 0); /* the index is sorted */
        assert_true(rows[i].scope != 0);
        listed = rows[i].name;
    }
}

static void scopes_are_those_of_the_contract(void **state)
{
    static const struct {
        const char *path;
        uint32_t scope;
    } rows[] = {
        {"/debug/pprof/profile", CONFIG_SCOPE_CPU},
        {"/debug/pprof/heap", CONFIG_SCOPE_HEAP},
        {"/debug/pprof/allocs", CONFIG_SCOPE_HEAP},
        {"/debug/pprof/delta_heap", CONFIG_SCOPE_HEAP},
        {"/debug/pprof/goroutine", CONFIG_SCOPE_GOROUTINE},
        {"/debug/pprof/threadcreate", CONFIG_SCOPE_GOROUTINE},
        {"/debug/pprof/block", CONFIG_SCOPE_CONTENTION},
        {"/debug/pprof/mutex", CONFIG_SCOPE_CONTENTION},
        {"/debug/pprof/trace", CONFIG_SCOPE_TRACE},
        {"/debug/pprof/cmdline", CONFIG_SCOPE_CMDLINE},
        {"/debug/pprof/symbol", CONFIG_SCOPE_SYMBOL},
        {"/debug/fgprof", CONFIG_SCOPE_CPU},
        {"/metrics", CONFIG_SCOPE_METRICS},
        {"/api/v1/profiles", CONFIG_SCOPE_HISTORY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct route *r = table_find(rows[i].path, ROUTE_ADMIN);

        assert_non_null(r);
        assert_int_equal(r->scope, rows[i].scope);
    }
}

/* --- parameters --- */

static struct config *config;

static int with_config(void **state)
{
    (void)state;
    config = calloc(1, sizeof(*config));
    if (!config)
        return -1;
    config->limits.default_seconds = 30;
    config->limits.profile_seconds = 60;
    config->limits.hz = 1000;
    config->sample_labels.read = true;
    return 0;
}

static int without_config(void **state)
{
    (void)state;
    free(config);
    return 0;
}

static struct params_cpu good(const char *query)
{
    struct params_cpu p;
    struct err e;

    if (params_cpu(query, config, 100, &p, &e))
        fail_msg("%s: %s", query, e.text);
    return p;
}

static void bad(const char *query, const char *key)
{
    struct params_cpu p = {.seconds = 77};
    char quoted[64];
    struct err e;

    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", key);
    if (params_cpu(query, config, 100, &p, &e) != -EINVAL)
        fail_msg("%s was taken", query);
    assert_non_null(strstr(e.text, quoted));
    assert_int_equal(p.seconds, 77); /* untouched */
}

static void defaults(void **state)
{
    struct params_cpu p = good("");

    (void)state;
    assert_int_equal(p.seconds, 30);
    assert_int_equal(p.hz, 100);
    assert_true(p.labels);
    assert_true(p.kernel);
    config->limits.profile_seconds = 20; /* the default is clamped too */
    assert_int_equal(good("").seconds, 20);
    config->limits.hz = 50;
    assert_int_equal(good("").hz, 50);
    assert_int_equal(good("seconds=&hz=&labels=&kernel=").seconds, 20); /* empty is absent */
}

static void clamped(void **state)
{
    (void)state;
    assert_int_equal(good("seconds=1").seconds, 1);
    assert_int_equal(good("seconds=60").seconds, 60);
    assert_int_equal(good("seconds=61").seconds, 60);
    assert_int_equal(good("seconds=61").asked_seconds, 61);
    assert_int_equal(good("seconds=1000000000").seconds, 60);
    assert_int_equal(good("seconds=9223372036854775807").seconds, 60);
    assert_int_equal(good("hz=1").hz, 1);
    assert_int_equal(good("hz=1000").hz, 1000);
    assert_int_equal(good("hz=1001").hz, 1000);
}

static void first_counts_and_unknown_is_no_error(void **state)
{
    (void)state;
    assert_int_equal(good("seconds=2&seconds=x").seconds, 2);
    assert_int_equal(good("what=ever&seconds=3&debug=2&gc=1").seconds, 3);
    assert_int_equal(good("seconds=%35").seconds, 5);
    bad("seconds=x&seconds=2", "seconds");
}

static void bad_numbers(void **state)
{
    static const char *const values[] = {
        "0",
        "-1",
        "abc",
        "1.5",
        "1e9",
        "+1",
        "%2B1",
        "0x10",
        "1s",
        " 1",
        "1%20",
        "%",
        "%zz",
        "00",
        "9223372036854775808",
        "18446744073709551617",
        "99999999999999999999999999999999999999999999999999999999999999999",
    };
    char query[128];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        (void)snprintf(query, sizeof(query), "seconds=%s", values[i]);
        bad(query, "seconds");
        (void)snprintf(query, sizeof(query), "hz=%s", values[i]);
        bad(query, "hz");
    }
}

static void seconds_say_what_go_says(void **state)
{
    struct params_cpu p;
    struct err e;

    (void)state;
    assert_int_equal(params_cpu("seconds=0", config, 100, &p, &e), -EINVAL);
    assert_string_equal(e.text, "invalid value for \"seconds\" - must be a positive integer");
}

static void flags(void **state)
{
    (void)state;
    assert_false(good("labels=0").labels);
    assert_true(good("labels=1").labels);
    assert_false(good("kernel=0").kernel);
    assert_true(good("kernel=1").kernel);
    config->sample_labels.read = false;
    assert_false(good("").labels);
    assert_true(good("labels=1").labels);
    bad("labels=2", "labels");
    bad("labels=true", "labels");
    bad("kernel=10", "kernel");
}

static void json_is_asked_for_exactly(void **state)
{
    (void)state;
    assert_true(params_is("format=json", "format", "json"));
    assert_false(params_is("format=jsonx", "format", "json"));
    assert_false(params_is("", "format", "json"));
}

/* --- parameters of what is read from the runtime --- */

static struct params_runtime good_runtime(const char *query, uint32_t kind)
{
    struct params_runtime p;
    struct err e;

    if (params_runtime(query, config, kind, &p, &e))
        fail_msg("%s: %s", query, e.text);
    return p;
}

static void bad_runtime(const char *query, const char *text)
{
    struct params_runtime p = {.seconds = 77};
    struct err e;

    if (params_runtime(query, config, WIRE_RUNTIME_HEAP, &p, &e) != -EINVAL)
        fail_msg("%s was taken", query);
    assert_string_equal(e.text, text);
    assert_int_equal(p.seconds, 77); /* untouched */
}

static void forms_are_gos(void **state)
{
    static const struct {
        const char *query;
        uint32_t goroutine, heap;
    } rows[] = {
        {"", WIRE_RUNTIME_PPROF, WIRE_RUNTIME_PPROF},
        {"debug=0", WIRE_RUNTIME_PPROF, WIRE_RUNTIME_PPROF},
        {"debug=1", WIRE_RUNTIME_TEXT, WIRE_RUNTIME_TEXT},
        {"debug=2", WIRE_RUNTIME_STACKS, WIRE_RUNTIME_TEXT},
        {"debug=3", WIRE_RUNTIME_STACKS, WIRE_RUNTIME_TEXT},
        {"debug=99999999999999999999999", WIRE_RUNTIME_STACKS, WIRE_RUNTIME_TEXT},
        {"debug=-1", WIRE_RUNTIME_PPROF, WIRE_RUNTIME_PPROF},
        {"debug=x", WIRE_RUNTIME_PPROF, WIRE_RUNTIME_PPROF},
        {"debug=1x", WIRE_RUNTIME_PPROF, WIRE_RUNTIME_PPROF},
        {"debug=%2B2", WIRE_RUNTIME_STACKS, WIRE_RUNTIME_TEXT},
        {"debug=0&debug=2", WIRE_RUNTIME_PPROF, WIRE_RUNTIME_PPROF},
        {"debug=", WIRE_RUNTIME_PPROF, WIRE_RUNTIME_PPROF},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct params_runtime g = good_runtime(rows[i].query, WIRE_RUNTIME_GOROUTINE);
        struct params_runtime h = good_runtime(rows[i].query, WIRE_RUNTIME_HEAP);

        if (g.form != rows[i].goroutine || h.form != rows[i].heap)
            fail_msg("%s: forms %u and %u", rows[i].query, g.form, h.form);
        assert_int_equal(g.text, g.form != WIRE_RUNTIME_PPROF);
        assert_int_equal(h.text, h.form != WIRE_RUNTIME_PPROF);
    }
}

static void deltas_are_checked_in_gos_order(void **state)
{
    static const char seconds[] = "invalid value for \"seconds\" - must be a positive integer";

    (void)state;
    bad_runtime("seconds=0", seconds);
    bad_runtime("seconds=x&debug=1", seconds); /* before the debug that does not go with it */
    bad_runtime("seconds=-1", seconds);
    bad_runtime("seconds=1&debug=1", "seconds and debug params are incompatible");
    bad_runtime("seconds=1&debug=-1", "seconds and debug params are incompatible");
    assert_int_equal(good_runtime("seconds=1&debug=0", WIRE_RUNTIME_HEAP).seconds, 1);
    assert_int_equal(good_runtime("seconds=&debug=1", WIRE_RUNTIME_HEAP).seconds, 0);
    assert_int_equal(good_runtime("seconds=60", WIRE_RUNTIME_HEAP).seconds, 60);
    assert_int_equal(good_runtime("seconds=61", WIRE_RUNTIME_HEAP).seconds, 60);
    assert_int_equal(good_runtime("seconds=61", WIRE_RUNTIME_HEAP).asked_seconds, 61);
}

static void only_some_kinds_have_details(void **state)
{
    (void)state;
    assert_true(good_runtime("labels=detail", WIRE_RUNTIME_GOROUTINE).detail);
    assert_false(good_runtime("labels=details", WIRE_RUNTIME_GOROUTINE).detail);
    assert_false(good_runtime("labels=detail", WIRE_RUNTIME_HEAP).detail);
    assert_true(good_runtime("gc=1", WIRE_RUNTIME_HEAP).gc);
    assert_false(good_runtime("gc=0", WIRE_RUNTIME_HEAP).gc);
    assert_false(good_runtime("gc=-1", WIRE_RUNTIME_HEAP).gc);
    assert_false(good_runtime("gc=1", WIRE_RUNTIME_ALLOCS).gc);
}

static void kinds_are_found_by_name(void **state)
{
    (void)state;
    assert_int_equal(runtime_kind("goroutine"), WIRE_RUNTIME_GOROUTINE);
    assert_int_equal(runtime_kind("heap"), WIRE_RUNTIME_HEAP);
    assert_int_equal(runtime_kind("delta_heap"), WIRE_RUNTIME_HEAP);
    assert_int_equal(runtime_kind("delta_mutex"), WIRE_RUNTIME_MUTEX);
    assert_int_equal(runtime_kind("threadcreate"), WIRE_RUNTIME_THREADCREATE);
    assert_int_equal(runtime_kind("cpu"), -1);
    assert_int_equal(runtime_kind("profile"), -1);
    assert_int_equal(runtime_kind("delta_"), -1);
    assert_int_equal(runtime_kind(""), -1);
}

static void what_goes_through_is_closed(void **state)
{
    static const struct {
        const char *query;
        int result;
        uint64_t asked, ms;
        unsigned debug;
        bool gc;
    } rows[] = {
        {"", 0, 0, 0, 0, false},
        {"seconds=", 0, 0, 0, 0, false},
        {"seconds=5", 0, 5, 5000, 0, false},
        {"seconds=10", 0, 10, 10000, 0, false},
        {"seconds=11", 0, 11, 10000, 0, false},
        {"seconds=10.001", 0, 11, 10000, 0, false},
        {"seconds=9.9999", 0, 10, 9999, 0, false},
        {"seconds=0.5&seconds=7", 0, 1, 500, 0, false},
        {"seconds=9223372036854775807", 0, INT64_MAX, 10000, 0, false},
        {"seconds=9223372036854775808", -EINVAL, 0, 0, 0, false},
        {"seconds=0", -EINVAL, 0, 0, 0, false},
        {"seconds=0.0004", -EINVAL, 0, 0, 0, false},
        {"seconds=-1", -EINVAL, 0, 0, 0, false},
        {"seconds=1.", -EINVAL, 0, 0, 0, false},
        {"seconds=.5", -EINVAL, 0, 0, 0, false},
        {"seconds=1e1", -EINVAL, 0, 0, 0, false},
        {"seconds=1%20", -EINVAL, 0, 0, 0, false},
        {"seconds=%zz", -EINVAL, 0, 0, 0, false},
        {"debug=1&gc=1", 0, 0, 0, 1, true},
        {"debug=2", 0, 0, 0, 2, false},
        {"debug=99", 0, 0, 0, 2, false},
        {"debug=-1&gc=x", 0, 0, 0, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct params_through p = {0};
        struct err e = {0};

        assert_int_equal(params_through(rows[i].query, 10, &p, &e), rows[i].result);
        assert_int_equal(p.asked_seconds, rows[i].asked);
        assert_int_equal(p.ms, rows[i].ms);
        assert_int_equal(p.debug, rows[i].debug);
        assert_int_equal(p.gc, rows[i].gc);
    }
}

/* --- the index --- */

static const struct index_row index_rows[] = {
    {"heap", "About the heap.", "needs <SYS_PTRACE> & \"more\"", 3, false},
    {"profile", "About CPU.", NULL, 0, false},
};

static void index_as_a_page(void **state)
{
    struct buf out;
    const char *t;

    (void)state;
    buf_init(&out, INDEX_MAX_BYTES);
    index_html(index_rows, 2, "go1.27 <new>", &out);
    assert_false(out.failed);
    t = buf_text(&out);
    assert_non_null(strstr(t, "<td>0</td><td><a href='profile?debug=1'>profile</a></td>"));
    assert_non_null(strstr(t, "<td>3</td><td>heap</td>"));
    assert_non_null(strstr(t, "needs &lt;SYS_PTRACE&gt; &amp; &#34;more&#34;"));
    assert_null(strstr(t, "<SYS_PTRACE>"));
    assert_non_null(strstr(t, "Types of profiles available:"));
    assert_non_null(strstr(t, "<p><i>Note: go1.27 &lt;new&gt;</i></p>"));
    buf_release(&out);
}

static void index_as_json(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, INDEX_MAX_BYTES);
    index_json(index_rows, 2, "", &out);
    assert_string_equal(
        buf_text(&out),
        "{\"profiles\":[{\"name\":\"heap\",\"count\":3,\"description\":\"About the heap.\","
        "\"available\":false,\"reason\":\"needs <SYS_PTRACE> & \\\"more\\\"\"},"
        "{\"name\":\"profile\",\"count\":0,\"description\":\"About CPU.\",\"available\":true,"
        "\"reason\":\"\"}]}\n");
    buf_clear(&out);
    index_json(index_rows, 0, "go1.27 \"new\"", &out);
    assert_string_equal(buf_text(&out), "{\"profiles\":[],\"note\":\"go1.27 \\\"new\\\"\"}\n");
    buf_release(&out);
}

/* --- symbol --- */

static void symbol_addresses(void **state)
{
    uint64_t a[4];

    (void)state;
    assert_int_equal(symbol_parse("", 0, a, 4), 0);
    assert_int_equal(symbol_parse("0x10", 4, a, 4), 1);
    assert_int_equal(a[0], 16);
    assert_int_equal(symbol_parse("0x10+0x20+", 10, a, 4), 2);
    assert_int_equal(a[1], 32);
    assert_int_equal(symbol_parse("12+010+0b11", 11, a, 4), 3);
    assert_int_equal(a[0], 12);
    assert_int_equal(a[1], 8);
    assert_int_equal(a[2], 3);
    /* no numbers, zero and overflow are passed over */
    assert_int_equal(symbol_parse("x+0+-1+0x10000000000000000+0xffffffffffffffff", 45, a, 4), 1);
    assert_true(a[0] == UINT64_MAX);
    assert_int_equal(symbol_parse("1+2+3+4", 7, a, 4), 4);
    assert_int_equal(symbol_parse("1+2+3+4+5", 9, a, 4), -E2BIG);
    assert_int_equal(symbol_parse("+++++", 5, a, 4), 0);
}

/* --- state: what is missing --- */

static struct state *st;

static int with_state(void **state)
{
    if (with_config(state))
        return -1;
    st = calloc(1, sizeof(*st));
    if (!st)
        return -1;
    st->config = config;
    st->heard = true;
    st->sampler_up = true;
    st->status.target.state = WIRE_TARGET_UP;
    st->status.target.rights = WIRE_RIGHT_PERF;
    st->status.target.mode = WIRE_MODE_PERF;
    return 0;
}

static int without_state(void **state)
{
    free(st);
    return without_config(state);
}

static void refusal(unsigned cpu, bool ready, const char *words)
{
    char why[STATE_WHY_BYTES];

    assert_int_equal(state_refuses_cpu(st, why), cpu);
    if (!strstr(why, words))
        fail_msg("\"%s\" lacks \"%s\"", why, words);
    assert_int_equal(state_ready(st, why), ready);
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    refusal(0, true, "");
    st->status.target.rights = WIRE_RIGHT_MEMORY;
    (void)snprintf(st->status.target.reason, sizeof(st->status.target.reason), "add PERFMON");
    refusal(501, true, "add PERFMON");
    st->sampler_up = false;
    refusal(503, false, "the sampler is not running");
    st->status.target.state = WIRE_TARGET_WAITING;
    refusal(503, false, "no target yet: add PERFMON");
    st->status.target.state = WIRE_TARGET_AMBIGUOUS;
    refusal(503, false, "no target yet");
    st->status.target.state = WIRE_TARGET_GONE;
    refusal(503, false, "no target any more");
    st->heard = false;
    refusal(503, false, "no target yet");
    st->draining = true;
    refusal(503, false, "shutting down");
}

static void runtime_refusal(unsigned status, const char *words)
{
    char why[STATE_WHY_BYTES];

    assert_int_equal(state_refuses_runtime(st, WIRE_RUNTIME_HEAP, why), status);
    if (!strstr(why, words))
        fail_msg("\"%s\" lacks \"%s\"", why, words);
}

static void what_a_runtime_lacks_is_said(void **state)
{
    (void)state;
    st->status.target.generation = 3;
    st->status.target.rights = WIRE_RIGHT_PERF;
    (void)snprintf(st->status.target.reason, sizeof(st->status.target.reason), "add SYS_PTRACE");
    runtime_refusal(501, "add SYS_PTRACE");
    st->status.target.rights = WIRE_RIGHT_MEMORY;
    runtime_refusal(501, "add SYS_PTRACE");
    st->status.target.rights = WIRE_RIGHT_MEMORY | WIRE_RIGHT_FILES; /* perf is not needed */
    runtime_refusal(0, "");
    assert_true(state_is_go(st)); /* not known yet */
    st->about.generation = 3;
    (void)snprintf(st->about.language, sizeof(st->about.language), "native");
    runtime_refusal(501, "Go runtime");
    st->about.generation = 2; /* of the one before */
    runtime_refusal(0, "");
    for (uint64_t i = 1; i <= SESSION_CRASHES_MAX; i++) {
        runtime_refusal(0, "");
        session_crashed(&st->session, SESSION_HEAP, i, 3);
        session_crashed(&st->session, SESSION_HEAP, i, 3); /* the same death */
    }
    runtime_refusal(503, "three times");
    st->status.target.generation = 4;
    runtime_refusal(0, "");
    st->sampler_up = false;
    runtime_refusal(503, "the sampler is not running");
}

static void status_is_told(void **state)
{
    struct buf out;
    const char *t;

    (void)state;
    (void)snprintf(st->status.target.name, sizeof(st->status.target.name), "ser\"ver");
    (void)snprintf(st->admin, sizeof(st->admin), "127.0.0.1:6060");
    buf_init(&out, API_MAX_BYTES);
    api_status_json(st, CONFIG_SCOPE_ALL, &out);
    assert_false(out.failed);
    t = buf_text(&out);
    assert_non_null(strstr(t, "\"ready\":true"));
    assert_non_null(strstr(t, "\"mode\":\"perf\""));
    assert_non_null(strstr(t, "\"admin\":\"127.0.0.1:6060\""));
    assert_non_null(strstr(t, "\"name\":\"ser\\\"ver\""));
    assert_non_null(strstr(t, "\"profile_seconds\":60"));
    buf_release(&out);
}

/* --- the ready-made command --- */

static void banner(const char *admin, bool tls_off, const char *wanted)
{
    struct buf out;

    config->admin.tls_off = tls_off;
    buf_init(&out, 4096);
    banner_text(&out, config, admin, "T");
    assert_string_equal(buf_text(&out), wanted);
    buf_release(&out);
}

static void the_command_can_be_used(void **state)
{
    (void)state;
    banner("127.0.0.1:6060", false,
           "go tool pprof 'https+insecure://any:T@127.0.0.1:6060/debug/pprof/profile?seconds=10'");
    banner("127.0.0.1:1,[::1]:1", true,
           "go tool pprof 'http://any:T@127.0.0.1:1/debug/pprof/profile?seconds=10'");
    banner("0.0.0.0:7", true,
           "go tool pprof 'http://any:T@127.0.0.1:7/debug/pprof/profile?seconds=10'");
    banner("[::]:7", true, "go tool pprof 'http://any:T@[::1]:7/debug/pprof/profile?seconds=10'");
    banner("unix:/run/p.sock", true,
           "curl -k --unix-socket '/run/p.sock' -H 'Authorization: Bearer T' -o cpu.pb.gz "
           "'http://localhost/debug/pprof/profile?seconds=10'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_match_exactly),
        cmocka_unit_test(health_has_no_profile),
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(scopes_are_those_of_the_contract),
        cmocka_unit_test_setup_teardown(defaults, with_config, without_config),
        cmocka_unit_test_setup_teardown(clamped, with_config, without_config),
        cmocka_unit_test_setup_teardown(first_counts_and_unknown_is_no_error, with_config,
                                        without_config),
        cmocka_unit_test_setup_teardown(bad_numbers, with_config, without_config),
        cmocka_unit_test_setup_teardown(seconds_say_what_go_says, with_config, without_config),
        cmocka_unit_test_setup_teardown(flags, with_config, without_config),
        cmocka_unit_test_setup_teardown(forms_are_gos, with_config, without_config),
        cmocka_unit_test_setup_teardown(deltas_are_checked_in_gos_order, with_config,
                                        without_config),
        cmocka_unit_test_setup_teardown(only_some_kinds_have_details, with_config, without_config),
        cmocka_unit_test(kinds_are_found_by_name),
        cmocka_unit_test_setup_teardown(what_a_runtime_lacks_is_said, with_state, without_state),
        cmocka_unit_test(json_is_asked_for_exactly),
        cmocka_unit_test(what_goes_through_is_closed),
        cmocka_unit_test(index_as_a_page),
        cmocka_unit_test(index_as_json),
        cmocka_unit_test(symbol_addresses),
        cmocka_unit_test_setup_teardown(what_is_missing_is_said, with_state, without_state),
        cmocka_unit_test_setup_teardown(status_is_told, with_state, without_state),
        cmocka_unit_test_setup_teardown(the_command_can_be_used, with_config, without_config),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
