#include "sampler/go/gview.h"

#include <string.h>

enum {
    SCAN_BIT = 0x1000, /* a collector looks at its stack; or'ed to a status */
    WORD = 8,
};

/* Words are read from copies, never from the target: what was checked is what is used. */
static uint64_t word(const uint8_t *raw, int32_t at)
{
    uint64_t v;

    if (at < 0)
        return 0; /* this version does not have it */
    memcpy(&v, raw + at, sizeof(v));
    return v;
}

/*
 * The table of layouts is generated, but the nearest version's may be used for one that is not in
 * it: no field may lie outside the bytes that are copied. Fields that older versions lack are
 * negative, and pass.
 */
bool gview_fits(const struct go_layout *l)
{
    const int32_t words[] = {
        l->g_stack_lo,
        l->g_stack_hi,
        l->g_m,
        l->g_syscallsp,
        l->g_syscallpc,
        l->g_goid,
        l->g_waitsince,
        l->g_lockedm,
        l->g_gopc,
        l->g_startpc,
        l->g_labels,
        l->g_sched + l->gobuf_sp,
        l->g_waitreason,
        l->g_sched + l->gobuf_pc,
        l->g_atomicstatus,
        l->m_procid,
    };

    if (l->g_size < WORD || l->g_size > GVIEW_MAX_BYTES)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i] < 0 || words[i] + WORD > l->g_size)
            return false;
    }
    return l->g_parent_goid + WORD <= l->g_size && l->g_running_cleanups < l->g_size;
}

void gview_read(const struct go_layout *l, uint64_t address, const uint8_t *raw, struct gview *ret)
{
    uint64_t syscallsp = word(raw, l->g_syscallsp);
    uint32_t status;

    memcpy(&status, raw + l->g_atomicstatus, sizeof(status));
    *ret = (struct gview){
        .address = address,
        .lo = word(raw, l->g_stack_lo),
        .hi = word(raw, l->g_stack_hi),
        .in_syscall = syscallsp != 0, /* as runtime/traceback.go, (*unwinder).initAt */
        .status = status & ~(uint32_t)SCAN_BIT,
        .goid = word(raw, l->g_goid),
        .parent = word(raw, l->g_parent_goid),
        .waitsince = word(raw, l->g_waitsince),
        .m = word(raw, l->g_m),
        .lockedm = word(raw, l->g_lockedm),
        .labels = word(raw, l->g_labels),
        .gopc = word(raw, l->g_gopc),
        .startpc = word(raw, l->g_startpc),
        .waitreason = raw[l->g_waitreason],
        .cleans = l->g_running_cleanups >= 0 && raw[l->g_running_cleanups] != 0,
    };
    /* In a system call sched is what it was at entersyscall, or older; the two words are exact. */
    ret->sp = ret->in_syscall ? syscallsp : word(raw, l->g_sched + l->gobuf_sp);
    ret->pc = word(raw, ret->in_syscall ? l->g_syscallpc : l->g_sched + l->gobuf_pc);
}

/* The scan bit comes and goes while a collector looks at the stack, which moves nothing. When it
 * moves the stack (copystack), bounds and sp change with it. */
bool gview_same(const struct go_layout *l, const uint8_t *a, const uint8_t *b)
{
    size_t status = (size_t)l->g_atomicstatus, after = status + sizeof(uint32_t);
    uint32_t x, y;

    memcpy(&x, a + status, sizeof(x));
    memcpy(&y, b + status, sizeof(y));
    return ((x ^ y) & ~(uint32_t)SCAN_BIT) == 0 && memcmp(a, b, status) == 0 &&
           memcmp(a + after, b + after, (size_t)l->g_size - after) == 0;
}

/* Not in copystack: the bounds may be the new ones and sp the old. It is over in microseconds, so
 * it is read again. */
bool gview_has_stack(const struct gview *v)
{
    return v->status == GVIEW_RUNNABLE || v->status == GVIEW_SYSCALL ||
           v->status == GVIEW_WAITING || v->status == GVIEW_PREEMPTED || v->status == GVIEW_LEAKED;
}

/* sp == hi would be an empty stack: even a goroutine that never ran has a return address. */
bool gview_is_sane(const struct gview *v)
{
    if (!gview_has_stack(v))
        return v->status == GVIEW_RUNNING;
    return v->goid != 0 && v->lo < v->hi && v->hi - v->lo <= GVIEW_STACK_MAX_BYTES &&
           v->hi % WORD == 0 && v->sp >= v->lo && v->sp < v->hi && v->sp % WORD == 0;
}

bool gview_is_settled(const struct gview *v)
{
    return v->m == 0 && v->status != GVIEW_SYSCALL;
}
