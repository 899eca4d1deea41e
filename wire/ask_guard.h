/*
 * ask_guard.h: the sampler's half of its link to the guard (answer_guard.h is the other).
 *
 * Every question waits for its answer, at most ASK_GUARD_TIMEOUT_MS; meanwhile news of the target
 * are noted in the handle. A broken packet or a time-out is final: -EPROTO / -ETIMEDOUT, and the
 * sampler ends itself. -ESRCH: there is no target; -ESTALE: it is another one by now.
 */
#ifndef WIRE_ASK_GUARD_H
#define WIRE_ASK_GUARD_H

#include "wire/link.h"

enum {
    ASK_GUARD_TIMEOUT_MS = 20000,
};

struct ask_guard {
    struct link link;
    struct wire_target target; /* the latest news */
    const uint8_t *arena;      /* WIRE_ARENA_BYTES, written by the guard, read-only here */
    struct packet packet;      /* the last answer */
};

/** ask_guard_open(g, fd, arena_fd): take over both, say hello, learn the target. 0 or -errno. */
int ask_guard_open(struct ask_guard *g, int fd, int arena_fd);
void ask_guard_close(struct ask_guard *g);

/** ask_guard_news(g): take in what the guard told unasked (call when its fd is readable). */
int ask_guard_news(struct ask_guard *g);

/** ask_guard_maps(g, generation, ret_fd, ret_truncated): bulk with the text of /proc/PID/maps. */
int ask_guard_maps(struct ask_guard *g, uint32_t generation, int *ret_fd, int *ret_truncated);

/** ask_guard_file(g, generation, start, inode, ret_fd): the mapping's file, for pread(2) only. */
int ask_guard_file(struct ask_guard *g, uint32_t generation, uint64_t start, uint64_t inode,
                   int *ret_fd);

/**
 * ask_guard_read(g, generation, ranges, count, ret_got): read target memory. ${ret_got}[i] = bytes
 * of range i that could be read; range i's bytes stand in g->arena at ask_guard_offset(). All
 * ranges, each rounded up to 8 bytes, must fit into WIRE_ARENA_BYTES (-EMSGSIZE). The arena is
 * overwritten by the next call.
 */
int ask_guard_read(struct ask_guard *g, uint32_t generation, const struct wire_range *ranges,
                   size_t count, uint32_t *ret_got);

/** ask_guard_offset(ranges, i): where range i's bytes stand in the arena. O(i). */
size_t ask_guard_offset(const struct wire_range *ranges, size_t i);

/** ask_guard_copy(g, generation, address, out, bytes): one range, all of it or -EFAULT. */
int ask_guard_copy(struct ask_guard *g, uint32_t generation, uint64_t address, void *out,
                   size_t bytes);

int ask_guard_cmdline(struct ask_guard *g, uint32_t generation, int *ret_fd);

/**
 * ask_guard_perf_open(g, open, ret, ret_events_fd): open the events, disabled. On success (also
 * ret->result == 0) a bulk of struct wire_event; then fetch ret->rings rings by
 * ask_guard_perf_rings(). A refusal is ret->result with ret->text, not a return value.
 */
int ask_guard_perf_open(struct ask_guard *g, const struct wire_perf_open *open,
                        struct wire_perf_opened *ret, int *ret_events_fd);

/** ask_guard_perf_rings(g, slot, ret, fds): the next packet of rings; descriptors are ours. */
int ask_guard_perf_rings(struct ask_guard *g, uint32_t slot, struct wire_perf_rings *ret,
                         int fds[static WIRE_FDS_MAX]);
int ask_guard_perf_enable(struct ask_guard *g, uint32_t slot, int on);
int ask_guard_perf_tick(struct ask_guard *g, uint32_t slot, const struct wire_period *periods,
                        size_t count, struct wire_perf_ticked *ret);
int ask_guard_perf_close(struct ask_guard *g, uint32_t slot, struct wire_perf_closed *ret);

/**
 * ask_guard_rate(g, ask): have the guard write a rate (struct wire_rate_ask), or tell it why that
 * cannot be. What came of it is in the next news of the target.
 */
int ask_guard_rate(struct ask_guard *g, const struct wire_rate_ask *ask);

/**
 * ask_guard_members(g, generation, ret): have the guard look who belongs to the target (it does so
 * at most every GUARD_MEMBERS_MIN_MS), and who that is. count 0: there is no target, or another
 * one, or it has only one process (wire_target.all is 0).
 */
int ask_guard_members(struct ask_guard *g, uint32_t generation, struct wire_members *ret);

/**
 * ask_guard_stops_open(g, ret): CPU samples by ptrace stops of g->target. A refusal is ret->result
 * with ret->text, not a return value.
 */
int ask_guard_stops_open(struct ask_guard *g, struct wire_stops_opened *ret);

/**
 * ask_guard_stops(g, ask, ret, ret_rows): the samples that have come; with ask->tick after stopping
 * threads for more. The stack of row i stands in g->arena at i * WIRE_STOP_STACK_BYTES, until the
 * next question. ret->result as in struct wire_stops.
 */
int ask_guard_stops(struct ask_guard *g, const struct wire_stops_ask *ask, struct wire_stops *ret,
                    struct wire_stop ret_rows[static WIRE_STOPS_MAX]);
int ask_guard_stops_close(struct ask_guard *g);

/** ask_guard_waits(g, ask, ret, ret_rows): likewise, where threads wait: WIRE_WAIT_STACK_BYTES. */
int ask_guard_waits(struct ask_guard *g, const struct wire_waits_ask *ask, struct wire_waits *ret,
                    struct wire_wait ret_rows[static WIRE_WAITS_MAX]);

/** ask_guard_blame(g): the front broke the rules; the guard ends it. */
int ask_guard_blame(struct ask_guard *g);

#endif
