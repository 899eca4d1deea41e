#include "wire/codec.h"

#include <errno.h>

#include "base/err.h"

/* Bodies are sent as they lie in memory: a hole in one would leak what was there before. */
_Static_assert(sizeof(struct wire_head) == 16, "no padding");
_Static_assert(sizeof(struct wire_rate) == 40 && sizeof(struct wire_rate_ask) == 32, "no padding");
_Static_assert(sizeof(struct wire_target) ==
                   8 * 4 + 2 * 8 + 4 * 4 + WIRE_RATES * sizeof(struct wire_rate) + WIRE_NAME_BYTES +
                       WIRE_CONTAINER_BYTES + WIRE_TEXT_BYTES,
               "no padding");
_Static_assert(sizeof(struct wire_status) == sizeof(struct wire_target) +
                                                 (WIRE_PROGRAMS + 1) * sizeof(struct wire_process) +
                                                 8 + WIRE_TEXT_BYTES + sizeof(struct wire_members),
               "no padding");
_Static_assert(sizeof(struct wire_members) == 8 + WIRE_MEMBERS_MAX * (6 * 4 + 8 + WIRE_NAME_BYTES),
               "no padding");
_Static_assert(sizeof(struct wire_side) == 4 * 8 + 8 * 4 + WIRE_LABEL_BYTES + WIRE_CONTAINER_BYTES,
               "no padding");
_Static_assert(sizeof(struct wire_facts) ==
                   (2 + WIRE_CALLS + 3) * sizeof(int32_t) + 2 * sizeof(struct wire_side),
               "no padding");
_Static_assert(sizeof(struct wire_perf_open) == 32, "no padding");
_Static_assert(sizeof(struct wire_perf_opened) == 32 + WIRE_TEXT_BYTES, "no padding");
_Static_assert(sizeof(struct wire_perf_rings) == 8 + WIRE_FDS_MAX * 16, "no padding");
_Static_assert(sizeof(struct wire_profile) == 48 + WIRE_TEXT_BYTES, "no padding");
_Static_assert(sizeof(struct wire_about) == 8 + 3 * WIRE_NAME_BYTES + WIRE_TEXT_BYTES,
               "no padding");
_Static_assert(sizeof(struct wire_runtime_read) == 80 + WIRE_TEXT_BYTES, "no padding");
_Static_assert(sizeof(struct wire_stats) == 16 + WIRE_STATS_MAX * 8 + WIRE_TEXT_BYTES,
               "no padding");
_Static_assert(sizeof(struct wire_event) == 24, "no padding");
_Static_assert(sizeof(struct wire_stops_opened) == 8 + WIRE_TEXT_BYTES, "no padding");
_Static_assert(sizeof(struct wire_stops) == 64 && sizeof(struct wire_stop) == 72, "no padding");
_Static_assert(sizeof(struct wire_waits) == 16 + WIRE_TEXT_BYTES, "no padding");
_Static_assert(sizeof(struct wire_wait) == 32 + WIRE_COMM_BYTES, "no padding");

static const struct wire_row rows[] = {
#define X(name, number, from, to, body, tail, fds, when, times)             \
    {#name,           number, WIRE_ROLE_##from,  WIRE_ROLE_##to,    (body), \
     (body) + (tail), fds,    WIRE_STATE_##when, WIRE_TIMES_##times},
    WIRE_TABLE(X)
#undef X
};

#define X(name, number, from, to, body, tail, fds, when, times)                              \
    _Static_assert((body) + (tail) <= WIRE_BODY_MAX_BYTES && (number) < 64, #name " is too " \
                                                                                  "large");
WIRE_TABLE(X)
#undef X

const struct wire_row *codec_row(unsigned type)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].type == type)
            return &rows[i];
    }
    return NULL;
}

size_t codec_fds_max(const struct wire_turn *turn)
{
    size_t max = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].from == turn->peer && rows[i].to == turn->self && rows[i].max_fds > max)
            max = rows[i].max_fds;
    }
    return max;
}

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EPROTO;
}

int codec_check(struct wire_turn *turn, const void *packet, size_t bytes, size_t fds,
                struct wire_head *ret_head, const char **ret_why)
{
    const struct wire_row *row;
    struct wire_head h;

    if (bytes < sizeof(h))
        return refuse(ret_why, "shorter than a header");
    memcpy(&h, packet, sizeof(h));
    if (h.magic != WIRE_MAGIC)
        return refuse(ret_why, "wrong magic (another version?)");
    row = codec_row(h.type);
    if (!row)
        return refuse(ret_why, "unknown type");
    if (row->from != turn->peer || row->to != turn->self)
        return refuse(ret_why, "wrong direction");
    if (h.bytes != bytes - sizeof(h) || h.bytes < row->min_bytes || h.bytes > row->max_bytes)
        return refuse(ret_why, "wrong length");
    if (h.fds != fds || fds > row->max_fds)
        return refuse(ret_why, "wrong number of descriptors");
    if (!(row->when & turn->state))
        return refuse(ret_why, "out of turn");
    if (row->times == WIRE_TIMES_ONCE) {
        if (turn->seen & (UINT64_C(1) << row->type))
            return refuse(ret_why, "a second time");
        turn->seen |= UINT64_C(1) << row->type;
    }
    *ret_head = h;
    return 0;
}

bool codec_text_ok(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\0')
            return true;
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f)
            return false;
    }
    return false;
}

bool codec_rates_ok(const struct wire_rate rates[static WIRE_RATES])
{
    for (size_t i = 0; i < WIRE_RATES; i++) {
        if (rates[i].state >= WIRE_RATE_STATES || rates[i].zero)
            return false;
    }
    return true;
}

bool codec_members_ok(const struct wire_members *m)
{
    if (m->count > WIRE_MEMBERS_MAX)
        return false;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct wire_member *row = &m->row[i];

        if (row->generation == 0 || row->mode > WIRE_MODE_RESTRICTED || row->apart > 1 ||
            !codec_text_ok(row->name, sizeof(row->name)))
            return false;
    }
    return true;
}

const char *codec_mode_name(unsigned mode)
{
    static const char *const names[] = {
        [WIRE_MODE_NONE] = "none",
        [WIRE_MODE_FULL] = "full",
        [WIRE_MODE_PERF] = "perf",
        [WIRE_MODE_PTRACE] = "ptrace",
        [WIRE_MODE_RESTRICTED] = "restricted",
    };

    return mode <= WIRE_MODE_RESTRICTED ? names[mode] : "none";
}

void codec_text(char *dst, size_t bytes, const char *src)
{
    memset(dst, 0, bytes);
    (void)err_clean(dst, bytes, src, strlen(src));
}
