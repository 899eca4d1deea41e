#include "guard/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "guard/eventset.h"
#include "guard/threads.h"

enum {
    PERF_FIRST_PERIOD_PARTS = 16, /* first period >= nominal / 16: a thread that has just begun must
                                     not fire at more than 16 times the rate until the next tick */
    PERF_OPEN_TRIES_MAX = 12,     /* both shapes, each with every ring size */
    PERF_RING_MS = 1000,          /* what a ring should hold before it starts to be halved */
    PERF_RING_SAMPLE_BYTES = 1024,
};

/*
 * One session. Fixed tables in one anonymous mapping, whose pages come into being as they are
 * used: the target decides how much of them is touched, never how large they are.
 */
struct guard_perf_slot {
    uint32_t nominal_ns;
    enum wire_perf_shape shape;
    int on;
    uint32_t covered, missed;                  /* threads */
    uint16_t cpu_ring[GUARD_THREADS_CPUS_MAX]; /* by position in threads.cpu: ring number + 1 */
    struct guard_threads threads;              /* `seen`: the tids that were tried already */
    struct guard_eventset set;
};

static struct guard_perf_slot *slot_of(const struct guard_perf *p, uint32_t slot)
{
    return slot < WIRE_PERF_SLOTS ? p->slots[slot] : NULL;
}

/* xorshift64* (Vigna 2016): phases need no secrecy. */
static uint64_t next_random(struct guard_perf *p)
{
    uint64_t x = p->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    p->random = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* Evenly out of [nominal / 16, nominal]; why: sampler/perf/session.h. */
static uint32_t first_period(struct guard_perf *p, uint32_t nominal_ns)
{
    uint32_t low = nominal_ns / PERF_FIRST_PERIOD_PARTS;

    if (low < GUARD_EVENT_PERIOD_MIN_NS)
        low = GUARD_EVENT_PERIOD_MIN_NS;
    if (low >= nominal_ns)
        return nominal_ns;
    return low + (uint32_t)(next_random(p) % (nominal_ns - low + 1));
}

/* --- covering threads --- */

/* The events of one thread on all CPUs. */
static int cover_per_cpu(struct guard_perf *p, struct guard_perf_slot *s, uint32_t tid)
{
    for (uint32_t i = 0; i < s->threads.cpus; i++) {
        int r = guard_eventset_add(&s->set, tid, s->threads.cpu[i], first_period(p, s->nominal_ns));

        if (r == -ENODEV)
            continue; /* the CPU went offline meanwhile */
        if (r)
            return r;
        if (s->cpu_ring[i] != 0) {
            r = guard_eventset_join(&s->set, s->cpu_ring[i] - 1U);
        } else {
            r = guard_eventset_ring(&s->set);
            if (r == 0)
                s->cpu_ring[i] = (uint16_t)s->set.nrings;
        }
        if (r)
            return r;
    }
    return 0;
}

static int cover_per_thread(struct guard_perf *p, struct guard_perf_slot *s, uint32_t tid)
{
    int r = guard_eventset_add(&s->set, tid, -1, first_period(p, s->nominal_ns));

    if (r == 0)
        r = guard_eventset_ring(&s->set);
    if (r == 0 && s->on)
        guard_eventset_switch(&s->set, s->set.nevents - 1, 1);
    return r;
}

/* Undo: back to ${events} events, and the rings that they own. */
static void cut(struct guard_perf_slot *s, uint32_t events)
{
    guard_eventset_cut(&s->set, events);
    for (uint32_t i = 0; i < s->threads.cpus; i++)
        if (s->cpu_ring[i] > s->set.nrings)
            s->cpu_ring[i] = 0;
}

/* 0 also for a thread that ended meanwhile; otherwise nothing of this thread stays. */
static int cover(struct guard_perf *p, struct guard_perf_slot *s, uint32_t tid)
{
    uint32_t before = s->set.nevents;
    int r;

    r = s->shape == WIRE_PERF_PER_CPU ? cover_per_cpu(p, s, tid) : cover_per_thread(p, s, tid);
    if (r == 0 && guard_threads_exists(&s->threads, tid)) {
        s->covered++;
        return 0;
    }
    cut(s, before);
    /* one of a family may have become another user's; the first one is the first to be covered */
    if ((r == -EACCES || r == -EPERM) && s->set.plan.family && s->covered > 0) {
        s->missed++;
        return 0;
    }
    return r == -ESRCH ? 0 : r;
}

/*
 * Per-thread shape: as many of the listed threads as fit; the others are missed. -ENOBUFS is left
 * to the caller as long as smaller rings may help.
 */
static int cover_listed(struct guard_perf *p, struct guard_perf_slot *s)
{
    int full = 0;

    s->missed = 0;
    for (uint32_t i = 0; i < s->threads.nlist; i++) {
        int r;

        if (!guard_threads_see(&s->threads, s->threads.list[i]))
            continue;
        r = full ? full : cover(p, s, s->threads.list[i]);
        if (r == -ENOBUFS && s->set.pages > GUARD_PERF_THREAD_RING_MIN_PAGES && !s->on)
            return r;
        if (r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM) {
            full = r;
            s->missed++;
        } else if (r) {
            return r;
        }
    }
    return s->covered ? 0 : full;
}

/*
 * Per-CPU shape: list and open until a pass finds nobody new. A thread born while its creator's
 * events were being opened has only some of them: a later pass finds it and opens all. A thread
 * born after that inherits all. So the last pass need not be quiet for a target that starts
 * threads without end; one found late is then covered twice, which the sampler sorts out.
 */
static int cover_all(struct guard_perf *p, struct guard_perf_slot *s)
{
    uint64_t deadline = clock_mono_ns() + GUARD_PERF_ATTACH_MAX_MS * CLOCK_NS_PER_MS;

    for (int pass = 0; pass < GUARD_PERF_PASSES_MAX; pass++) {
        uint32_t fresh = 0;
        int r = guard_threads_list(&s->threads);

        if (r == 0 && pass == 0)
            r = guard_threads_cpus(&s->threads);
        if (r)
            return r;
        if ((uint64_t)s->threads.nlist * s->threads.cpus > s->set.budget ||
            s->threads.cpus > WIRE_PERF_RINGS_MAX)
            return -EMFILE;
        for (uint32_t i = 0; i < s->threads.nlist; i++) {
            if (!guard_threads_see(&s->threads, s->threads.list[i]))
                continue;
            fresh++;
            r = cover(p, s, s->threads.list[i]);
            if (r)
                return r;
        }
        if (fresh == 0 || clock_mono_ns() > deadline)
            break;
    }
    return s->covered ? 0 : -ESRCH;
}

/* --- a session --- */

static uint32_t start_pages(uint32_t nominal_ns)
{
    uint64_t samples = PERF_RING_MS * CLOCK_NS_PER_MS / nominal_ns;
    uint64_t bytes = samples * PERF_RING_SAMPLE_BYTES;
    uint32_t pages = GUARD_PERF_RING_START_PAGES;

    while (pages < GUARD_PERF_RING_MAX_PAGES && pages * (uint64_t)sysconf(_SC_PAGESIZE) < bytes)
        pages *= 2;
    return pages;
}

/* How many descriptors a new session may take. */
static uint32_t descriptor_budget(const struct guard_perf *p)
{
    struct rlimit lim = {0, 0};
    uint64_t used = GUARD_PERF_DESCRIPTORS_SPARE;

    (void)getrlimit(RLIMIT_NOFILE, &lim);
    if (lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
        (void)getrlimit(RLIMIT_NOFILE, &lim);
    }
    for (int i = 0; i < WIRE_PERF_SLOTS; i++)
        used += p->slots[i] ? p->slots[i]->set.live : 0;
    if (lim.rlim_cur <= used)
        return 0;
    return lim.rlim_cur - used > WIRE_PERF_EVENTS_MAX ? (uint32_t)WIRE_PERF_EVENTS_MAX
                                                      : (uint32_t)(lim.rlim_cur - used);
}

static void start_over(struct guard_perf_slot *s)
{
    cut(s, 0);
    guard_threads_forget(&s->threads);
    memset(s->cpu_ring, 0, sizeof(s->cpu_ring));
    s->covered = s->missed = 0;
    s->set.count_ns = s->set.lost = 0;
}

static int attach(struct guard_perf *p, struct guard_perf_slot *s,
                  const struct wire_perf_open *want)
{
    uint64_t quarter = (uint64_t)s->set.pages * (uint64_t)sysconf(_SC_PAGESIZE) / 4;
    int r;

    s->set.plan.watermark_bytes = want->wakeups ? 0 : (uint32_t)quarter;
    s->set.plan.inherit = s->shape == WIRE_PERF_PER_CPU;
    if (s->shape == WIRE_PERF_PER_CPU)
        return cover_all(p, s);
    r = guard_threads_list(&s->threads);
    return r ? r : cover_listed(p, s);
}

/* Try the better shape and the larger rings first; each refusal takes one step down. */
static int attach_somehow(struct guard_perf *p, struct guard_perf_slot *s,
                          const struct wire_perf_open *want)
{
    int r = -EINVAL;

    for (int i = 0; i < PERF_OPEN_TRIES_MAX; i++) {
        uint32_t least = s->shape == WIRE_PERF_PER_CPU ? GUARD_PERF_RING_MIN_PAGES
                                                       : GUARD_PERF_THREAD_RING_MIN_PAGES;

        r = attach(p, s, want);
        if (r == -ENOBUFS && s->set.pages > least) {
            start_over(s); /* with the size the rings were made with */
            s->set.pages /= 2;
        } else if ((r == -EMFILE || r == -ENFILE) && s->shape == WIRE_PERF_PER_CPU) {
            start_over(s);
            s->shape = WIRE_PERF_PER_THREAD;
            s->set.pages = GUARD_PERF_THREAD_RING_PAGES;
        } else {
            break;
        }
    }
    return r;
}

static int check_want(const struct guard_perf *p, const struct guard_perf_who *who, uint32_t hz_max,
                      const struct wire_perf_open *want)
{
    if (want->slot >= WIRE_PERF_SLOTS || who->count == 0 || who->pid[0] <= 0)
        return -EINVAL;
    if (p->slots[want->slot])
        return -EBUSY;
    if (hz_max == 0 || want->period_ns < CLOCK_NS_PER_SEC / hz_max ||
        want->period_ns < GUARD_EVENT_PERIOD_MIN_NS || want->period_ns > CLOCK_NS_PER_SEC)
        return -EINVAL;
    if (want->stack_bytes % 8 != 0 || want->stack_bytes > 65528)
        return -EINVAL;
    return 0;
}

static void slot_free(struct guard_perf_slot *s)
{
    if (!s)
        return;
    cut(s, 0);
    guard_threads_close(&s->threads);
    (void)munmap(s, sizeof(*s));
}

static int slot_new(const struct guard_perf_who *who, const struct wire_perf_open *want,
                    struct guard_perf_slot **ret)
{
    struct guard_perf_slot *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int r;

    if (s == MAP_FAILED)
        return -ENOMEM;
    s->set.plan = (struct guard_event_plan){
        .regs = want->regs,
        .stack_bytes = want->stack_bytes,
        .kernel = want->kernel != 0,
        .has_lost = 1,
        .has_inherit_thread = 1,
        .family = who->family,
    };
    s->nominal_ns = want->period_ns;
    s->shape = WIRE_PERF_PER_CPU;
    s->set.pages = start_pages(want->period_ns);
    r = guard_threads_open(&s->threads, who->pid[0]);
    for (uint32_t i = 1; i < who->count && r == 0; i++) {
        r = guard_threads_add(&s->threads, who->pid[i], who->pidfd[i]);
        if (r == -ESRCH)
            r = 0; /* it has just ended */
    }
    if (r) {
        guard_threads_close(&s->threads);
        (void)munmap(s, sizeof(*s));
        return r;
    }
    *ret = s;
    return 0;
}

static void text_remark(const struct guard_perf_slot *s, char text[static WIRE_TEXT_BYTES])
{
    if (s->shape == WIRE_PERF_PER_THREAD)
        (void)snprintf(text, WIRE_TEXT_BYTES,
                       "threads x CPUs exceed the %u descriptors left, so each thread has one "
                       "event and new threads are found once a second; %u threads are not "
                       "sampled; raise the limit of open files",
                       s->set.budget, s->missed);
    else if (!s->set.plan.has_inherit_thread && !s->set.plan.family)
        (void)snprintf(text, WIRE_TEXT_BYTES,
                       "this kernel (before 5.13) counts forked children with the target; their "
                       "samples are dropped");
}

void guard_perf_open(struct guard_perf *p, const struct guard_perf_who *who, uint32_t hz_max,
                     const struct wire_perf_open *want, struct wire_perf_opened *ret, int *ret_fd)
{
    struct guard_perf_slot *s = NULL;
    int fd = -1;
    int r;

    memset(ret, 0, sizeof(*ret));
    *ret_fd = -1;
    r = check_want(p, who, hz_max, want);
    if (r == 0)
        r = slot_new(who, want, &s);
    if (r == 0) {
        s->set.budget = descriptor_budget(p);
        r = attach_somehow(p, s, want);
    }
    if (r == 0)
        fd = r = bulk_make(s->set.event, s->set.nevents * sizeof(s->set.event[0]));
    if (r < 0 || !s) {
        slot_free(s);
        ret->result = r;
        (void)guard_event_text(r, ret->text, sizeof(ret->text));
        return;
    }
    p->slots[want->slot] = s;
    ret->shape = s->shape;
    ret->kernel = (uint32_t)s->set.plan.kernel;
    ret->rings = s->set.nrings;
    ret->ring_pages = s->set.pages;
    ret->events = s->set.nevents;
    ret->threads = s->covered;
    ret->threads_missed = s->missed;
    text_remark(s, ret->text);
    *ret_fd = fd;
}

bool guard_perf_wants(const struct guard_perf *p, uint32_t slot)
{
    const struct guard_perf_slot *s = slot_of(p, slot);

    return s && s->set.plan.family && s->shape == WIRE_PERF_PER_THREAD;
}

bool guard_perf_add(struct guard_perf *p, uint32_t slot, pid_t pid, int pidfd)
{
    struct guard_perf_slot *s = slot_of(p, slot);

    return s && !guard_threads_exists(&s->threads, (uint32_t)pid) &&
           guard_threads_add(&s->threads, pid, pidfd) == 0;
}

void guard_perf_rings(const struct guard_perf *p, uint32_t slot, uint32_t from,
                      struct answer_guard_rings *ret)
{
    const struct guard_perf_slot *s = slot_of(p, slot);
    uint32_t n = 0;

    memset(&ret->head, 0, sizeof(ret->head));
    ret->head.slot = slot;
    for (uint32_t i = from; s && i < s->set.nrings && n < WIRE_FDS_MAX; i++, n++) {
        const struct wire_event *e = &s->set.event[s->set.ring[i].event];
        int alone = s->shape == WIRE_PERF_PER_THREAD;

        ret->fds[n] = s->set.fd[s->set.ring[i].event];
        ret->head.cpu[n] = e->cpu;
        ret->head.tid[n] = alone ? e->tid : 0;
        ret->head.event_id[n] = alone ? e->id : 0;
    }
    ret->head.count = n;
}

int guard_perf_enable(struct guard_perf *p, uint32_t slot, int on)
{
    struct guard_perf_slot *s = slot_of(p, slot);

    if (!s)
        return -EBADSLT;
    s->on = on;
    guard_eventset_switch(&s->set, 0, on);
    return 0;
}

/*
 * Per-thread shape: forget the threads that ended, then cover the new ones. Ring numbers are not
 * used again in a session, so WIRE_PERF_RINGS_MAX bounds how many threads it sees in all.
 */
static int relist(struct guard_perf *p, struct guard_perf_slot *s)
{
    int r;

    guard_threads_forget(&s->threads);
    for (uint32_t i = 0; i < s->set.nrings; i++) {
        uint32_t event = s->set.ring[i].event;

        if (s->set.fd[event] < 0)
            continue;
        if (guard_threads_exists(&s->threads, s->set.event[event].tid)) {
            (void)guard_threads_see(&s->threads, s->set.event[event].tid);
            continue;
        }
        guard_eventset_drop(&s->set, i);
    }
    r = guard_threads_list(&s->threads);
    return r ? r : cover_listed(p, s);
}

/*
 * PERF_EVENT_IOC_PERIOD takes nanoseconds for cpu-clock, starts the timer anew, and reaches this
 * event alone: threads that inherited from it keep the period they were born with.
 */
static int set_periods(struct guard_perf_slot *s, const struct wire_period *periods, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t ns = periods[i].period_ns;

        if (periods[i].event >= s->set.nevents || ns < s->nominal_ns - s->nominal_ns / 4 ||
            ns > (uint64_t)s->nominal_ns + s->nominal_ns / 4)
            return -EINVAL;
        if (s->set.fd[periods[i].event] >= 0)
            (void)ioctl(s->set.fd[periods[i].event], PERF_EVENT_IOC_PERIOD, &ns);
    }
    return 0;
}

void guard_perf_tick(struct guard_perf *p, uint32_t slot, const struct wire_period *periods,
                     uint32_t count, struct wire_perf_ticked *ret, uint32_t *ret_from)
{
    struct guard_perf_slot *s = slot_of(p, slot);

    memset(ret, 0, sizeof(*ret));
    *ret_from = 0;
    if (!s) {
        ret->result = -EBADSLT;
        return;
    }
    *ret_from = s->set.nrings;
    ret->result = set_periods(s, periods, count);
    if (ret->result == 0 && guard_threads_gone(&s->threads))
        ret->result = -ESRCH;
    if (ret->result == 0 && s->shape == WIRE_PERF_PER_THREAD)
        ret->result = relist(p, s);
    ret->rings = s->set.nrings - *ret_from;
    ret->threads_missed = s->missed;
}

void guard_perf_close(struct guard_perf *p, uint32_t slot, struct wire_perf_closed *ret)
{
    struct guard_perf_slot *s = slot_of(p, slot);

    memset(ret, 0, sizeof(*ret));
    if (!s) {
        ret->result = -EBADSLT;
        return;
    }
    cut(s, 0);
    ret->lost = s->set.lost;
    ret->counted_ns = s->set.count_ns;
    slot_free(s);
    p->slots[slot] = NULL;
}

int guard_perf_is_open(const struct guard_perf *p, uint32_t slot)
{
    return slot_of(p, slot) != NULL;
}

void guard_perf_init(struct guard_perf *p)
{
    memset(p, 0, sizeof(*p));
    if (getrandom(&p->random, sizeof(p->random), GRND_NONBLOCK) != (ssize_t)sizeof(p->random))
        p->random = clock_mono_ns(); /* early boot: phases need no secrecy */
    p->random |= 1;                  /* a xorshift never leaves 0 */
}

void guard_perf_release(struct guard_perf *p)
{
    if (!p)
        return;
    for (int i = 0; i < WIRE_PERF_SLOTS; i++) {
        slot_free(p->slots[i]);
        p->slots[i] = NULL;
    }
}
