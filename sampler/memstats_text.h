/*
 * memstats_text.h: the lines of runtime.MemStats at the end of heap?debug=1
 * (runtime/pprof/pprof.go, writeHeapInternal). What is not known from outside (MSpan, MCache,
 * MaxRSS) is left out rather than invented.
 */
#ifndef SAMPLER_MEMSTATS_TEXT_H
#define SAMPLER_MEMSTATS_TEXT_H

#include "base/buf.h"
#include "sampler/go/stats.h"

/** memstats_text(s, out): append them; a value that this version does not have has no line. */
void memstats_text(const struct go_stats *s, struct buf *out);

#endif
