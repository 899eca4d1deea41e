/*
 * One walk from old to new, remembering of each type the last minute, hour and day that had one:
 * sorted rows make "the earliest of its hour" the first one seen. Versions are remembered in a ring
 * of the last ones that began; what leaves it loses its place.
 */
#include "sidecar/store/tiers.h"

#include <string.h>

enum {
    TIERS = 3,
    NS_PER_MS = 1000000,
};

struct release {
    uint32_t mark;
    size_t row;
};

/* Of one type. */
struct seen {
    int64_t last[TIERS]; /* number of the minute, hour, day; -1: none */
    struct release release[HISTORY_RELEASES_MAX];
    size_t releases; /* ever */
};

/* Is it the first one of its minute, hour, or day, and is that tier still kept? */
static bool in_tier(struct seen *s, int64_t time_ns, int64_t age_ns, const struct tiers_rules *r)
{
    static const int64_t length_ns[TIERS] = {INT64_C(60000000000), INT64_C(3600000000000),
                                             INT64_C(86400000000000)};
    const uint64_t keep_ms[TIERS] = {r->minutely_ms, r->hourly_ms, r->daily_ms};
    bool stays = false;

    for (unsigned t = 0; t < TIERS; t++) {
        int64_t number = time_ns / length_ns[t];

        if (number == s->last[t])
            continue;
        s->last[t] = number;
        stays = stays || (uint64_t)(age_ns / NS_PER_MS) < keep_ms[t];
    }
    return stays;
}

/* The first of its version takes the place of the version that began longest ago. */
static void see_release(struct seen *s, uint32_t mark, size_t row)
{
    size_t held = s->releases < HISTORY_RELEASES_MAX ? s->releases : HISTORY_RELEASES_MAX;

    if (!mark)
        return;
    for (size_t i = 0; i < held; i++) {
        if (s->release[i].mark == mark)
            return;
    }
    s->release[s->releases++ % HISTORY_RELEASES_MAX] = (struct release){mark, row};
}

static void fit(struct tiers_row *rows, size_t n, const struct tiers_rules *r)
{
    uint64_t bytes = 0;
    size_t files = 0;

    for (size_t i = 0; i < n; i++) {
        bytes += rows[i].stays ? rows[i].bytes : 0;
        files += rows[i].stays;
    }
    for (size_t i = 0; i < n && ((r->max_bytes && bytes > r->max_bytes) || files > r->max_files);
         i++) {
        if (!rows[i].stays)
            continue;
        rows[i].stays = false;
        bytes -= rows[i].bytes;
        files--;
    }
}

/* All rows of one type. */
static void judge_type(struct tiers_row *rows, size_t n, uint16_t type, const struct tiers_rules *r,
                       int64_t now_ns)
{
    struct seen s = {.last = {-1, -1, -1}};

    for (size_t i = 0; i < n; i++) {
        int64_t age_ns = now_ns > rows[i].key.time_ns ? now_ns - rows[i].key.time_ns : 0;

        if (rows[i].key.type != type)
            continue;
        rows[i].stays = in_tier(&s, rows[i].key.time_ns, age_ns, r);
        see_release(&s, rows[i].key.mark, i);
    }
    for (size_t i = 0; i < s.releases && i < HISTORY_RELEASES_MAX; i++)
        rows[s.release[i].row].stays = true;
}

void tiers_judge(struct tiers_row *rows, size_t n, const struct tiers_rules *rules, int64_t now_ns)
{
    bool done[KEY_TYPES_MAX] = {false};

    for (size_t i = 0; i < n; i++) {
        if (done[rows[i].key.type])
            continue;
        done[rows[i].key.type] = true;
        judge_type(rows, n, rows[i].key.type, rules, now_ns);
    }
    fit(rows, n, rules);
}
