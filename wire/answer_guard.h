/*
 * answer_guard.h: the guard's half of its link to the sampler.
 *
 * answer_guard_one() takes one packet, checks it, calls the operation and sends what it returns.
 * Operations return 0 or -errno, which goes into the answer; they never see a packet.
 */
#ifndef WIRE_ANSWER_GUARD_H
#define WIRE_ANSWER_GUARD_H

#include "wire/link.h"

struct answer_guard_rings {
    struct wire_perf_rings head;
    int fds[WIRE_FDS_MAX]; /* the guard's own, not to be closed by the wire */
};

struct answer_guard_ops {
    void (*target)(void *ctx, struct wire_target *ret);
    /* *ret_fd: a bulk, closed after sending */
    int (*maps)(void *ctx, uint32_t generation, int *ret_fd, uint32_t *ret_truncated);
    int (*file)(void *ctx, const struct wire_file *file, int *ret_fd);
    /* the file is sent, or could not be: closing it may wait for its file system */
    void (*file_done)(void *ctx, int fd);
    int (*read)(void *ctx, uint32_t generation, const struct wire_range *ranges, uint32_t count,
                uint32_t *ret_got);
    int (*cmdline)(void *ctx, uint32_t generation, int *ret_fd);
    /* *ret_fd: bulk of struct wire_event, closed after sending; fills ret with result too */
    void (*perf_open)(void *ctx, const struct wire_perf_open *open, struct wire_perf_opened *ret,
                      int *ret_fd);
    /* the rings from number ${from} on, at most WIRE_FDS_MAX; head.count = 0 at the end */
    void (*perf_rings)(void *ctx, uint32_t slot, uint32_t from, struct answer_guard_rings *ret);
    int (*perf_enable)(void *ctx, uint32_t slot, int on);
    /* *ret_from: number of the first new ring when ret->rings > 0 */
    void (*perf_tick)(void *ctx, uint32_t slot, const struct wire_period *periods, uint32_t count,
                      struct wire_perf_ticked *ret, uint32_t *ret_from);
    void (*perf_close)(void *ctx, uint32_t slot, struct wire_perf_closed *ret);
    int (*perf_is_open)(void *ctx, uint32_t slot); /* 1 when that slot is open */
    /* zeroed before; left so when that generation is not the first one's */
    void (*members)(void *ctx, uint32_t generation, struct wire_members *ret);
    /* -EPROTO: impossible values, which end the sampler */
    int (*rate)(void *ctx, const struct wire_rate_ask *ask);
    /* fills ret with result and text */
    void (*stops_open)(void *ctx, uint32_t generation, struct wire_stops_opened *ret);
    void (*stops)(void *ctx, const struct wire_stops_ask *ask, struct wire_stops *ret,
                  struct wire_stop ret_rows[static WIRE_STOPS_MAX]);
    void (*stops_close)(void *ctx);
    void (*waits)(void *ctx, const struct wire_waits_ask *ask, struct wire_waits *ret,
                  struct wire_wait ret_rows[static WIRE_WAITS_MAX]);
    void (*blame)(void *ctx);
};

/** answer_guard_open(l, fd): the guard's end. */
void answer_guard_open(struct link *l, int fd);

/**
 * answer_guard_one(l, ops, ctx): take one packet and answer it. 0; -EAGAIN nothing there; -EPIPE
 * the sampler closed; -EPROTO it broke the rules (l->why): end it.
 */
int answer_guard_one(struct link *l, const struct answer_guard_ops *ops, void *ctx);

/** answer_guard_tell(l, target): news, unasked; -EAGAIN: full (the sampler does not read). */
int answer_guard_tell(struct link *l, const struct wire_target *target);

#endif
