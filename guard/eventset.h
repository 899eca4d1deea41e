/*
 * eventset.h: the events and rings of one session, and what they counted.
 *
 * Tables of fixed size: events and rings are numbered in the order in which they came, and a
 * number is never used again. An event or a ring can be dropped before the end (closed, unmapped);
 * what it counted stays in the sum.
 */
#ifndef GUARD_EVENTSET_H
#define GUARD_EVENTSET_H

#include <stdint.h>

#include "guard/event.h"
#include "wire/wire.h"

struct guard_eventset_ring {
    void *map;      /* NULL: dropped */
    uint32_t event; /* the event that owns it */
};

struct guard_eventset {
    struct guard_event_plan plan;
    uint32_t pages;  /* data pages of each ring; not to be changed while there are rings */
    uint32_t budget; /* descriptors it may hold */
    uint32_t nevents, nrings;
    uint32_t live;           /* events that are still open */
    uint64_t count_ns, lost; /* of the dropped ones */
    struct guard_eventset_ring ring[WIRE_PERF_RINGS_MAX];
    struct wire_event event[WIRE_PERF_EVENTS_MAX];
    int fd[WIRE_PERF_EVENTS_MAX]; /* -1: dropped */
};

/**
 * guard_eventset_add(s, tid, cpu, period_ns): open event number s->nevents, disabled; ${cpu} < 0:
 * any. 0, -EMFILE (budget), or as guard_event_open().
 */
int guard_eventset_add(struct guard_eventset *s, uint32_t tid, int cpu, uint32_t period_ns);

/**
 * guard_eventset_ring(s): give the last event a ring of its own, number s->nrings. It is mapped
 * here too: the locked memory is then the guard's, and PERF_EVENT_IOC_SET_OUTPUT needs a ring. 0,
 * -ENOBUFS (no memory may be locked), -EMFILE (WIRE_PERF_RINGS_MAX), -errno.
 */
int guard_eventset_ring(struct guard_eventset *s);

/** guard_eventset_join(s, ring): let the last event write into that ring. */
int guard_eventset_join(struct guard_eventset *s, uint32_t ring);

/** guard_eventset_drop(s, ring): close a ring and the event that owns it. */
void guard_eventset_drop(struct guard_eventset *s, uint32_t ring);

/** guard_eventset_cut(s, events): back to so many events and the rings that they own. */
void guard_eventset_cut(struct guard_eventset *s, uint32_t events);

/** guard_eventset_switch(s, from, on): enable or disable the events from number ${from} on. */
void guard_eventset_switch(struct guard_eventset *s, uint32_t from, int on);

#endif
