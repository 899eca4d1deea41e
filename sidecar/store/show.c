/*
 * Nothing lost is silent: every reason is there from the start with 0, since a rate over a series
 * that begins with its first event misses that event.
 */
#include "sidecar/store/show.h"

#include <inttypes.h>

static void spool(const struct store *s, struct json *j)
{
    struct store_counts c;

    store_counts(s, &c);
    json_object_begin(j, "spool");
    json_str(j, "state", c.state);
    json_u64(j, "profiles", c.profiles);
    json_u64(j, "bytes", c.bytes);
    json_u64(j, "in_memory", c.in_memory);
    json_u64(j, "written", c.written);
    json_u64(j, "write_errors", c.write_errors);
    json_object_begin(j, "dropped");
    for (unsigned r = 0; r < STORE_REASONS; r++)
        json_u64(j, store_reason_name((enum store_reason)r), c.dropped[r]);
    json_object_end(j);
    json_object_end(j);
}

void show_json(const struct store *s, const struct history *h, struct json *j)
{
    struct history_counts c;

    spool(s, j);
    history_counts(h, &c);
    json_object_begin(j, "history");
    json_str(j, "state", h ? c.state : "off");
    json_u64(j, "profiles", c.profiles);
    json_u64(j, "bytes", c.bytes);
    json_u64(j, "pruned", c.pruned);
    json_u64(j, "lost", c.lost);
    json_object_end(j);
}

static void one(struct buf *out, const char *name, const char *type, const char *help, uint64_t n)
{
    buf_printf(out, "# HELP pillion_%s %s\n# TYPE pillion_%s %s\npillion_%s %" PRIu64 "\n", name,
               help, name, type, name, n);
}

void show_metrics(const struct store *s, const struct history *h, struct buf *out)
{
    struct store_counts c;
    struct history_counts kept;

    store_counts(s, &c);
    one(out, "spool_bytes", "gauge", "Bytes of the profiles that wait for backends.", c.bytes);
    one(out, "spool_profiles", "gauge", "Profiles that wait for backends.", c.profiles);
    one(out, "spool_in_memory", "gauge", "Of them those that the disk has not taken.", c.in_memory);
    one(out, "spool_degraded", "gauge", "1 while the disk refuses.",
        strncmp(c.state, "degraded", 8) == 0);
    one(out, "spool_write_errors_total", "counter", "Writes that the disk refused.",
        c.write_errors);
    buf_puts(out, "# HELP pillion_spool_dropped_total Profiles a backend will not get, by reason.\n"
                  "# TYPE pillion_spool_dropped_total counter\n");
    for (unsigned r = 0; r < STORE_REASONS; r++)
        buf_printf(out, "pillion_spool_dropped_total{reason=\"%s\"} %" PRIu64 "\n",
                   store_reason_name((enum store_reason)r), c.dropped[r]);
    if (!h)
        return;
    history_counts(h, &kept);
    one(out, "history_bytes", "gauge", "Bytes of the profiles that are kept.", kept.bytes);
    one(out, "history_profiles", "gauge", "Profiles that are kept.", kept.profiles);
    one(out, "history_pruned_total", "counter", "Kept profiles that went by their tier or size.",
        kept.pruned);
    one(out, "history_lost_total", "counter", "Profiles that the history's disk refused.",
        kept.lost);
}
