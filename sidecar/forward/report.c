#include "sidecar/forward/report.h"

#include <inttypes.h>

#include "sidecar/metrics.h"

static void backend_json(const struct forward_status *s, struct json *j)
{
    json_object_begin(j, NULL);
    json_str(j, "name", s->name);
    json_str(j, "type", s->type);
    json_str(j, "circuit", s->circuit);
    json_u64(j, "waiting", s->waiting);
    json_u64(j, "waiting_bytes", s->waiting_bytes);
    json_u64(j, "oldest_waiting_ms", s->oldest_ms);
    json_u64(j, "sent", s->taken);
    json_u64(j, "sent_bytes", s->bytes);
    json_u64(j, "failed", s->failed);
    json_u64(j, "retries", s->retries);
    json_u64(j, "rejected", s->rejected);
    json_u64(j, "skipped", s->skipped);
    json_i64(j, "last_success_unix_ns", s->last_success_ns);
    json_i64(j, "last_error_unix_ns", s->last_error_ns);
    json_str(j, "last_error", s->last_error);
    json_u64(j, "next_try_ms", s->next_try_ms);
    json_object_end(j);
}

static void row_json(const struct collect_status *s, struct json *j)
{
    json_object_begin(j, NULL);
    json_str(j, "type", s->type);
    json_str(j, "source", s->source);
    json_u64(j, "taken", s->taken);
    json_u64(j, "failed", s->failed);
    json_i64(j, "last_unix_ns", s->last_ns);
    json_str(j, "last_error", s->last_error);
    json_u64(j, "next_ms", s->next_ms);
    json_object_end(j);
}

void report_json(const struct forward *f, const struct collect *c, struct json *j)
{
    json_array_begin(j, "forward");
    for (size_t i = 0; i < forward_count(f); i++) {
        struct forward_status s;

        forward_look(f, i, &s);
        backend_json(&s, j);
    }
    json_array_end(j);
    json_array_begin(j, "collect");
    for (size_t i = 0; i < collect_count(c); i++) {
        struct collect_status s;

        collect_look(c, i, &s);
        row_json(&s, j);
    }
    json_array_end(j);
}

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP pillion_%s %s\n# TYPE pillion_%s %s\n", name, help, name, type);
}

static void sample(struct buf *out, const char *name, const char *backend, const char *result,
                   uint64_t value)
{
    buf_printf(out, "pillion_%s{backend=", name);
    metrics_label(backend, out);
    if (result)
        buf_printf(out, ",result=\"%s\"", result);
    buf_printf(out, "} %" PRIu64 "\n", value);
}

static void results(const struct forward_status *all, size_t n, struct buf *out)
{
    family(out, "push_total", "counter", "Profiles pushed to a backend, by how it went.");
    for (size_t i = 0; i < n; i++) {
        sample(out, "push_total", all[i].name, "ok", all[i].taken);
        sample(out, "push_total", all[i].name, "failed", all[i].failed);
        sample(out, "push_total", all[i].name, "rejected", all[i].rejected);
        sample(out, "push_total", all[i].name, "skipped", all[i].skipped);
    }
}

static void pushes(const struct forward_status *all, size_t n, struct buf *out)
{
    static const struct {
        const char *name, *type, *help;
        size_t at;
    } rows[] = {
        {"push_bytes_total", "counter", "Bytes of requests that a backend has taken.",
         offsetof(struct forward_status, bytes)},
        {"push_retries_total", "counter", "Tries after a first one that failed.",
         offsetof(struct forward_status, retries)},
        {"push_waiting", "gauge", "Profiles that wait for a backend.",
         offsetof(struct forward_status, waiting)},
    };

    results(all, n, out);
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        family(out, rows[r].name, rows[r].type, rows[r].help);
        for (size_t i = 0; i < n; i++) {
            uint64_t value;

            memcpy(&value, (const char *)&all[i] + rows[r].at, sizeof(value));
            sample(out, rows[r].name, all[i].name, NULL, value);
        }
    }
    family(out, "push_oldest_age_seconds", "gauge", "Age of the oldest waiting profile.");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, "pillion_push_oldest_age_seconds{backend=");
        metrics_label(all[i].name, out);
        buf_printf(out, "} %.3f\n", (double)all[i].oldest_ms / 1e3);
    }
}

static void collected(const struct collect *c, struct buf *out)
{
    family(out, "collected_total", "counter", "Profiles of the schedule, by how it went.");
    for (size_t i = 0; i < collect_count(c); i++) {
        struct collect_status s;

        collect_look(c, i, &s);
        for (int good = 1; good >= 0; good--) {
            buf_puts(out, "pillion_collected_total{type=");
            metrics_label(s.type, out);
            buf_printf(out, ",source=\"%s\",result=\"%s\"} %" PRIu64 "\n", s.source,
                       good ? "ok" : "failed", good ? s.taken : s.failed);
        }
    }
}

void report_metrics(const struct forward *f, const struct collect *c, struct buf *out)
{
    struct forward_status all[CONFIG_BACKENDS_MAX];
    size_t n = forward_count(f);

    for (size_t i = 0; i < n; i++)
        forward_look(f, i, &all[i]);
    if (n > 0)
        pushes(all, n, out);
    if (collect_count(c) > 0)
        collected(c, out);
}
