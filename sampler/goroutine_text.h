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

/*
 * debug=2, in three parts: what is each goroutine's own, its frames (which depend on pcs, exact and
 * flags alone), and who created it. The last two: 0 or -ENOMEM.
 */
void goroutine_text_head(const struct goroutine *g, struct buf *out);
int goroutine_text_stack(struct gosyms *syms, const struct goroutine *g, struct buf *out);
/** goroutine_text_creator(syms, pc, parent, out): ${parent} 0: unknown; nothing for the runtime's
 * own functions. */
int goroutine_text_creator(struct gosyms *syms, uint64_t pc, uint64_t parent, struct buf *out);

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
