/*
 * ring.h: one mapped perf ring buffer (perf_event_open(2), "MMAP layout").
 */
#ifndef SAMPLER_PERF_RING_H
#define SAMPLER_PERF_RING_H

#include "sampler/perf/record.h"

struct ring; /* opaque */

/** ring_open(fd, data_pages, ret): maps it; takes over ${fd} (also on failure). */
int ring_open(int fd, uint32_t data_pages, struct ring **ret);
void ring_free(struct ring *r);
int ring_fd(const struct ring *r);

/** ring_set_hup(r): poll(2) said POLLHUP: do not poll it any more, still read it by timer. */
void ring_set_hup(struct ring *r);
int ring_is_hup(const struct ring *r);

/**
 * ring_read(r, shape, each, ctx, max_records): hand every record to ${each} (the record is valid
 * during the call); stops early when ${each} returns non-zero. Number of records, or -EBADMSG: the
 * ring is broken and was skipped to its head. *ret_bad counts records that could not be parsed.
 */
int ring_read(struct ring *r, const struct record_shape *shape,
              int (*each)(void *ctx, const struct record *rec), void *ctx, size_t max_records,
              uint64_t *ret_bad);

#endif
