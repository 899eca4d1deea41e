/*
 * cpu.h: /debug/pprof/profile: a CPU profile of the next seconds, gzip pprof as net/http/pprof
 * serves it (no Content-Encoding: the body is the file), with headers that say what was really
 * done.
 */
#ifndef SIDECAR_ROUTES_CPU_H
#define SIDECAR_ROUTES_CPU_H

#include "sidecar/routes/visit.h"

/** cpu_handle(v): checks, samples, answers when the window is over. HEAD never samples. */
void cpu_handle(struct visit *v);

#endif
