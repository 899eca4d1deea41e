/*
 * copy.h: samples of one profile into another one that has nothing of them yet: each string,
 * function, mapping and location is translated once, when it is first met, so that nothing comes
 * along that no copied sample uses. For the files of this folder that make a new profile out of an
 * old one; profile_merge() translates whole tables instead, for a destination that has samples.
 *
 * Texts may be rewritten on the way (policy.c). What does not fit leaves profile_failed(dst).
 */
#ifndef PROFILE_COPY_H
#define PROFILE_COPY_H

#include "profile/profile_priv.h"

/* What a text is: the same one may stand for a function and for a label. */
enum copy_text { COPY_OTHER, COPY_NAME, COPY_FILE, COPY_LABEL, COPY_COMMENT, COPY_TEXTS };

/*
 * Called once for each text of a kind: 0: it stays; 1: ${out} (empty before) has what takes its
 * place; a negative errno ends the copying.
 */
typedef int (*copy_rewrite)(void *ctx, enum copy_text kind, const char *text, struct buf *out);

struct copy {
    struct profile *dst;
    const struct profile *src;
    copy_rewrite rewrite; /* NULL: texts stay as they are */
    void *ctx;
    struct buf text; /* what rewrite wrote */
    int rc;          /* what rewrite refused with */
    /* number in src to number in dst, 0: not met yet (0 itself is "" in both); one table for each
     * kind when texts are rewritten, else all are the first */
    uint32_t *strings[COPY_TEXTS];
    uint32_t *mappings; /* the others: by number, the id in dst, 0: not met yet */
    uint32_t *functions;
    uint32_t *locations;
};

/**
 * copy_init(c, dst, src, rewrite, ctx): ${dst} is profile_new()'s. 0 or -ENOMEM; copy_release()
 * either way.
 */
int copy_init(struct copy *c, struct profile *dst, const struct profile *src, copy_rewrite rewrite,
              void *ctx);
void copy_release(struct copy *c); /* NULL-safe, neither profile is freed */

/**
 * copy_head(c, types): all but the samples: period, time, duration, comments, the first mapping
 * (readers take the program's name from it); the sample types only with ${types}.
 */
void copy_head(struct copy *c, bool types);

/** copy_string(c, kind, number): its number in dst; 0 is "" (or a failure: see copy_result()). */
uint32_t copy_string(struct copy *c, enum copy_text kind, uint32_t number);

/** copy_location(c, id): with its mapping and the functions of its lines; 0: it failed. */
uint32_t copy_location(struct copy *c, uint32_t id);

/** copy_stack(c, s, ret): a sample's locations; ${ret} has room for s->depth. 0 or -errno. */
int copy_stack(struct copy *c, const struct profile_sample_view *s, uint32_t *ret);

/**
 * copy_label(c, from, ret): one label. Its text may have become "" by a rewrite: then it must not
 * be added, as the format would take it for the number 0.
 */
void copy_label(struct copy *c, const struct profile_label_rec *from,
                struct profile_label_rec *ret);

/** copy_sample(c, i): sample ${i} as it is. 0 or -errno. */
int copy_sample(struct copy *c, size_t i);

/** copy_result(c): 0, or why dst is not whole. */
int copy_result(const struct copy *c);

#endif
