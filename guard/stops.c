#include "guard/stops.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "guard/proc.h"
#include "wire/codec.h"

struct stops_session {
    uint32_t generation;
    struct spent spent;
    uint32_t at; /* the tid that the next tick begins with */
    uint64_t began_cpu_ns;
    size_t auxv_bytes;
    char auxv[STOPS_AUXV_BYTES];
    struct wire_stops counts; /* the running sums in it */
    uint32_t count;           /* samples not handed over yet */
    struct wire_stop rows[WIRE_STOPS_MAX];
    uint8_t stacks[WIRE_STOPS_MAX][WIRE_STOP_STACK_BYTES];
};

/* What a look at a stopped thread needs. */
struct look {
    struct guard_stops *stops;
    struct target *target;
};

void guard_stops_init(struct guard_stops *s, bool wanted)
{
    *s = (struct guard_stops){.wanted = wanted};
}

bool guard_stops_right(const struct guard_stops *s, struct target *t)
{
    uint32_t before = t->wire.rights;

    t->wire.rights &= ~(uint32_t)WIRE_RIGHT_STOPS;
    /* process_vm_readv(2) and PTRACE_SEIZE are allowed by the same check (ptrace_may_access()) */
    if (s->wanted && t->pidfd >= 0 && (before & WIRE_RIGHT_MEMORY) && !(before & WIRE_RIGHT_PERF) &&
        tracee_allowed(t->pid) == 0)
        t->wire.rights |= WIRE_RIGHT_STOPS;
    return t->wire.rights != before;
}

/* --- the session --- */

static void refuse(struct wire_stops_opened *ret, int result, const char *text)
{
    ret->result = result;
    codec_text(ret->text, sizeof(ret->text), text);
}

/* Who traces it? 0: nobody. */
static pid_t tracer_of(pid_t pid)
{
    int64_t tracer = proc_tracer(pid);

    return tracer > 0 ? (pid_t)tracer : 0;
}

/* What an execve(2) changes; 0 when it cannot be read. */
static size_t read_auxv(pid_t pid, char out[static STOPS_AUXV_BYTES])
{
    ssize_t n = proc_read(pid, "auxv", out, STOPS_AUXV_BYTES);

    return n > 0 ? (size_t)n : 0;
}

static bool has_execed(const struct stops_session *s)
{
    char now[STOPS_AUXV_BYTES];
    size_t bytes = read_auxv(s->spent.pid, now);

    return bytes != s->auxv_bytes || memcmp(now, s->auxv, bytes) != 0;
}

static void begin(struct guard_stops *s, const struct target *t, struct wire_stops_opened *ret)
{
    struct stops_session *session = calloc(1, sizeof(*session));
    int r = session ? spent_open(&session->spent, t->pid) : -ENOMEM;

    if (r == 0)
        r = spent_list(&session->spent, clock_mono_ns());
    if (r) {
        if (session)
            spent_close(&session->spent);
        free(session);
        refuse(ret, r, r == -ESRCH ? "the target is gone" : "the target's threads cannot be read");
        return;
    }
    session->generation = t->wire.generation;
    session->auxv_bytes = read_auxv(t->pid, session->auxv);
    session->began_cpu_ns = spent_process_ns(t->pid);
    ret->threads = session->spent.count;
    s->session = session;
}

void guard_stops_open(struct guard_stops *s, const struct target *t, uint32_t generation,
                      struct wire_stops_opened *ret)
{
    char text[WIRE_TEXT_BYTES];
    pid_t tracer;

    if (!target_alive(t))
        refuse(ret, -ESRCH, "the target is gone");
    else if (generation != t->wire.generation)
        refuse(ret, -ESTALE, "another target runs there by now");
    else if (!(t->wire.rights & WIRE_RIGHT_STOPS))
        refuse(ret, -EPERM, "target.unsafe.ptrace_sampling is off, or ptrace is not allowed here");
    else if (s->session)
        refuse(ret, -EBUSY, "a recording by ptrace stops is running already");
    else if ((tracer = tracer_of(t->pid)) != 0) {
        (void)snprintf(text, sizeof(text),
                       "process %d, a debugger or strace, traces the target: samples by ptrace "
                       "need it to themselves",
                       (int)tracer);
        refuse(ret, -EPERM, text);
    } else
        begin(s, t, ret);
}

void guard_stops_close(struct guard_stops *s)
{
    if (!s->session)
        return;
    spent_close(&s->session->spent);
    free(s->session);
    s->session = NULL;
}

/* --- samples --- */

/*
 * Does the place where it stands stand for what it has used? stops.h tells why not always.
 * ${stayed} is only known while it is stopped.
 */
static bool is_fair(struct stops_session *s, const struct tracee_regs *regs, bool stayed,
                    uint64_t owed_ns)
{
    if (stayed || !regs->in_syscall)
        return true;
    if (owed_ns < STOPS_OWED_NS)
        return false;
    s->counts.waiting++;
    return true;
}

/* In the stop, as short as it can be. */
static void look_at(void *ctx, pid_t tid)
{
    struct look *l = ctx;
    struct stops_session *s = l->stops->session;
    uint64_t now_ns = clock_mono_ns();
    struct spent_row *spent = s ? spent_find(&s->spent, (uint32_t)tid) : NULL;
    struct tracee_regs regs;
    struct wire_stop *row;
    uint64_t owed_ns;
    bool stayed;
    ssize_t n;

    if (!spent)
        return;
    if (s->count >= WIRE_STOPS_MAX || tracee_regs(tid, &regs) != 0) {
        s->counts.lost++;
        return;
    }
    owed_ns = spent_owed(&s->spent, spent, now_ns, &stayed);
    if (owed_ns == 0 || !is_fair(s, &regs, stayed, owed_ns))
        return;
    spent_settle(spent);
    row = &s->rows[s->count];
    n = target_peek(l->target, regs.sp, s->stacks[s->count], WIRE_STOP_STACK_BYTES);
    *row = (struct wire_stop){.time_ns = now_ns,
                              .weight_ns = owed_ns,
                              .pc = regs.pc,
                              .sp = regs.sp,
                              .fp = regs.fp,
                              .lr = regs.lr,
                              .g = regs.g,
                              .tid = (uint32_t)tid,
                              .flags = regs.in_syscall ? WIRE_STOP_KERNEL : 0,
                              .stack_bytes = n > 0 ? (uint32_t)n : 0};
    s->count++;
}

static void collect(struct guard_stops *s, struct target *t)
{
    struct look l = {s, t};

    tracee_collect(&s->held, look_at, &l);
}

void guard_stops_status(struct guard_stops *s, struct target *t, pid_t tid, int status)
{
    struct look l = {s, t};

    tracee_status(&s->held, tid, status, look_at, &l);
}

int guard_stops_relieve(const struct guard_stops *s)
{
    return s->held.count ? -EIO : 0;
}

/* --- a tick --- */

/* Worth a stop now? */
static bool is_due(struct stops_session *s, struct spent_row *row, uint64_t now_ns)
{
    uint64_t owed = spent_owed(&s->spent, row, now_ns, NULL);
    char state = owed ? spent_state(&s->spent, row->tid) : '\0';

    return state == 'R' || (state == 'S' && owed >= STOPS_OWED_NS);
}

static void stop_one(struct guard_stops *s, uint32_t tid)
{
    struct stops_session *session = s->session;

    switch (tracee_seize(&s->held, (pid_t)tid)) {
    case -EPERM:
        session->counts.refused++;
        break;
    case -ENOSPC:
        session->counts.left_out++;
        if (session->at == 0)
            session->at = tid;
        break;
    default: /* held since an earlier tick, or gone */
        break;
    }
}

/* The first row that is not below the tid that the last tick ended with. */
static uint32_t first_row(const struct stops_session *s)
{
    uint32_t i = 0;

    while (i < s->spent.count && s->spent.rows[i].tid < s->at)
        i++;
    return i < s->spent.count ? i : 0;
}

static void stop_all(struct guard_stops *s, uint64_t now_ns)
{
    struct stops_session *session = s->session;
    uint32_t count = session->spent.count;
    uint32_t looks = count < STOPS_LOOKS_MAX ? count : STOPS_LOOKS_MAX;
    uint32_t first = count ? first_row(session) : 0;

    session->at = 0; /* who is left out says where the next tick begins */
    for (uint32_t i = 0; i < looks; i++) {
        struct spent_row *row = &session->spent.rows[(first + i) % count];

        if (is_due(session, row, now_ns))
            stop_one(s, row->tid);
    }
    if (session->at == 0 && looks < count)
        session->at = session->spent.rows[(first + looks) % count].tid;
}

/* Until all have stopped, or it has taken long enough. */
static void await(struct guard_stops *s, struct target *t, uint64_t most_ns)
{
    uint64_t now_ns = clock_mono_ns();
    uint64_t until_ns = now_ns + most_ns;
    uint32_t had = s->session->count;
    bool some = false;

    for (;;) {
        collect(s, t);
        now_ns = clock_mono_ns();
        if (!some && s->session->count > had) {
            some = true;
            if (until_ns > now_ns + STOPS_MORE_NS)
                until_ns = now_ns + STOPS_MORE_NS;
        }
        if (s->held.count == 0 || now_ns >= until_ns)
            return;
        tracee_wait(until_ns - now_ns);
    }
}

/* Is it time, or no more than a period early? */
static bool may_tick(const struct guard_stops *s, uint64_t now_ns)
{
    return now_ns - s->ticked_ns >= STOPS_TICK_MIN_NS && s->due_ns <= now_ns + STOPS_PERIOD_NS;
}

static int tick(struct guard_stops *s, struct target *t, uint64_t now_ns)
{
    struct stops_session *session = s->session;
    int r = 0;

    if (session->spent.count <= STOPS_LIST_FEW ||
        now_ns - session->spent.listed_ns >= STOPS_LIST_NS)
        r = spent_list(&session->spent, now_ns);
    if (r)
        return r;
    s->ticked_ns = now_ns;
    s->due_ns = (s->due_ns > now_ns ? s->due_ns : now_ns) + STOPS_PERIOD_NS;
    stop_all(s, now_ns);
    await(s, t, STOPS_WAIT_NS);
    return 0;
}

/* The rows, and their stacks into the arena, which the sampler sees. */
static void hand_over(struct stops_session *s, const struct target *t, struct wire_stops *ret,
                      struct wire_stop *rows)
{
    memcpy(rows, s->rows, s->count * sizeof(*rows));
    for (uint32_t i = 0; i < s->count; i++)
        memcpy(t->arena + (size_t)i * WIRE_STOP_STACK_BYTES, s->stacks[i], s->rows[i].stack_bytes);
    ret->count = s->count;
    s->count = 0;
}

_Static_assert(WIRE_STOPS_MAX *WIRE_STOP_STACK_BYTES <= WIRE_ARENA_BYTES, "all of them fit");

static int check(const struct guard_stops *s, const struct target *t, uint32_t generation)
{
    if (!s->session)
        return -EBADSLT;
    if (!target_alive(t))
        return -ESRCH;
    if (generation != t->wire.generation || s->session->generation != generation)
        return -ESTALE;
    return 0;
}

void guard_stops_take(struct guard_stops *s, struct target *t, const struct wire_stops_ask *ask,
                      struct wire_stops *ret, struct wire_stop ret_rows[static WIRE_STOPS_MAX])
{
    struct stops_session *session = s->session;
    uint64_t now_ns = clock_mono_ns();
    uint64_t cpu_ns;
    int r = check(s, t, ask->generation);

    if (r == 0 && ask->tick && may_tick(s, now_ns))
        r = tick(s, t, now_ns);
    else if (r == 0)
        await(s, t, STOPS_LATE_NS);
    if (r == 0 && has_execed(session))
        r = target_alive(t) ? -ESTALE : -ESRCH;
    if (session)
        *ret = session->counts;
    ret->result = r;
    if (r == 0)
        hand_over(session, t, ret, ret_rows);
    if (!session)
        return;
    cpu_ns = spent_process_ns(session->spent.pid);
    if (cpu_ns > session->began_cpu_ns)
        session->counts.counted_ns = cpu_ns - session->began_cpu_ns;
    ret->counted_ns = session->counts.counted_ns;
    ret->pending = s->held.count;
    ret->threads = session->spent.count + session->spent.missed;
    ret->threads_missed = session->spent.missed;
}
