#include "guard/event.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    EVENT_PROBE_PERIOD_NS = 1000 * 1000 * 1000, /* never reached: the event stays disabled */
};

/* The layout of the records that follows from this is sampler/perf/record.h's contract. */
static void fill_attr(const struct guard_event_plan *plan, uint64_t period_ns,
                      struct perf_event_attr *attr)
{
    *attr = (struct perf_event_attr){
        .size = sizeof(*attr),
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_CPU_CLOCK, /* works without a PMU; its period is nanoseconds */
        .sample_period = period_ns,
        .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
                       PERF_SAMPLE_TIME | PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU |
                       PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER |
                       PERF_SAMPLE_STACK_USER,
        .read_format = plan->has_lost ? PERF_FORMAT_LOST : 0,
        .disabled = 1,
        .inherit = plan->inherit ? 1 : 0,
        .inherit_thread = plan->inherit && plan->has_inherit_thread && !plan->family ? 1 : 0,
        .exclude_kernel = plan->kernel ? 0 : 1,
        .exclude_callchain_kernel = plan->kernel ? 0 : 1,
        .exclude_hv = 1,
        .mmap = 1,
        .comm = 1,
        .comm_exec = 1,
        .task = 1,
        .sample_id_all = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        .sample_regs_user = plan->regs,
        .sample_stack_user = plan->stack_bytes,
    };
    if (plan->watermark_bytes) {
        attr->watermark = 1;
        attr->wakeup_watermark = plan->watermark_bytes;
    } else {
        attr->wakeup_events = 1;
    }
}

static int try_open(const struct guard_event_plan *plan, pid_t tid, int cpu, uint64_t period_ns)
{
    struct perf_event_attr attr;
    long fd;

    fill_attr(plan, period_ns, &attr);
    fd = syscall(SYS_perf_event_open, &attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

/* One step down from what was refused with ${err}; 0 when there is none. */
static int step_down(struct guard_event_plan *plan, int err)
{
    if (plan->kernel && (err == -EACCES || err == -EPERM)) {
        plan->kernel = 0;
        return 1;
    }
    if (err != -EINVAL)
        return 0;
    if (plan->has_lost) {
        plan->has_lost = 0;
        return 1;
    }
    if (plan->inherit && plan->has_inherit_thread && !plan->family) {
        plan->has_inherit_thread = 0;
        return 1;
    }
    return 0;
}

int guard_event_open(struct guard_event_plan *plan, pid_t tid, int cpu, uint64_t period_ns)
{
    struct guard_event_plan lower = *plan;
    int fd;

    for (;;) { /* ends: each step clears one of three flags */
        fd = try_open(&lower, tid, cpu, period_ns);
        if (fd >= 0 || plan->settled || !step_down(&lower, fd))
            break;
    }
    if (fd >= 0) {
        lower.settled = 1;
        *plan = lower;
    }
    return fd;
}

int guard_event_read(const struct guard_event_plan *plan, int fd, uint64_t *ret_count_ns,
                     uint64_t *ret_lost)
{
    uint64_t words[GUARD_EVENT_READ_WORDS] = {0};
    size_t want = (plan->has_lost ? 2 : 1) * sizeof(words[0]);
    ssize_t n = read(fd, words, want);

    if (n < 0)
        return -errno;
    if ((size_t)n != want)
        return -EIO; /* 0 bytes: the event is in the error state */
    *ret_count_ns = words[0];
    *ret_lost = words[1];
    return 0;
}

void guard_event_probe(pid_t pid, struct guard_event_rights *ret)
{
    for (int kernel = 0; kernel < 2; kernel++) {
        /* settled: no step down, so that the answer is about these samples and nothing else */
        struct guard_event_plan plan = {
            .regs = 1, .stack_bytes = 8, .kernel = kernel, .settled = 1};
        int fd = guard_event_open(&plan, pid, -1, EVENT_PROBE_PERIOD_NS);

        if (fd >= 0)
            (void)close(fd);
        *(kernel ? &ret->kernel_errno : &ret->user_errno) = fd < 0 ? -fd : 0;
    }
}

const char *guard_event_text(int err, char *out, size_t bytes)
{
    switch (-err) {
    case EPERM:
    case EACCES: /* who was refused from the start is told by wire/remedy.h, and does not ask */
        (void)snprintf(out, bytes, "perf_event_open is refused (%s), and was not before",
                       strerrorname_np(-err));
        break;
    case EMFILE:
    case ENFILE:
        (void)snprintf(out, bytes,
                       "too few descriptors for the target's threads: raise the limit "
                       "of open files (ulimit -n, LimitNOFILE)");
        break;
    case ENOSYS:
        (void)snprintf(out, bytes, "this kernel or sandbox has no perf_event_open (ENOSYS)");
        break;
    case ENOBUFS:
        (void)snprintf(out, bytes,
                       "no memory may be locked for perf rings: raise "
                       "kernel.perf_event_mlock_kb or the limit of locked memory, or "
                       "add the capability IPC_LOCK");
        break;
    case ESRCH:
        (void)snprintf(out, bytes, "the target is gone");
        break;
    default:
        (void)snprintf(out, bytes, "perf_event_open: %s", strerror(-err));
    }
    return out;
}
