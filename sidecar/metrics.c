/*
 * Counting is an array index away, so that it can stand in every path; all the work is done when
 * somebody asks. The text follows
 * https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4): a family's HELP
 * and TYPE once, then its samples together, no sample twice, histograms cumulative with +Inf.
 */
#include "sidecar/metrics.h"

#include <inttypes.h>

#include "sidecar/gostats.h"
#include "sidecar/leak.h"
#include "wire/codec.h"

/* Every status the endpoint gives (interface.md); the last entry stands for all others. */
static const unsigned codes[METRICS_CODES_MAX] = {200, 307, 400, 401, 403, 404, 405, 408, 413,
                                                  414, 421, 429, 431, 499, 500, 501, 503, 505};

/* Upper bounds in seconds: small answers to the left, profiles to the right. */
static const double bounds[METRICS_BUCKETS - 1] = {0.001, 0.005, 0.025, 0.1, 0.5, 1,  2.5,
                                                   5,     10,    20,    30,  60,  120};

static const char *const decisions[METRICS_DECISIONS] = {"allowed", "unknown", "forbidden"};
static const char *const results[METRICS_RESULTS] = {"ok", "partial", "canceled", "failed",
                                                     "crashed"};
static const char *const programs[WIRE_PROGRAMS] = {"guard", "sampler", "sidecar"};

/* The last index for everything that is not in the table, so that a label can never be made up. */
static size_t code_index(unsigned status)
{
    size_t i = 0;

    while (i < METRICS_CODES_MAX - 1 && codes[i] != status)
        i++;
    return i;
}

void metrics_request(struct metrics *m, size_t handler, unsigned status, double seconds)
{
    struct metrics_latency *l;
    size_t bucket = 0;

    if (handler >= METRICS_HANDLERS_MAX)
        handler = METRICS_HANDLERS_MAX - 1;
    m->requests[handler][code_index(status)]++;
    l = &m->latency[handler];
    while (bucket < METRICS_BUCKETS - 1 && seconds > bounds[bucket])
        bucket++;
    l->bucket[bucket]++;
    l->count++;
    l->sum_seconds += seconds;
}

void metrics_auth(struct metrics *m, unsigned method, enum metrics_decision decision)
{
    if (method < METRICS_AUTH_METHODS && decision < METRICS_DECISIONS)
        m->auth[method][decision]++;
}

void metrics_profile(struct metrics *m, unsigned type, enum metrics_result result)
{
    if (type < METRICS_TYPES && result < METRICS_RESULTS)
        m->profiles[type][result]++;
}

/* --- the text --- */

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP pillion_%s %s\n# TYPE pillion_%s %s\n", name, help, name, type);
}

/* Backslash, quote and newline are what the format escapes. */
void metrics_label(const char *s, struct buf *out)
{
    buf_putc(out, '"');
    for (; *s; s++) {
        if (*s == '\\' || *s == '"')
            buf_putc(out, '\\');
        if (*s == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, *s);
    }
    buf_putc(out, '"');
}

static const char *handler_name(const struct metrics_now *now, size_t i)
{
    return now->handlers[i] ? now->handlers[i] : "other";
}

/* Handlers beyond the table share one name: their counts have to be one line. */
static bool is_handler(const struct metrics_now *now, size_t i)
{
    return now->handlers[i] || i == METRICS_HANDLERS_MAX - 1;
}

static void print_requests(const struct metrics *m, const struct metrics_now *now, struct buf *out)
{
    family(out, "http_requests_total", "counter", "Answers of the admin and health listeners.");
    for (size_t h = 0; h < METRICS_HANDLERS_MAX; h++) {
        for (size_t c = 0; is_handler(now, h) && c < METRICS_CODES_MAX; c++) {
            if (!m->requests[h][c])
                continue;
            buf_puts(out, "pillion_http_requests_total{handler=");
            metrics_label(handler_name(now, h), out);
            if (codes[c])
                buf_printf(out, ",code=\"%u\"} %" PRIu64 "\n", codes[c], m->requests[h][c]);
            else
                buf_printf(out, ",code=\"other\"} %" PRIu64 "\n", m->requests[h][c]);
        }
    }
}

/* Buckets are kept apart and summed up here: a request then costs one increment, not thirteen. */
static void print_latency_of(const struct metrics_latency *l, const char *name, struct buf *out)
{
    uint64_t below = 0;

    for (size_t b = 0; b < METRICS_BUCKETS; b++) {
        below += l->bucket[b];
        buf_puts(out, "pillion_http_request_duration_seconds_bucket{handler=");
        metrics_label(name, out);
        if (b < METRICS_BUCKETS - 1)
            buf_printf(out, ",le=\"%g\"} %" PRIu64 "\n", bounds[b], below);
        else
            buf_printf(out, ",le=\"+Inf\"} %" PRIu64 "\n", below);
    }
    buf_puts(out, "pillion_http_request_duration_seconds_sum{handler=");
    metrics_label(name, out);
    buf_printf(out, "} %.6f\npillion_http_request_duration_seconds_count{handler=", l->sum_seconds);
    metrics_label(name, out);
    buf_printf(out, "} %" PRIu64 "\n", l->count);
}

static void print_latency(const struct metrics *m, const struct metrics_now *now, struct buf *out)
{
    family(out, "http_request_duration_seconds", "histogram",
           "From the first byte of a request to the last of its answer.");
    for (size_t h = 0; h < METRICS_HANDLERS_MAX; h++) {
        if (is_handler(now, h) && m->latency[h].count)
            print_latency_of(&m->latency[h], handler_name(now, h), out);
    }
}

/* Zeros too: a rate over a series that only begins with its first event misses that event. */
static void print_auth(const struct metrics *m, const struct metrics_now *now, struct buf *out)
{
    family(out, "auth_decisions_total", "counter", "Who was let in, by kind of credential.");
    for (size_t i = 0; i < METRICS_AUTH_METHODS; i++) {
        for (size_t d = 0; d < METRICS_DECISIONS; d++)
            buf_printf(out,
                       "pillion_auth_decisions_total{method=\"%s\",decision=\"%s\"} %" PRIu64 "\n",
                       now->methods[i], decisions[d], m->auth[i][d]);
    }
}

static void print_profiles(const struct metrics *m, const struct metrics_now *now, struct buf *out)
{
    family(out, "profiles_total", "counter", "Profiles asked for, by how they ended.");
    for (size_t t = 0; t < METRICS_TYPES; t++) {
        for (size_t r = 0; r < METRICS_RESULTS; r++)
            buf_printf(out, "pillion_profiles_total{type=\"%s\",result=\"%s\"} %" PRIu64 "\n",
                       now->types[t], results[r], m->profiles[t][r]);
    }
    family(out, "samples_total", "counter", "Samples in the profiles that were served.");
    buf_printf(out, "pillion_samples_total %" PRIu64 "\n", m->samples);
    family(out, "samples_lost_total", "counter", "Samples the kernel could not deliver to them.");
    buf_printf(out, "pillion_samples_lost_total %" PRIu64 "\n", m->samples_lost);
    family(out, "in_flight", "gauge", "Sampling sessions that run now.");
    buf_printf(out, "pillion_in_flight %" PRIu32 "\n", now->in_flight);
    family(out, "rate_limited_total", "counter", "Requests answered with 429.");
    buf_printf(out, "pillion_rate_limited_total %" PRIu64 "\n", m->rate_limited);
}

/* Readings of the target's goroutines: what could not be had of them, all in all. */
static void print_goroutines(const struct metrics *m, struct buf *out)
{
    const struct {
        const char *name, *help;
        uint64_t n;
    } rows[] = {
        {"readings", "Readings of the target's goroutines.", m->goroutine_readings},
        {"torn", "Goroutines that never held still while they were read.", m->goroutines_torn},
        {"unreadable", "Goroutines that could not be read.", m->goroutines_unreadable},
        {"truncated", "Stacks that are not whole.", m->goroutines_truncated},
        {"running", "Goroutines that ran and have no stack.", m->goroutines_running},
    };
    char name[64];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(name, sizeof(name), "goroutine_%s_total", rows[i].name);
        family(out, name, "counter", rows[i].help);
        buf_printf(out, "pillion_%s %" PRIu64 "\n", name, rows[i].n);
    }
}

/* What the kernel counts of the target, whatever it is written in; a new target begins anew. */
static void print_use(const struct wire_process *used, struct buf *out)
{
    family(out, "target_process_cpu_seconds_total", "counter", "The target's CPU time.");
    if (used->pid)
        buf_printf(out, "pillion_target_process_cpu_seconds_total %.3f\n",
                   (double)used->cpu_ns / 1e9);
    family(out, "target_process_resident_memory_bytes", "gauge", "The target's resident memory.");
    if (used->pid)
        buf_printf(out, "pillion_target_process_resident_memory_bytes %" PRIu64 "\n",
                   used->rss_bytes);
}

/* target_info only while there is a target: a gone one's name would stay on every dashboard. */
static void print_target(const struct metrics_now *now, struct buf *out)
{
    const struct wire_target *t = &now->status->target;
    bool up = t->state == WIRE_TARGET_UP;

    family(out, "target_up", "gauge", "1 while the target runs.");
    buf_printf(out, "pillion_target_up %d\n", up);
    family(out, "target_processes", "gauge", "Processes of the target; several with target.all.");
    buf_printf(out, "pillion_target_processes %u\n",
               t->all ? now->status->members.count : (unsigned)up);
    print_use(&now->status->used, out);
    family(out, "target_info", "gauge", "What the target is.");
    if (up) {
        buf_puts(out, "pillion_target_info{name=");
        metrics_label(t->name, out);
        buf_puts(out, ",language=");
        metrics_label(now->about->language, out);
        buf_puts(out, ",version=");
        metrics_label(now->about->version, out);
        buf_puts(out, ",build_id=");
        metrics_label(now->about->build_id, out);
        buf_puts(out, "} 1\n");
    }
    family(out, "mode", "gauge", "1 for the mode the granted rights allow.");
    for (unsigned i = 0; i <= WIRE_MODE_RESTRICTED; i++)
        buf_printf(out, "pillion_mode{mode=\"%s\"} %d\n", codec_mode_name(i), t->mode == i);
}

/* The guard itself is never restarted by anybody we know, so it has no restarts to tell. */
static void print_programs(const struct metrics_now *now, struct buf *out)
{
    const struct wire_process *p = now->status->process;

    family(out, "child_restarts_total", "counter", "How often the guard restarted a program.");
    for (size_t i = WIRE_PROGRAM_SAMPLER; i < WIRE_PROGRAMS; i++)
        buf_printf(out, "pillion_child_restarts_total{program=\"%s\"} %" PRIu32 "\n", programs[i],
                   p[i].restarts);
    family(out, "process_cpu_seconds_total", "counter", "CPU time, user and system.");
    for (size_t i = 0; i < WIRE_PROGRAMS; i++)
        buf_printf(out, "pillion_process_cpu_seconds_total{program=\"%s\"} %.3f\n", programs[i],
                   (double)p[i].cpu_ns / 1e9);
    family(out, "process_resident_memory_bytes", "gauge", "Resident memory.");
    for (size_t i = 0; i < WIRE_PROGRAMS; i++)
        buf_printf(out, "pillion_process_resident_memory_bytes{program=\"%s\"} %" PRIu64 "\n",
                   programs[i], p[i].rss_bytes);
}

static void print_connections(const struct metrics_now *now, struct buf *out)
{
    family(out, "connections_refused_total", "counter",
           "Connections closed before TLS, by reason.");
    for (size_t i = 0; i < now->refusals_count; i++)
        buf_printf(out, "pillion_connections_refused_total{reason=\"%s\"} %" PRIu64 "\n",
                   now->refusals[i], now->refused[i]);
    family(out, "connections_evicted_total", "counter",
           "Connections that had to make room for others under a cap.");
    buf_printf(out, "pillion_connections_evicted_total %" PRIu64 "\n", now->evicted);
}

static void print_go_info(const struct metrics_now *now, struct buf *out)
{
    if (!now->stats || now->stats->result || !now->about->version[0])
        return;
    family(out, "target_go_info", "gauge", "The Go version that the target was built with.");
    buf_puts(out, "pillion_target_go_info{version=");
    metrics_label(now->about->version, out);
    buf_puts(out, "} 1\n");
}

void metrics_print(const struct metrics *m, const struct metrics_now *now, struct buf *out)
{
    family(out, "build_info", "gauge", "The version of this program.");
    buf_puts(out, "pillion_build_info{version=");
    metrics_label(now->version, out);
    buf_puts(out, "} 1\n");
    print_target(now, out);
    print_requests(m, now, out);
    print_latency(m, now, out);
    print_auth(m, now, out);
    print_profiles(m, now, out);
    print_goroutines(m, out);
    if (now->leak)
        leak_metrics(now->leak, out);
    print_go_info(now, out);
    gostats_print(now->stats, out);
    family(out, "cert_expiry_timestamp_seconds", "gauge", "When the served certificate ends.");
    if (now->cert_expiry)
        buf_printf(out, "pillion_cert_expiry_timestamp_seconds %" PRId64 "\n", now->cert_expiry);
    family(out, "crl_expiry_timestamp_seconds", "gauge",
           "When the first revocation list of client certificates is stale.");
    if (now->crl_expiry)
        buf_printf(out, "pillion_crl_expiry_timestamp_seconds %" PRId64 "\n", now->crl_expiry);
    family(out, "client_certificates_refused_total", "counter",
           "Client certificates refused, or missing where one is required.");
    buf_printf(out, "pillion_client_certificates_refused_total %" PRIu64 "\n",
               now->certificates_refused);
    print_connections(now, out);
    family(out, "config_last_reload_successful", "gauge", "0 while the last reload was refused.");
    buf_printf(out, "pillion_config_last_reload_successful %d\n", now->reload_ok);
    print_programs(now, out);
}
