/*
 * runtime.h: /debug/pprof/{goroutine,heap,allocs,block,mutex,threadcreate} as net/http/pprof gives
 * them (Go 1.26), and godeltaprof's /debug/pprof/delta_{heap,block,mutex}; read from the target's
 * memory, without its help.
 */
#ifndef SIDECAR_ROUTES_RUNTIME_H
#define SIDECAR_ROUTES_RUNTIME_H

#include "sidecar/routes/visit.h"

enum {
    RUNTIME_JOBS_MAX = 8,    /* requests with seconds= that remember their first reading */
    RUNTIME_LOOK_MS = 200,   /* between two looks whether the time is over or we shut down */
    RUNTIME_RETRY_MS = 2000, /* after a 503 of the sampler's: it is back within about a second */
};

/** runtime_handle(v): debug=0,1,2 at once; seconds=N two readings and their difference. */
void runtime_handle(struct visit *v);

/** runtime_delta_handle(v): what has come since the last call of the same identity. */
void runtime_delta_handle(struct visit *v);

/** runtime_kind(name): of "heap" or "delta_heap"; -1 for any other. */
int runtime_kind(const char *name);

#endif
