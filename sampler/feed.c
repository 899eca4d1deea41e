#include "sampler/feed.h"

#include <errno.h>

#include "sampler/stops.h"
#include "sampler/waits.h"

enum wire_source feed_source(const struct wire_target *target, bool wall)
{
    if (wall)
        return WIRE_SOURCE_WAITS;
    if (!(target->rights & WIRE_RIGHT_PERF) && (target->rights & WIRE_RIGHT_STOPS))
        return WIRE_SOURCE_STOPS;
    return WIRE_SOURCE_PERF;
}

uint32_t feed_hz(enum wire_source source, uint32_t hz)
{
    uint32_t max = WIRE_HZ_MAX;

    if (source == WIRE_SOURCE_STOPS)
        max = WIRE_STOPS_HZ_MAX;
    else if (source == WIRE_SOURCE_WAITS)
        max = WIRE_WAITS_HZ_MAX;
    return hz < max ? hz : max;
}

int feed_open(struct ask_guard *guard, uint32_t slot, const struct session_want *want, bool wall,
              struct feed *ret, struct err *e)
{
    enum wire_source source = feed_source(&guard->target, wall);
    struct session_want clamped = *want;
    int r = -EINVAL;

    clamped.hz = feed_hz(source, want->hz);
    *ret = (struct feed){.source = source, .hz = clamped.hz};
    switch (source) {
    case WIRE_SOURCE_PERF:
        r = session_open(guard, slot, &clamped, &ret->perf, e);
        break;
    case WIRE_SOURCE_STOPS:
        r = stops_open(guard, &clamped, &ret->stops, e);
        break;
    case WIRE_SOURCE_WAITS:
        r = waits_open(guard, &clamped, &ret->waits, e);
        break;
    case WIRE_SOURCES:
        break;
    }
    return r;
}

void feed_close(struct feed *f)
{
    session_close(f->perf);
    stops_close(f->stops);
    waits_close(f->waits);
    f->perf = NULL;
    f->stops = NULL;
    f->waits = NULL;
}

int feed_run(struct feed *f, int (*each)(void *ctx, const struct session_sample *sample), void *ctx,
             unsigned *ret_events)
{
    if (f->stops)
        return stops_run(f->stops, each, ctx, ret_events);
    if (f->waits)
        return waits_run(f->waits, each, ctx, ret_events);
    return session_run(f->perf, each, ctx, ret_events);
}

int feed_stop(struct feed *f, int (*each)(void *ctx, const struct session_sample *sample),
              void *ctx)
{
    if (f->stops)
        return stops_stop(f->stops, each, ctx);
    return f->perf ? session_stop(f->perf, each, ctx) : 0;
}

size_t feed_poll(struct feed *f, struct pollfd *fds, size_t max)
{
    return f->perf ? session_poll(f->perf, fds, max) : 0;
}

void feed_polled(struct feed *f, const struct pollfd *fds, size_t count)
{
    if (f->perf)
        session_polled(f->perf, fds, count);
}

int feed_wait_ms(const struct feed *f)
{
    if (f->stops)
        return stops_wait_ms(f->stops);
    return f->waits ? waits_wait_ms(f->waits) : session_wait_ms(f->perf);
}

void feed_counts(const struct feed *f, struct session_counts *ret)
{
    if (f->stops)
        stops_counts(f->stops, ret);
    else if (f->waits)
        waits_counts(f->waits, ret);
    else
        session_counts(f->perf, ret);
}
