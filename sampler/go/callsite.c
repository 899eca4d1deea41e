#include "sampler/go/callsite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALL_BYTES = 5, /* E8 rel32 */
    CALL_OPCODE = 0xE8,
    NAME_BYTES = 2, /* nobody looks at it */
};

struct callsite {
    uint64_t pc;     /* 0: free */
    uint64_t entry;  /* of its function, 0: none */
    uint64_t target; /* what the call before pc calls, 0: nothing that could be proven */
    bool looked;     /* at the code; entry alone is known before */
};

struct callsites {
    struct go_image *image;
    const struct target *target;
    struct callsite slots[CALLSITE_SLOTS];
};

int callsites_new(struct go_image *image, const struct target *target, struct callsites **ret)
{
    struct callsites *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->image = image;
    c->target = target;
    *ret = c;
    return 0;
}

void callsites_free(struct callsites *c)
{
    free(c);
}

static struct callsite *site_of(struct callsites *c, uint64_t pc)
{
    /* 2^64 / golden ratio; the top 13 bits */
    struct callsite *s = &c->slots[(pc * UINT64_C(0x9e3779b97f4a7c15)) >> 51];
    char name[NAME_BYTES];

    if (s->pc != pc) {
        *s = (struct callsite){.pc = pc};
        if (go_image_entry(c->image, pc, name, sizeof(name), &s->entry) != 0)
            s->entry = 0;
    }
    return s;
}

/*
 * A target in assembly may jump on (reflectcall to callN), and so does what the compiler makes
 * around a method of an embedded pointer; outside Go's code there is the linker's table of jumps.
 */
static bool proves(struct callsites *c, uint64_t target)
{
    int32_t delta;
    uint32_t flags;

    return go_image_delta(c->image, target, &delta, &flags) == 0 && !(flags & GO_DELTA_ASM) &&
           !go_image_hidden(c->image, target);
}

static void look(struct callsites *c, struct callsite *s)
{
    uint8_t code[CALL_BYTES];
    int32_t displacement;
    uint64_t target;

    s->looked = true;
    if (s->entry == 0 || s->pc < s->entry + CALL_BYTES ||
        c->target->ops->read(c->target->ctx, s->pc - CALL_BYTES, code, sizeof(code)) != 0 ||
        code[0] != CALL_OPCODE)
        return;
    memcpy(&displacement, code + 1, sizeof(displacement));
    target = s->pc + (uint64_t)(int64_t)displacement;
    /* E8 may as well be the middle of an indirect call's operand: then it leads nowhere. */
    if (site_of(c, target)->entry == target && proves(c, target))
        site_of(c, s->pc)->target = target;
}

uint64_t callsites_entry(struct callsites *c, uint64_t pc)
{
    return site_of(c, pc)->entry;
}

bool callsites_fit(struct callsites *c, uint64_t caller, uint64_t callee)
{
    uint64_t entry = callsites_entry(c, callee);
    struct callsite *s = site_of(c, caller);
    uint64_t target;

    if (!s->looked)
        look(c, s);
    s = site_of(c, caller); /* its slot may have been lent to the target meanwhile */
    target = s->target;
    return entry != 0 && (target == 0 || target == entry);
}
