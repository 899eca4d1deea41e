/*
 * recording.h: one CPU or wall-clock profile from its question to its answer: where its samples
 * come from, the stacks they showed, and at the end a pprof profile in sealed memory.
 */
#ifndef SAMPLER_RECORDING_H
#define SAMPLER_RECORDING_H

#include "base/err.h"
#include "sampler/feed.h"
#include "sampler/go/labels.h"
#include "sampler/go/runtime.h"
#include "sampler/running.h"
#include "sampler/stacks.h"
#include "sampler/symbols/space.h"
#include "sampler/unwind/unwind.h"

/*
 * Which program runs there: an exec changes its executable's first mapping or, when the same
 * executable is started anew at a fixed address, the vdso's (arch/x86/entry/vdso: each exec maps it
 * at a random place).
 */
struct scene_anchor {
    uint64_t start, inode; /* inode 0: not known */
    uint64_t vdso;         /* 0: not known */
};

/* What all recordings of one target share; remade when the target changes or execs. */
struct scene {
    struct ask_guard *guard;
    uint32_t generation; /* of the target it is of, 0: no scene */
    struct scene_anchor anchor;
    struct space *space;
    struct go_runtime runtime; /* good when has_runtime; opened when first asked for */
    bool has_runtime;
    struct labels *labels;            /* NULL: cannot be had */
    char labels_note[ERR_TEXT_BYTES]; /* why not */
};

struct source;

/**
 * scene_open(scene, source, first, generation, e): of one more process (target.all): what is mapped
 * there now, and its labels. Files are shared with ${first}. ${scene} is zeroed, ${source} stays
 * where it is. 0, or -errno.
 */
int scene_open(struct scene *scene, struct source *source, const struct scene *first,
               uint32_t generation, struct err *e);
void scene_close(struct scene *scene);

/**
 * scene_refresh(scene, e): take in the mappings as they are now, as long as it is the same program
 * that runs there. -ESTALE: it is not, and the scene is as it was; -ESRCH, -ENOMEM: likewise.
 */
int scene_refresh(struct scene *scene, struct err *e);

/** scene_still(scene, e): does the same program run there? 0; -ESTALE, -ESRCH: what was read since
 * scene_ready() may be of two. */
int scene_still(const struct scene *scene, struct err *e);

/** scene_program(scene): a number for the program that runs there: another one after a restart of
 * the target or an exec, whichever sampler asks. */
uint64_t scene_program(const struct scene *scene);

struct family;
struct parts;

struct recording {
    struct scene *scene;
    uint32_t id; /* of the question */
    struct wire_cpu want;
    struct wire_target target; /* as it was at the start: one that is gone has no name, no mode */
    struct feed feed;
    struct stacks stacks;
    struct parts *parts;  /* target.all: the other processes, NULL without */
    struct running *last; /* each thread's last sample; NULL without labels */
    struct unwind_counts unwound;
    struct unwind_stack stack; /* of the sample at hand: too large for the C stack of a callback */
    uint64_t began_real_ns, began_ns, ends_ns;
    uint64_t dropped;  /* samples that found no place */
    uint64_t remap_ns; /* spent so far on following new mappings */
    bool unmapped;     /* code was mapped that the scene does not know yet */
    bool over;
    enum wire_ended ended;
};

/** recording_start(scene, family, slot, id, want, ret, e): -errno with the reason. */
int recording_start(struct scene *scene, struct family *family, uint32_t slot, uint32_t id,
                    const struct wire_cpu *want, struct recording **ret, struct err *e);

/** recording_run(r): drain and look at the clock; r->over when it has ended. 0 or -errno (broken).
 */
int recording_run(struct recording *r);

/** recording_wait_ms(r): until recording_run() wants to be called. */
int recording_wait_ms(const struct recording *r);

/** recording_finish(r, ended): end it now. */
void recording_finish(struct recording *r, enum wire_ended ended);

/** recording_profile(r, ret, ret_fd): symbolize, build, seal. Fills ret (result, counts, text). */
void recording_profile(struct recording *r, struct wire_profile *ret, int *ret_fd);

/** recording_free(r): closes the session; NULL-safe. */
void recording_free(struct recording *r);

#endif
