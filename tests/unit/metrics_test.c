/* The Prometheus text: every line well-formed, no series twice, label values bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <regex.h>

#include "sidecar/metrics.h"
#include "sidecar/routes/table.h"

static struct metrics m;
static struct wire_status status;
static struct wire_about about;
static const char *handlers[METRICS_HANDLERS_MAX];
static const char *const methods[METRICS_AUTH_METHODS] = {
    "none", "token", "basic", "header", "mtls", "htpasswd", "jwt", "kubernetes"};
static const char *const types[METRICS_TYPES] = {
    "cpu", "goroutine", "heap", "allocs", "block", "mutex", "threadcreate", "trace", "custom"};

static char *text(void)
{
    const struct metrics_now now = {
        .version = "v1-2-gabc",
        .status = &status,
        .about = &about,
        .in_flight = 1,
        .cert_expiry = 1800000000,
        .reload_ok = true,
        .handlers = handlers,
        .methods = methods,
        .types = types,
        .refused = (const uint64_t[]){7, 0},
        .refusals = (const char *const[]){"address", "penalty"},
        .refusals_count = 2,
        .evicted = 9,
    };
    struct buf out;
    char *copy;

    buf_init(&out, METRICS_TEXT_MAX_BYTES);
    metrics_print(&m, &now, &out);
    assert_false(out.failed);
    copy = strdup(buf_text(&out));
    buf_release(&out);
    return copy;
}

static int fresh(void **state)
{
    size_t n;
    const struct route *rows = table_rows(&n);

    (void)state;
    memset(&m, 0, sizeof(m));
    memset(&status, 0, sizeof(status));
    memset(&about, 0, sizeof(about));
    assert_true(n < METRICS_HANDLERS_MAX);
    for (size_t i = 0; i < n; i++)
        handlers[i] = rows[i].name;
    return 0;
}

static void has(const char *t, const char *line)
{
    char with_newline[512];

    (void)snprintf(with_newline, sizeof(with_newline), "\n%s\n", line);
    if (!strstr(t, with_newline))
        fail_msg("missing: %s\nin:\n%s", line, t);
}

/* Every line is HELP, TYPE or a sample; samples are unique and follow their TYPE. */
static void well_formed(const char *t)
{
    const char *help = "^# (HELP|TYPE) pillion_[a-z_]+ [^\n]+$";
    const char *sample = "^pillion_[a-z_]+(\\{[a-z_]+=\"([^\"\\]|\\\\[\\\"n])*\""
                         "(,[a-z_]+=\"([^\"\\]|\\\\[\\\"n])*\")*\\})? [-+0-9.e]+$";
    char *copy = strdup(t), *save = NULL, *seen[4096];
    regex_t rh, rs;
    size_t n = 0;

    assert_int_equal(regcomp(&rh, help, REG_EXTENDED | REG_NOSUB), 0);
    assert_int_equal(regcomp(&rs, sample, REG_EXTENDED | REG_NOSUB), 0);
    for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        char *space;

        if (l[0] == '#') {
            if (regexec(&rh, l, 0, NULL, 0))
                fail_msg("bad comment: %s", l);
            continue;
        }
        if (regexec(&rs, l, 0, NULL, 0))
            fail_msg("bad sample: %s", l);
        space = strrchr(l, ' ');
        *space = '\0';
        for (size_t i = 0; i < n; i++)
            assert_string_not_equal(seen[i], l);
        assert_true(n < 4096);
        seen[n++] = l;
    }
    assert_true(n > 10);
    regfree(&rh);
    regfree(&rs);
    free(copy);
}

static void empty_is_well_formed(void **state)
{
    char *t;

    (void)state;
    t = text();
    well_formed(t);
    has(t, "pillion_target_up 0");
    has(t, "pillion_mode{mode=\"none\"} 1");
    has(t, "pillion_build_info{version=\"v1-2-gabc\"} 1");
    assert_null(strstr(t, "pillion_target_info{"));
    free(t);
}

static void full_is_well_formed_and_fits(void **state)
{
    static const unsigned odd[] = {200, 307, 400, 401, 403, 404, 405, 408, 413, 414, 421,
                                   429, 431, 499, 500, 501, 503, 505, 418, 0,   999, UINT32_MAX};
    char *t;

    (void)state;
    for (size_t h = 0; h < METRICS_HANDLERS_MAX + 5; h++) {
        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
            metrics_request(&m, h, odd[i], (double)i * 10);
    }
    metrics_request(&m, SIZE_MAX, 404, 0);
    status.target.state = WIRE_TARGET_UP;
    status.target.mode = WIRE_MODE_PERF;
    (void)snprintf(status.target.name, sizeof(status.target.name), "ser\"v\\er");
    (void)snprintf(about.language, sizeof(about.language), "go");
    t = text();
    well_formed(t);
    has(t, "pillion_target_up 1");
    has(t, "pillion_mode{mode=\"perf\"} 1");
    has(t, "pillion_mode{mode=\"none\"} 0");
    has(t, "pillion_target_info{name=\"ser\\\"v\\\\er\",language=\"go\",version=\"\","
           "build_id=\"\"} 1");
    assert_non_null(strstr(t, "handler=\"other\",code=\"other\"}"));
    free(t);
}

static void counts_are_told(void **state)
{
    char *t;

    (void)state;
    metrics_auth(&m, 1, METRICS_ALLOWED);
    metrics_auth(&m, 1, METRICS_ALLOWED);
    metrics_auth(&m, 0, METRICS_UNKNOWN);
    metrics_auth(&m, METRICS_AUTH_METHODS, METRICS_UNKNOWN); /* out of range: nothing */
    metrics_profile(&m, 0, METRICS_CRASHED);
    metrics_profile(&m, METRICS_TYPES, METRICS_OK);
    m.samples = 994;
    m.samples_lost = 3;
    m.rate_limited = 2;
    status.process[WIRE_PROGRAM_SAMPLER].restarts = 4;
    status.process[WIRE_PROGRAM_GUARD].cpu_ns = UINT64_C(1500000000);
    status.process[WIRE_PROGRAM_FRONT].rss_bytes = 4096;
    status.used =
        (struct wire_process){.pid = 7, .cpu_ns = UINT64_C(2250000000), .rss_bytes = 8192};
    t = text();
    has(t, "pillion_auth_decisions_total{method=\"token\",decision=\"allowed\"} 2");
    has(t, "pillion_auth_decisions_total{method=\"none\",decision=\"unknown\"} 1");
    has(t, "pillion_profiles_total{type=\"cpu\",result=\"crashed\"} 1");
    has(t, "pillion_profiles_total{type=\"cpu\",result=\"ok\"} 0");
    has(t, "pillion_samples_total 994");
    has(t, "pillion_samples_lost_total 3");
    has(t, "pillion_rate_limited_total 2");
    has(t, "pillion_in_flight 1");
    has(t, "pillion_cert_expiry_timestamp_seconds 1800000000");
    has(t, "pillion_connections_refused_total{reason=\"address\"} 7");
    has(t, "pillion_connections_refused_total{reason=\"penalty\"} 0");
    has(t, "pillion_connections_evicted_total 9");
    has(t, "pillion_config_last_reload_successful 1");
    has(t, "pillion_child_restarts_total{program=\"sampler\"} 4");
    has(t, "pillion_process_cpu_seconds_total{program=\"guard\"} 1.500");
    has(t, "pillion_process_resident_memory_bytes{program=\"sidecar\"} 4096");
    has(t, "pillion_target_process_cpu_seconds_total 2.250");
    has(t, "pillion_target_process_resident_memory_bytes 8192");
    free(t);
}

static void buckets_are_cumulative(void **state)
{
    char *t;

    (void)state;
    handlers[0] = "x";
    metrics_request(&m, 0, 200, 0.001); /* at a bound: within it */
    metrics_request(&m, 0, 200, 0.0011);
    metrics_request(&m, 0, 200, 10);
    metrics_request(&m, 0, 200, 1e9);
    t = text();
    has(t, "pillion_http_request_duration_seconds_bucket{handler=\"x\",le=\"0.001\"} 1");
    has(t, "pillion_http_request_duration_seconds_bucket{handler=\"x\",le=\"0.005\"} 2");
    has(t, "pillion_http_request_duration_seconds_bucket{handler=\"x\",le=\"10\"} 3");
    has(t, "pillion_http_request_duration_seconds_bucket{handler=\"x\",le=\"120\"} 3");
    has(t, "pillion_http_request_duration_seconds_bucket{handler=\"x\",le=\"+Inf\"} 4");
    has(t, "pillion_http_request_duration_seconds_count{handler=\"x\"} 4");
    has(t, "pillion_http_requests_total{handler=\"x\",code=\"200\"} 4");
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty_is_well_formed, fresh),
        cmocka_unit_test_setup(full_is_well_formed_and_fits, fresh),
        cmocka_unit_test_setup(counts_are_told, fresh),
        cmocka_unit_test_setup(buckets_are_cumulative, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
