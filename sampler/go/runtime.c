#include "sampler/go/runtime.h"

#include <errno.h>
#include <string.h>

#include "sampler/go/goroutines.h"
#include "sampler/go/gproof.h"
#include "sampler/go/gview.h"
#include "sampler/go/locate.h"
#include "sampler/go/waitreason.h"

enum {
    WORD = sizeof(uint64_t),
    HEAD_WORDS = 6,            /* of a bucket: next, allnext, typ, hash, size, nstk */
    BUCKET_DEPTH_MAX = 1024,   /* bucket.nstk */
    THREADS_MAX = 1000 * 1000, /* m.id: the runtime gives up at 10,000 threads at once */
    USER_SPACE_LOW = 0x10000,
    CYCLE_WRAP = 3 * (2 << 24), /* len(memRecord{}.future) * (2 << 24) */
};

#define USER_SPACE_END (UINT64_C(1) << 47) /* amd64 and arm64 without their larger modes */
#define RATE_MAX       (UINT64_C(1) << 40) /* of a profiling rate; real ones are below 2^31 */

/* What a check of a candidate needs. */
struct check {
    const struct go_runtime *rt;
    uint64_t typ; /* of a bucket */
};

/* What the runtime allocates is aligned, and above what the kernel lets be mapped. */
static bool is_pointer(uint64_t p)
{
    return p >= USER_SPACE_LOW && p < USER_SPACE_END && p % WORD == 0;
}

static bool read_words(const struct go_runtime *rt, uint64_t address, uint64_t *out, size_t count)
{
    return rt->target->ops->read(rt->target->ctx, address, out, count * WORD) == 0;
}

/* allgs []*g: the first was made for the main goroutine, and its stack has bounds. */
static int is_allgs(void *ctx, uint64_t address)
{
    const struct go_runtime *rt = ((const struct check *)ctx)->rt;
    uint8_t raw[GVIEW_MAX_BYTES];
    struct gview v;
    uint64_t slice[3];
    uint64_t g;

    if (!read_words(rt, address, slice, 3) || slice[1] == 0 || slice[1] > slice[2] ||
        slice[1] > GOROUTINES_MAX || !is_pointer(slice[0]) || !read_words(rt, slice[0], &g, 1) ||
        !is_pointer(g) ||
        rt->target->ops->read(rt->target->ctx, g, raw, (size_t)rt->layout->g_size) != 0)
        return 0;
    gview_read(rt->layout, g, raw, &v);
    if (v.lo >= v.hi || v.hi - v.lo > GVIEW_STACK_MAX_BYTES || v.goid < 1 ||
        v.goid >= USER_SPACE_END || v.status > GVIEW_DEADEXTRA)
        return 0;
    return rt->certain || gproof_holds(rt, slice[0], slice[1]);
}

/* *bucket: none yet, or one of the right kind. */
static int is_buckets(void *ctx, uint64_t address)
{
    const struct check *c = ctx;
    uint64_t head, b[HEAD_WORDS];

    if (!read_words(c->rt, address, &head, 1))
        return 0;
    if (head == 0)
        return 1; /* nothing was recorded yet; the votes decide alone */
    return is_pointer(head) && read_words(c->rt, head, b, HEAD_WORDS) && b[2] == c->typ &&
           b[5] > 0 && b[5] <= BUCKET_DEPTH_MAX && (b[1] == 0 || is_pointer(b[1]));
}

/* *m: its g0 knows it. */
static int is_allm(void *ctx, uint64_t address)
{
    const struct go_runtime *rt = ((const struct check *)ctx)->rt;
    uint64_t m, id, g0, back;

    return read_words(rt, address, &m, 1) && is_pointer(m) &&
           read_words(rt, m + (uint64_t)rt->layout->m_id, &id, 1) && id < THREADS_MAX &&
           read_words(rt, m + (uint64_t)rt->layout->m_g0, &g0, 1) && is_pointer(g0) &&
           read_words(rt, g0 + (uint64_t)rt->layout->g_m, &back, 1) && back == m;
}

/* Anything small may be a rate; it only keeps pointers and counters out. */
static int is_rate(void *ctx, uint64_t address)
{
    uint64_t rate;

    return read_words(((const struct check *)ctx)->rt, address, &rate, 1) && rate <= RATE_MAX;
}

/*
 * How far the collections are, modulo (runtime/mprof.go, mProfCycleWrap and mProfCycleHolder): a
 * uint32, with a flag in bit 0 since it is a variable of its own.
 */
static int is_cycle(void *ctx, uint64_t address)
{
    const struct go_runtime *rt = ((const struct check *)ctx)->rt;
    uint32_t cycle;

    return rt->target->ops->read(rt->target->ctx, address, &cycle, sizeof(cycle)) == 0 &&
           (rt->layout->minor < 19 ? cycle : cycle >> 1) < CYCLE_WRAP;
}

static int is_reasons(void *ctx, uint64_t address)
{
    return waitreason_is(((const struct check *)ctx)->rt->target, address);
}

/*
 * The variables. checked: what is there says whether it is the right thing, so that it may be
 * looked for with the nearest version's recipes; a struct of counters says nothing.
 */
struct variable {
    const char *name;
    size_t member; /* of struct go_runtime */
    int (*valid)(void *ctx, uint64_t address);
    uint64_t typ;
    bool checked;
};

static const struct variable variables[] = {
    {"allgs", offsetof(struct go_runtime, allgs), is_allgs, 0, true},
    {"allm", offsetof(struct go_runtime, allm), is_allm, 0, true},
    {"mbuckets", offsetof(struct go_runtime, mbuckets), is_buckets, 1, true},
    {"bbuckets", offsetof(struct go_runtime, bbuckets), is_buckets, 2, true},
    {"xbuckets", offsetof(struct go_runtime, xbuckets), is_buckets, 3, true},
    {"waitReasonStrings", offsetof(struct go_runtime, wait_reasons), is_reasons, 0, true},
    {"MemProfileRate", offsetof(struct go_runtime, mem_profile_rate), is_rate, 0, true},
    {"blockprofilerate", offsetof(struct go_runtime, block_profile_rate), is_rate, 0, true},
    {"mutexprofilerate", offsetof(struct go_runtime, mutex_profile_rate), is_rate, 0, true},
    {"mProfCycle", offsetof(struct go_runtime, mprof_cycle), is_cycle, 0, true},
    {"mProf", offsetof(struct go_runtime, mprof_cycle), is_cycle, 0, true}, /* 1.18: in a struct */
    {"allp", offsetof(struct go_runtime, allp), NULL, 0, false},
    {"sched", offsetof(struct go_runtime, sched), NULL, 0, false},
    {"memstats", offsetof(struct go_runtime, memstats), NULL, 0, false},
    {"gcController", offsetof(struct go_runtime, gc_controller), NULL, 0, false},
    {"ticks", offsetof(struct go_runtime, ticks), NULL, 0, false},
};

enum {
    VARIABLES = sizeof(variables) / sizeof(variables[0]),
};

static uint64_t *member(struct go_runtime *rt, const struct variable *v)
{
    return (uint64_t *)(void *)((char *)rt + v->member);
}

/* -ESRCH and -EPERM end it; a variable that is not found stays 0. */
static int locate_all(struct go_runtime *rt, unsigned *ret_found)
{
    unsigned found = 0;

    for (size_t i = 0; i < VARIABLES; i++) {
        const struct variable *v = &variables[i];
        struct check c = {rt, v->typ};
        int r;

        if (!rt->certain && !v->checked)
            continue;
        r = go_locate(rt->image, rt->target, v->name, v->valid, &c, member(rt, v));
        if (r == -ESRCH || r == -EPERM || r == -ENOMEM || r == -ESTALE)
            return r;
        found += r == 0;
    }
    *ret_found = found;
    return 0;
}

/* What is missing, by name; mProfCycle was made a variable of its own in Go 1.19. */
static void note_missing(struct go_runtime *rt)
{
    char names[ERR_TEXT_BYTES / 2] = "";
    size_t used = 0;

    for (size_t i = 0; i < VARIABLES; i++) {
        const struct variable *v = &variables[i];

        if (*member(rt, v) != 0 || used >= sizeof(names) ||
            strcmp(v->name, rt->layout->minor < 19 ? "mProfCycle" : "mProf") == 0)
            continue;
        used +=
            (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", v->name);
    }
    if (!rt->certain)
        (void)err_set(&rt->note, -ENOTSUP, "%s", go_image_note(rt->image));
    else if (names[0])
        (void)err_set(&rt->note, -ENOENT, "not found in this program: %s", names);
}

int go_runtime_open(struct go_image *image, const struct target *target, struct go_runtime *ret,
                    struct err *e)
{
    struct go_runtime rt = {.image = image, .target = target, .layout = go_image_layout(image)};
    unsigned found = 0;
    int r;

    rt.certain = rt.layout != NULL;
    if (!rt.layout)
        rt.layout = go_layout_nearest(go_image_minor(image));
    if (!gview_fits(rt.layout))
        return err_set(e, -ENOTSUP, "no layout of the runtime of %s", go_image_version(image));
    r = locate_all(&rt, &found);
    if (r != 0)
        return err_set(e, r, "the program's memory cannot be read");
    if (found == 0)
        return err_set(e, -ENOTSUP,
                       "none of the runtime's variables was found: the names of the runtime's "
                       "functions are garbled, or %s is not known",
                       go_image_version(image));
    note_missing(&rt);
    *ret = rt;
    return 0;
}
