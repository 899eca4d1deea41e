/*
 * goroutine_text.h: goroutines as text. Source of the shapes: runtime/traceback.go (debug=2) and
 * runtime/pprof/pprof.go (debug=1) of Go 1.26.
 */
#ifndef SAMPLER_GOROUTINE_TEXT_H
#define SAMPLER_GOROUTINE_TEXT_H

#include "base/buf.h"
#include "sampler/gofold.h"
#include "sampler/gosyms.h"

enum {
    /* runtime/traceback.go: tracebackInnerFrames, tracebackOuterFrames; those between are counted.
     */
    GOROUTINE_TEXT_INNER = 50,
    GOROUTINE_TEXT_OUTER = 50,
};

/** goroutine_text_one(syms, g, out): one goroutine as debug=2 has it. 0 or -ENOMEM. */
int goroutine_text_one(struct gosyms *syms, const struct goroutine *g, struct buf *out);

/** goroutine_text_debug1(syms, fold, out): all groups; ${fold} is sorted. 0 or -ENOMEM. */
int goroutine_text_debug1(struct gosyms *syms, const struct gofold *fold, struct buf *out);

/** goroutine_text_grouped(syms, fold, counts, out): for people. 0 or -ENOMEM. */
int goroutine_text_grouped(struct gosyms *syms, const struct gofold *fold,
                           const struct goroutines_counts *counts, struct buf *out);

/** goroutine_text_json(syms, fold, counts, out): the same for programs. 0 or -ENOMEM. */
int goroutine_text_json(struct gosyms *syms, const struct gofold *fold,
                        const struct goroutines_counts *counts, struct buf *out);

/** goroutine_text_missing(counts, out): what is not there, in words; nothing when all is. */
void goroutine_text_missing(const struct goroutines_counts *counts, struct buf *out);

#endif
