/*
 * watch.h: the recordings that run, as what watches the target's threads (go/watch.h): a running
 * goroutine is paired with its thread's last CPU sample, when that is surely of it.
 */
#ifndef SAMPLER_WATCH_H
#define SAMPLER_WATCH_H

#include "sampler/go/watch.h"
#include "sampler/sampler.h"

/** watch_of(s): drains what the recordings have each time it is asked. ${s} must outlive it. */
struct go_watch watch_of(struct sampler *s);

#endif
