#include "sampler/go/gstack.h"

#include <string.h>

enum {
    WORD = 8,
};

void gstack_rules_init(struct gstack_rules *r, struct go_image *image, struct callsites *calls)
{
    static const char *const names[GSTACK_KNOWN] = {
        [GSTACK_ASYNC_PREEMPT] = "runtime.asyncPreempt",
        [GSTACK_SIGPANIC] = "runtime.sigpanic",
        [GSTACK_DEBUG_CALL] = "runtime.debugCallV2",
        [GSTACK_CGOCALLBACK] = "runtime.cgocallback",
        [GSTACK_CGOCALL] = "runtime.cgocall",
    };

    *r = (struct gstack_rules){.image = image, .calls = calls};
    for (size_t i = 0; i < GSTACK_KNOWN; i++) {
        struct gstack_range *k = &r->known[i];

        if (go_image_function(image, names[i], &k->entry, &k->end) != 0)
            *k = (struct gstack_range){0};
    }
}

static bool is_known(const struct gstack_rules *r, enum gstack_known which, uint64_t pc)
{
    return pc >= r->known[which].entry && pc < r->known[which].end;
}

void gstack_begin(struct gstack *s, const struct gview *v)
{
    s->pc = v->pc;
    s->sp = v->sp;
    s->lo = v->lo;
    s->hi = v->hi;
    s->in_syscall = v->in_syscall;
    s->in_cgo = s->never_ran = s->trapped = s->pending = false;
    s->depth = 0;
    s->need = 0;
}

/*
 * Does the unwinder go on from a function that writes SP? It does not, but for two cases that the
 * runtime proves: the frame that entersyscall kept, before the write, and cgocallback, which leaves
 * a frame that holds on both stacks. A goroutine that was stopped at the entry of such a function
 * (the stack check) has not written yet: delta 0, the innermost frame.
 */
static bool may_go_on(const struct gstack *s, const struct gstack_rules *r, uint32_t flags,
                      int32_t delta)
{
    if (!(flags & GO_DELTA_SPWRITE) || is_known(r, GSTACK_CGOCALLBACK, s->pc))
        return true;
    return s->depth == 1 && (s->in_syscall || delta == 0);
}

/* Puts the frame at hand on the list. */
static enum gstack_end push(struct gstack *s, struct gstack_rules *r)
{
    bool at_entry; /* nothing of it has run: pc - 1 would be the function before it */

    if (s->depth == GOROUTINES_DEPTH_MAX)
        return GSTACK_CUT;
    at_entry = callsites_entry(r->calls, s->pc) == s->pc;
    if (s->depth == 0) {
        s->never_ran = at_entry;
        s->in_cgo = is_known(r, GSTACK_CGOCALL, s->pc);
    }
    s->pcs[s->depth] = s->pc;
    /* (*unwinder).symPC: a return address means the call before it, unless there was no call. */
    s->exact[s->depth] = s->trapped || at_entry;
    s->depth++;
    s->pending = true;
    return GSTACK_TOP;
}

/* From the frame at hand to its caller at ${caller}, whose stack pointer will be ${sp}. */
static enum gstack_end step(struct gstack *s, struct gstack_rules *r, uint64_t caller, uint64_t sp)
{
    bool trap = is_known(r, GSTACK_ASYNC_PREEMPT, s->pc) || is_known(r, GSTACK_SIGPANIC, s->pc) ||
                is_known(r, GSTACK_DEBUG_CALL, s->pc);

    /* A return address into C: Go's own traceback ends there, too. Goroutines in C stand at the
     * frame that entersyscall kept, and callbacks from C have Go frames all along (cgocallback). */
    if (!go_image_has(r->image, caller) || sp > s->hi)
        return GSTACK_IMPOSSIBLE;
    if (!trap && !callsites_fit(r->calls, caller, s->pc))
        return GSTACK_IMPOSSIBLE;
    s->pc = caller;
    s->sp = sp;
    s->trapped = trap;
    s->pending = false;
    return GSTACK_TOP;
}

enum gstack_end gstack_walk(struct gstack *s, struct gstack_rules *r, const uint8_t *bytes,
                            uint64_t address, size_t count)
{
    for (;;) {
        enum gstack_end e = GSTACK_TOP;
        uint64_t caller, at;
        uint32_t flags;
        int32_t delta;

        if (go_image_delta(r->image, s->pc, &delta, &flags) != 0 || delta < 0)
            return GSTACK_IMPOSSIBLE;
        if (!s->pending)
            e = push(s, r);
        if (e != GSTACK_TOP)
            return e;
        if (flags & GO_DELTA_TOP)
            return GSTACK_TOP;
        if (!may_go_on(s, r, flags, delta))
            return GSTACK_CUT;
        /* Each step goes up by at least a word and ends at hi: no list to go round in. */
        at = s->sp + (uint64_t)delta; /* sp < hi, below 2^48, and a delta is at most 1 GiB */
        if (at < s->lo || at + WORD > s->hi || at % WORD != 0)
            return GSTACK_IMPOSSIBLE;
        if (at < address || at - address > count || count - (at - address) < WORD) {
            s->need = at;
            return GSTACK_MORE;
        }
        memcpy(&caller, bytes + (at - address), sizeof(caller));
        e = step(s, r, caller, at + WORD);
        if (e != GSTACK_TOP)
            return e;
    }
}
