/*
 * target.h: the one process that is profiled, held by a pidfd and its start time, so that a
 * recycled pid is never read: after each operation the pidfd must still say "alive".
 *
 * The operations behind struct answer_guard_ops that read the target; perf is guard/perf.h. None
 * stops, writes to or signals it; target_poke() writes, and only guard/rates.c calls it.
 */
#ifndef GUARD_TARGET_H
#define GUARD_TARGET_H

#include "base/err.h"
#include "guard/dataseg.h"
#include "guard/find.h"
#include "wire/wire.h"

/* What may wait for the target without end (relief.h). */
enum target_act {
    TARGET_ACT_MEMORY = 1,
    TARGET_ACT_TEXT = 2, /* maps takes a lock of its memory, cmdline is memory */
    TARGET_ACT_FILES = 4,
};

struct target {
    /* NULL: the first one of its target, which has the arena and the count of generations; another
     * member (members.h) uses those of the first */
    struct target *first;
    int pidfd; /* -1: no target now */
    pid_t pid;
    struct wire_target wire; /* what the others are told */
    struct wire_facts facts; /* what was found by trying; of no target: of ourselves */
    uint8_t *arena;          /* WIRE_ARENA_BYTES, shared with the sampler */
    int arena_fd;
    uint32_t given;   /* generations so far */
    uint32_t doing;   /* enum target_act bits: under way now */
    uint32_t blocked; /* enum target_act bits: it let us wait; refused with -EIO from then on */
};

/**
 * target_init(t): no target; makes the arena (size sealed) and looks at ourselves (probe_self), so
 * before anything is given up. 0 or -errno.
 */
int target_init(struct target *t);

/** target_init_member(t, first): no process; a further one of ${first}'s, which outlives it. */
void target_init_member(struct target *t, struct target *first);

void target_release(struct target *t);

/**
 * target_take(t, pid, start_ticks): hold this process, probe what is allowed, next generation.
 * -ESRCH when it went meanwhile, also when its number is another's by now.
 */
int target_take(struct target *t, pid_t pid, uint64_t start_ticks);

/** target_host(t): there is none: the facts are those of this machine (probe_host). */
void target_host(struct target *t);

/** target_drop(t, state, reason): there is none now (enum wire_target_state). */
void target_drop(struct target *t, uint32_t state, const char *reason);

/**
 * target_relieve(t): in the thread that took over: what was under way is refused from now on. The
 * arena is a new one, since the old may still be written to. Text for people, NULL: nothing was
 * under way; or the arena could not be made.
 */
const char *target_relieve(struct target *t);

/** target_alive(t): does the process held still run? */
bool target_alive(const struct target *t);

/* As in struct answer_guard_ops; -ESRCH no target, -ESTALE another generation. */
int target_maps(struct target *t, uint32_t generation, int *ret_fd, uint32_t *ret_truncated);
int target_file(struct target *t, const struct wire_file *file, int *ret_fd);
int target_read(struct target *t, uint32_t generation, const struct wire_range *ranges,
                uint32_t count, uint32_t *ret_got);
int target_cmdline(struct target *t, uint32_t generation, int *ret_fd);

/* Bytes or -errno: process_vm_readv(2) and process_vm_writev(2) of one range of the target. */
ssize_t target_peek(struct target *t, uint64_t address, void *out, size_t bytes);
ssize_t target_poke(struct target *t, uint64_t address, const void *data, size_t bytes);

/** target_text(t, name, out, bytes): proc_read() of a file of it that may wait (syscall). */
ssize_t target_text(struct target *t, const char *name, char *out, size_t bytes);

/** target_dataseg(t, address, bytes, ret): dataseg_read() of the target. */
int target_dataseg(struct target *t, uint64_t address, uint64_t bytes, struct dataseg_id *ret);

/** target_close(t, fd): a descriptor of target_file(). */
void target_close(struct target *t, int fd);

#endif
