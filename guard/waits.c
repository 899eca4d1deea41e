#include "guard/waits.h"

#include <errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/num.h"
#include "guard/proc.h"
#include "wire/codec.h"

enum {
    FIELDS_MAX = 9, /* number, six arguments, stack pointer, program counter */
    FIELDS_MIN = 3, /* not in a system call: -1, stack pointer, program counter */
    FIELD_BYTES = 24,
};

/* One of the numbers with 0x. */
static int hex(const char *text, size_t bytes, uint64_t *ret)
{
    if (bytes < 3 || text[0] != '0' || text[1] != 'x')
        return -EBADMSG;
    return num_u64(text + 2, bytes - 2, 16, UINT64_MAX, ret) ? -EBADMSG : 0;
}

int guard_waits_parse(const char *text, uint64_t *ret_sp, uint64_t *ret_pc)
{
    const char *field[FIELDS_MAX] = {NULL};
    size_t bytes[FIELDS_MAX] = {0};
    size_t n = 0;

    if (strcmp(text, "running\n") == 0)
        return 0;
    for (const char *p = text; *p && *p != '\n'; n++) {
        size_t len = strcspn(p, " \n");

        if (n == FIELDS_MAX || len == 0)
            return -EBADMSG;
        field[n] = p;
        bytes[n] = len;
        p += len;
        p += *p == ' ';
    }
    if (n != FIELDS_MIN && n != FIELDS_MAX)
        return -EBADMSG;
    if (hex(field[n - 2], bytes[n - 2], ret_sp) || hex(field[n - 1], bytes[n - 1], ret_pc))
        return -EBADMSG;
    return 1;
}

static ssize_t read_thread(struct target *t, uint32_t tid, const char *file, char *out,
                           size_t bytes)
{
    char name[48];

    (void)snprintf(name, sizeof(name), "task/%u/%s", tid, file);
    return target_text(t, name, out, bytes);
}

/* For people, in another program: bounded and clean. */
static void read_comm(struct target *t, struct wire_wait *row)
{
    char text[64];
    ssize_t n = read_thread(t, row->tid, "comm", text, sizeof(text));

    if (n > 0 && text[n - 1] == '\n')
        text[n - 1] = '\0';
    codec_text(row->comm, sizeof(row->comm), n > 0 ? text : "");
}

/* One thread into ${row}, its stack behind ${stack}. 0, or why its file could not be read. */
static int read_one(struct target *t, struct wire_wait *row, uint8_t *stack)
{
    char before[WAITS_TEXT_BYTES];
    char after[WAITS_TEXT_BYTES];
    ssize_t n = read_thread(t, row->tid, "syscall", before, sizeof(before));
    int waits;

    if (n < 0)
        return (int)n;
    waits = guard_waits_parse(before, &row->sp, &row->pc);
    if (waits < 0)
        return waits;
    read_comm(t, row);
    row->state = waits ? WIRE_WAIT_BLOCKED : WIRE_WAIT_RUNNING;
    if (!waits)
        return 0;
    n = target_peek(t, row->sp, stack, WIRE_WAIT_STACK_BYTES);
    row->stack_bytes = n > 0 ? (uint32_t)n : 0;
    n = read_thread(t, row->tid, "syscall", after, sizeof(after));
    if (n < 0 || strcmp(before, after) != 0) {
        row->state = WIRE_WAIT_MOVED;
        row->stack_bytes = 0;
    }
    return 0;
}

/* What would grant it. */
static void refuse(struct wire_waits *ret, int result)
{
    ret->result = result;
    if (result == -ENOENT)
        codec_text(ret->text, sizeof(ret->text), "this kernel has no /proc/PID/syscall");
    else
        codec_text(ret->text, sizeof(ret->text),
                   "/proc/PID/syscall of the target may not be read: run as its user and group, or "
                   "`sudo`, or in the container's securityContext `capabilities: {add: "
                   "[SYS_PTRACE, DAC_READ_SEARCH]}` (of another user's process it takes both)");
}

static void read_all(struct target *t, const uint32_t *tids, uint32_t count, struct wire_waits *ret,
                     struct wire_wait *rows)
{
    uint64_t until_ns = clock_mono_ns() + WAITS_BUDGET_NS;
    uint32_t i = 0;
    int first_error = 0;

    for (; i < count && ret->count < WIRE_WAITS_MAX; i++) {
        struct wire_wait *row = &rows[ret->count];
        int r;

        *row = (struct wire_wait){.tid = tids[i]};
        r = read_one(t, row, t->arena + (size_t)ret->count * WIRE_WAIT_STACK_BYTES);
        if (r == 0)
            ret->count++;
        else if (r != -ESRCH && first_error == 0) /* a thread that has just ended is no error … */
            first_error = r;
        if (clock_mono_ns() > until_ns) {
            i++;
            break;
        }
    }
    if (i < count)
        ret->after = tids[i - 1];
    if (ret->count == 0 && first_error && !(first_error == -ENOENT && count > 1))
        refuse(ret, first_error); /* … and where some can be read, all that live can */
}

_Static_assert(WIRE_WAITS_MAX *WIRE_WAIT_STACK_BYTES <= WIRE_ARENA_BYTES, "all of them fit");

void guard_waits_read(struct target *t, const struct wire_waits_ask *ask, struct wire_waits *ret,
                      struct wire_wait ret_rows[static WIRE_WAITS_MAX])
{
    uint32_t tids[WAITS_THREADS_MAX];
    uint32_t count = 0, missed = 0, first = 0;
    int r = 0;

    if (!target_alive(t))
        r = -ESRCH;
    else if (ask->generation != t->wire.generation)
        r = -ESTALE;
    else
        r = proc_threads(t->pid, tids, WAITS_THREADS_MAX, &count, &missed);
    ret->result = r;
    if (r)
        return;
    while (first < count && tids[first] <= ask->after)
        first++;
    read_all(t, tids + first, count - first, ret, ret_rows);
    if (!target_alive(t))
        *ret = (struct wire_waits){.result = -ESRCH};
}
