/*
 * argv.h: /debug/pprof/cmdline: the target's arguments joined by NUL, as net/http/pprof gives them.
 */
#ifndef SIDECAR_ROUTES_ARGV_H
#define SIDECAR_ROUTES_ARGV_H

#include "sidecar/routes/visit.h"

/** argv_handle(v): asks the sampler (the arguments may change while the target runs). */
void argv_handle(struct visit *v);

#endif
