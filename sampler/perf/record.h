/*
 * record.h: one record of a perf ring buffer, taken apart. Pure: bytes in, struct out. Layout:
 * perf_event_open(2), "MMAP layout", and include/uapi/linux/perf_event.h. The kernel writes the
 * records, but the ring is shared memory: every length is checked all the same.
 */
#ifndef SAMPLER_PERF_RECORD_H
#define SAMPLER_PERF_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum {
    RECORD_MAX_BYTES = 65536, /* perf_event_header.size is 16 bits */
    RECORD_CHAIN_MAX = 512,
    RECORD_REGS_MAX = 32,
};

/*
 * What our events carry. Guard and sampler must agree (guard/event.c opens them):
 * sample_type = IDENTIFIER | IP | TID | TIME | STREAM_ID | CPU | PERIOD | CALLCHAIN | REGS_USER |
 * STACK_USER, no READ; sample_id_all = 1; clockid CLOCK_MONOTONIC; regs in ascending bit order.
 */
struct record_shape {
    uint64_t regs; /* sample_regs_user mask */
};

enum record_kind {
    RECORD_SAMPLE,
    RECORD_LOST, /* lost */
    RECORD_EXIT, /* pid, tid */
    RECORD_FORK, /* pid, tid (the child's) and ppid, ptid */
    RECORD_COMM, /* pid, tid; exec */
    RECORD_MMAP, /* an executable mapping appeared */
    RECORD_THROTTLE,
    RECORD_OTHER,
};

struct record {
    enum record_kind kind;
    uint64_t id;     /* of the event that was opened, also for what was inherited from it */
    uint64_t stream; /* the same for the opened event itself; of its own for each inherited copy */
    uint32_t pid, tid, ppid, ptid;
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint32_t cpu;
    uint64_t period_ns; /* the one the event was born with: PERF_EVENT_IOC_PERIOD changes the timer
                           of a cpu-clock event, but not what its samples say (Linux 6.18) */
    uint64_t ip;
    int user; /* sample: 1 when it hit user mode */
    int exec; /* COMM because of execve */
    uint64_t lost;
    uint32_t chain_count; /* user and kernel addresses and PERF_CONTEXT_* marks as they came */
    const uint64_t *chain;
    int regs_valid;
    uint64_t regs[RECORD_REGS_MAX]; /* by perf register number (asm/perf_regs.h) */
    const uint8_t *stack;           /* bytes from SP up */
    uint32_t stack_bytes;           /* really copied (dyn_size) */
};

/**
 * record_parse(data, bytes, shape, ret): ${data} (8-byte aligned) is one whole record with its
 * header. Pointers in ${ret} point into ${data}. 0, -EBADMSG.
 */
int record_parse(const void *data, size_t bytes, const struct record_shape *shape,
                 struct record *ret);

#endif
