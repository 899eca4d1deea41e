/*
 * tiers.h: which of the kept profiles stay. Pure: a list of keys in, a mark for each out.
 *
 * Of each type the earliest of a minute stays as long as `minutely`, that of an hour as long as
 * `hourly`, that of a day as long as `daily`; and the earliest of each of the HISTORY_RELEASES_MAX
 * versions that began last, for ever. Then the oldest go until the rest fits.
 */
#ifndef SIDECAR_STORE_TIERS_H
#define SIDECAR_STORE_TIERS_H

#include "sidecar/store/history.h"
#include "sidecar/store/key.h"

/* One file of the history. */
struct tiers_row {
    struct key key;
    uint32_t bytes;
    bool stays;
};

struct tiers_rules {
    uint64_t minutely_ms, hourly_ms, daily_ms;
    uint64_t max_bytes; /* 0: none */
    size_t max_files;
};

/**
 * tiers_judge(rows, n, rules, now_ns): set `stays` of all rows, which are sorted by key_compare().
 * A row of the future is as if it were of now: a clock that was set back drops nothing.
 */
void tiers_judge(struct tiers_row *rows, size_t n, const struct tiers_rules *rules, int64_t now_ns);

#endif
