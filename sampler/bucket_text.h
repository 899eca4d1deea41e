/*
 * bucket_text.h: the debug=1 forms of bucket_profile.h: runtime/pprof's legacy text, which people
 * read and old tools parse. Values are as recorded, not scaled (runtime/pprof does not either).
 */
#ifndef SAMPLER_BUCKET_TEXT_H
#define SAMPLER_BUCKET_TEXT_H

#include "sampler/bucket_profile.h"

enum {
    BUCKET_TEXT_PCS_MAX_BYTES = 64 * 1024 * 1024, /* stacks held while they are sorted */
};

/* What stands in the heads of the texts. */
struct bucket_text_facts {
    enum bucket_profile_kind kind;
    struct buckets_rates rates;
    double ticks_per_second; /* block and mutex */
};

/**
 * bucket_text_build(rt, facts, budget, out, ret_count, e): append the text. Errors as
 * bucket_profile_build().
 */
int bucket_text_build(struct go_runtime *rt, const struct bucket_text_facts *facts,
                      struct go_budget *budget, struct buf *out, uint64_t *ret_count,
                      struct err *e);

#endif
