#include "sampler/perf/record.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>

enum {
    RECORD_WORD = 8,          /* records are made of 64-bit words */
    RECORD_TRAILER_WORDS = 5, /* sample_id_all: pid,tid  time  stream  cpu,res  id */
    RECORD_REGS_MASK_BITS = RECORD_REGS_MAX,
};

/* The words of one record that were not read yet. */
struct words {
    const uint64_t *at;
    size_t left;
};

static int next(struct words *w, uint64_t *ret)
{
    if (w->left == 0)
        return -EBADMSG;
    *ret = *w->at++;
    w->left--;
    return 0;
}

static int skip(struct words *w, uint64_t count)
{
    if (count > w->left)
        return -EBADMSG;
    w->at += count;
    w->left -= (size_t)count;
    return 0;
}

/* Two 32-bit halves in memory order (perf_event.h writes them as u32 pairs). */
static void halves(uint64_t word, uint32_t *ret_first, uint32_t *ret_second)
{
    uint32_t two[2];

    memcpy(two, &word, sizeof(two));
    *ret_first = two[0];
    *ret_second = two[1];
}

/* What every record but a sample ends with (sample_id_all). */
static int parse_trailer(struct words *w, struct record *ret)
{
    const uint64_t *t;
    uint32_t res;

    if (w->left < RECORD_TRAILER_WORDS)
        return -EBADMSG;
    w->left -= RECORD_TRAILER_WORDS;
    t = w->at + w->left;
    halves(t[0], &ret->pid, &ret->tid);
    ret->time_ns = t[1];
    ret->stream = t[2];
    halves(t[3], &ret->cpu, &res);
    ret->id = t[4];
    return 0;
}

static int parse_chain(struct words *w, struct record *ret)
{
    uint64_t count;
    int r = next(w, &count);

    if (r)
        return r;
    ret->chain = w->at;
    r = skip(w, count);
    if (r)
        return r;
    /* kernel.perf_event_max_stack may be larger than what we look at: the leaf end stays */
    ret->chain_count = count > RECORD_CHAIN_MAX ? (uint32_t)RECORD_CHAIN_MAX : (uint32_t)count;
    return 0;
}

static int parse_regs(struct words *w, uint64_t mask, struct record *ret)
{
    uint64_t abi;
    int r = next(w, &abi);

    if (r || abi == PERF_SAMPLE_REGS_ABI_NONE)
        return r; /* a kernel thread, or one that has no user registers any more */
    for (unsigned i = 0; i < RECORD_REGS_MASK_BITS; i++) {
        if (!(mask >> i & 1))
            continue;
        r = next(w, &ret->regs[i]);
        if (r)
            return r;
    }
    ret->regs_valid = abi == PERF_SAMPLE_REGS_ABI_64;
    return 0;
}

static int parse_stack(struct words *w, struct record *ret)
{
    const uint64_t *data;
    uint64_t bytes, copied;
    int r = next(w, &bytes);

    if (r || bytes == 0)
        return r; /* nothing was to be had: no dyn_size then */
    if (bytes % RECORD_WORD != 0)
        return -EBADMSG;
    data = w->at;
    r = skip(w, bytes / RECORD_WORD);
    if (r == 0)
        r = next(w, &copied);
    if (r)
        return r;
    if (copied > bytes)
        return -EBADMSG;
    ret->stack = (const uint8_t *)data;
    ret->stack_bytes = (uint32_t)copied; /* bytes <= RECORD_MAX_BYTES */
    return 0;
}

/* The order is that of perf_event_open(2), PERF_RECORD_SAMPLE, for record.h's sample_type. */
static int parse_sample(struct words *w, const struct record_shape *shape, struct record *ret)
{
    uint64_t pid_tid = 0, cpu = 0;
    uint32_t res;
    int r = next(w, &ret->id);

    if (r == 0)
        r = next(w, &ret->ip);
    if (r == 0)
        r = next(w, &pid_tid);
    if (r == 0)
        r = next(w, &ret->time_ns);
    if (r == 0)
        r = next(w, &ret->stream);
    if (r == 0)
        r = next(w, &cpu);
    if (r == 0)
        r = next(w, &ret->period_ns);
    if (r == 0)
        r = parse_chain(w, ret);
    if (r == 0)
        r = parse_regs(w, shape->regs, ret);
    if (r == 0)
        r = parse_stack(w, ret);
    halves(pid_tid, &ret->pid, &ret->tid);
    halves(cpu, &ret->cpu, &res);
    return r;
}

/* FORK and EXIT: pid,ppid  tid,ptid  time; the trailer names the one that forked or exited. */
static int parse_task(struct words *w, struct record *ret)
{
    uint64_t pids = 0, tids = 0;
    int r = parse_trailer(w, ret);

    if (r == 0)
        r = next(w, &pids);
    if (r == 0)
        r = next(w, &tids);
    if (r)
        return r;
    halves(pids, &ret->pid, &ret->ppid);
    halves(tids, &ret->tid, &ret->ptid);
    return 0;
}

/* COMM and MMAP begin with pid,tid; names and addresses are read elsewhere (/proc/PID/maps). */
static int parse_pid_tid(struct words *w, struct record *ret)
{
    uint64_t pid_tid = 0;
    int r = parse_trailer(w, ret);

    if (r == 0)
        r = next(w, &pid_tid);
    if (r)
        return r;
    halves(pid_tid, &ret->pid, &ret->tid);
    return 0;
}

static int parse_lost(struct words *w, struct record *ret)
{
    uint64_t id = 0;
    int r = parse_trailer(w, ret);

    if (r == 0)
        r = next(w, &id);
    if (r == 0)
        r = next(w, &ret->lost);
    return r;
}

static int parse_body(const struct perf_event_header *head, struct words *w,
                      const struct record_shape *shape, struct record *ret)
{
    switch (head->type) {
    case PERF_RECORD_SAMPLE:
        ret->kind = RECORD_SAMPLE;
        ret->user = (head->misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_USER;
        return parse_sample(w, shape, ret);
    case PERF_RECORD_LOST:
        ret->kind = RECORD_LOST;
        return parse_lost(w, ret);
    case PERF_RECORD_EXIT:
    case PERF_RECORD_FORK:
        ret->kind = head->type == PERF_RECORD_EXIT ? RECORD_EXIT : RECORD_FORK;
        return parse_task(w, ret);
    case PERF_RECORD_COMM:
        ret->kind = RECORD_COMM;
        ret->exec = (head->misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
        return parse_pid_tid(w, ret);
    case PERF_RECORD_MMAP:
    case PERF_RECORD_MMAP2:
        ret->kind = RECORD_MMAP;
        return parse_pid_tid(w, ret);
    case PERF_RECORD_THROTTLE:
        ret->kind = RECORD_THROTTLE;
        return parse_trailer(w, ret);
    default: /* also what a newer kernel may add */
        ret->kind = RECORD_OTHER;
        return 0;
    }
}

int record_parse(const void *data, size_t bytes, const struct record_shape *shape,
                 struct record *ret)
{
    struct perf_event_header head;
    struct words w;

    if (bytes < sizeof(head) || bytes > RECORD_MAX_BYTES || (uintptr_t)data % RECORD_WORD != 0)
        return -EBADMSG;
    memcpy(&head, data, sizeof(head));
    if (head.size != bytes || bytes % RECORD_WORD != 0 || shape->regs >> RECORD_REGS_MASK_BITS != 0)
        return -EBADMSG;
    w.at = (const uint64_t *)data + sizeof(head) / RECORD_WORD;
    w.left = (bytes - sizeof(head)) / RECORD_WORD;
    memset(ret, 0, sizeof(*ret));
    return parse_body(&head, &w, shape, ret);
}
