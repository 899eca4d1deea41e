/*
 * rates.h: the one thing that is ever written into a target: profiling rates of its Go runtime,
 * where the configuration has the key (target.unsafe.set_…, off by default).
 *
 * The sampler finds where a rate stands; what is written there is never its choice: it is the value
 * of the plan, and at the end what the guard itself read there before. Of each kind one word of 8
 * bytes (MemProfileRate is an int, the others are uint64; Go, runtime/mprof.go), aligned, in the
 * program's data segment (dataseg.h), of the process that is held (pidfd, generation), once until
 * it is restored. So a sampler that was taken over can put these numbers into words of the target's
 * own variables, where the user has asked for writing, and nothing else.
 *
 * What was written is restored when the guard ends, or when the key goes away; unless somebody else
 * has changed it since, or another program runs there by then: then it is left, and said so. A
 * guard that is killed by SIGKILL restores nothing.
 */
#ifndef GUARD_RATES_H
#define GUARD_RATES_H

#include "guard/dataseg.h"
#include "guard/target.h"
#include "wire/plan.h"

enum {
    RATES_BYTES = 8,
    RATES_REFUSALS_MAX = 8, /* of one kind in one target: each is a line of the log */
};

/* No profiling rate is as large; it keeps pointers and counters from being taken for one. */
#define RATES_OLD_MAX (UINT64_C(1) << 40)

struct guard_rate {
    bool on;          /* in the plan; else never written */
    uint64_t wanted;  /* of the plan */
    uint64_t value;   /* the same as the runtime keeps it */
    uint64_t address; /* where it was written; 0: it is not */
    uint64_t old;
    uint32_t refusals;
    struct dataseg_id id; /* of the program it was written into */
};

struct guard_rates {
    struct guard_rate rate[WIRE_RATES];
};

/** guard_rates_init(r, plan): take what is wanted; measures the clock if block's is (2 ms). */
void guard_rates_init(struct guard_rates *r, const struct plan *plan);

/** guard_rates_found(r, t): a new target: nothing is written yet; t->wire.rate says what shall be.
 */
void guard_rates_found(struct guard_rates *r, struct target *t);

/**
 * guard_rates_check(r, t, ask): may this be done? 0; -EPROTO no kind, state or address that a
 * sampler of ours could send; -ESRCH, -ESTALE the target; -EPERM not in the plan; -EALREADY it is
 * written, or was refused too often. Does not look at the target.
 */
int guard_rates_check(const struct guard_rates *r, const struct target *t,
                      const struct wire_rate_ask *ask);

/**
 * guard_rates_write(r, t, ask): check, and do it; t->wire.rate says how it went, and so does the
 * log. 0 (also when nothing had to be written), or as guard_rates_check(); -EACCES not the
 * program's data, -EAGAIN it holds something else than the sampler has read, -ERANGE no rate, or
 * another -errno of process_vm_writev(2).
 */
int guard_rates_write(struct guard_rates *r, struct target *t, const struct wire_rate_ask *ask);

/** guard_rates_reload(r, t, plan): restore those whose key has gone or changed, want the new. True:
 * something is another by now. */
bool guard_rates_reload(struct guard_rates *r, struct target *t, const struct plan *plan);

/** guard_rates_restore(r, t): all, at the end. */
void guard_rates_restore(struct guard_rates *r, struct target *t);

#endif
