#include "guard/spent.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/num.h"
#include "guard/proc.h"

enum {
    SPENT_PATH_BYTES = 64,
};

int spent_open(struct spent *s, pid_t pid)
{
    *s = (struct spent){.pid = pid};
    s->rows = calloc(SPENT_THREADS_MAX, sizeof(*s->rows));
    s->next = calloc(SPENT_THREADS_MAX, sizeof(*s->next));
    s->tids = calloc(SPENT_THREADS_MAX, sizeof(*s->tids));
    if (s->rows && s->next && s->tids)
        return 0;
    spent_close(s);
    return -ENOMEM;
}

void spent_close(struct spent *s)
{
    free(s->rows);
    free(s->next);
    free(s->tids);
    s->rows = s->next = NULL;
    s->tids = NULL;
    s->count = 0;
}

static int by_tid(const void *a, const void *b)
{
    const struct spent_row *x = a;
    const struct spent_row *y = b;

    return x->tid < y->tid ? -1 : x->tid > y->tid;
}

struct spent_row *spent_find(struct spent *s, uint32_t tid)
{
    const struct spent_row key = {.tid = tid};

    return bsearch(&key, s->rows, s->count, sizeof(key), by_tid);
}

/* By schedstat, or by stat; false: the thread has gone. */
static bool look(const struct spent *s, uint32_t tid, uint64_t now_ns, struct spent_look *ret)
{
    char name[SPENT_PATH_BYTES];
    char text[SPENT_PATH_BYTES];
    struct proc_stat st;
    const char *slices;
    ssize_t n;

    *ret = (struct spent_look){.at_ns = now_ns};
    (void)snprintf(name, sizeof(name), "task/%u/schedstat", tid);
    n = proc_read(s->pid, name, text, sizeof(text));
    if (n > 0 && num_u64(text, strspn(text, "0123456789"), 10, UINT64_MAX, &ret->cpu_ns) == 0) {
        slices = strrchr(text, ' ');
        if (slices)
            (void)num_u64(slices + 1, strspn(slices + 1, "0123456789"), 10, UINT64_MAX,
                          &ret->slices);
        return true;
    }
    if (proc_thread_stat(s->pid, tid, &st) != 0)
        return false;
    ret->cpu_ns = st.cpu_ns;
    return true;
}

/* A new row: what it has used before it could be seen is not charged. */
static void begin(struct spent *s, struct spent_row *row, uint64_t now_ns)
{
    uint64_t most = s->listed_ns ? now_ns - s->listed_ns : 0;

    row->known = look(s, row->tid, now_ns, &row->last);
    row->base = row->last;
    row->base.cpu_ns -= row->last.cpu_ns > most ? most : row->last.cpu_ns;
    row->base.at_ns = s->listed_ns ? s->listed_ns : now_ns;
}

/* The rows of the listing, each with what was known of it. Both are sorted. */
static void carry(struct spent *s, uint32_t count, uint64_t now_ns)
{
    struct spent_row *old = s->rows;
    uint32_t k = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct spent_row *row = &s->next[i];

        while (k < s->count && old[k].tid < s->tids[i])
            k++;
        *row = (struct spent_row){.tid = s->tids[i]};
        if (k < s->count && old[k].tid == s->tids[i])
            *row = old[k];
        else
            begin(s, row, now_ns);
    }
    s->rows = s->next;
    s->next = old;
    s->count = count;
    s->listed_ns = now_ns;
}

int spent_list(struct spent *s, uint64_t now_ns)
{
    uint32_t count = 0;
    int r = proc_threads(s->pid, s->tids, SPENT_THREADS_MAX, &count, &s->missed);

    if (r == 0)
        carry(s, count, now_ns);
    return r;
}

uint64_t spent_owed(struct spent *s, struct spent_row *row, uint64_t now_ns, bool *ret_stayed)
{
    uint64_t passed = now_ns > row->base.at_ns ? now_ns - row->base.at_ns : 0;
    struct spent_look now;
    uint64_t owed;

    if (ret_stayed)
        *ret_stayed = false;
    if (!row->known || !look(s, row->tid, now_ns, &now))
        return 0;
    if (ret_stayed)
        *ret_stayed = now.slices == row->last.slices;
    row->last = now;
    /* less than before: the number is another thread's by now */
    owed = now.cpu_ns >= row->base.cpu_ns ? now.cpu_ns - row->base.cpu_ns : now.cpu_ns;
    return owed < passed ? owed : passed;
}

void spent_settle(struct spent_row *row)
{
    row->base = row->last;
}

char spent_state(const struct spent *s, uint32_t tid)
{
    struct proc_stat st;

    return proc_thread_stat(s->pid, tid, &st) == 0 ? st.state : '\0';
}

uint64_t spent_process_ns(pid_t pid)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * CLOCK_NS_PER_SEC + (uint64_t)t.tv_nsec;
}
