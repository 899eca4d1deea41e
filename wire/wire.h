/*
 * wire.h: every message between our programs, in one table.
 *
 * A message is one SOCK_SEQPACKET packet: struct wire_head, then the body named in its row, then
 * (where the row says so) descriptors by SCM_RIGHTS. Both ends are the same build on the same
 * machine, so bodies are plain structs without padding; they are copied out, never pointed into,
 * and every field is range-checked by the half that receives it. A packet whose magic, type,
 * direction, length, descriptor count or turn is wrong ends the peer that sent it. There is no
 * retry and no negotiation.
 *
 * Requests carry ids and numbers from closed sets: never a path, a pid, or a name of our own
 * machine. The addresses in ASK_READ and ASK_RATE and the mapping start in ASK_FILE are the
 * target's own; what is written there is never in a request (struct wire_rate_ask).
 *
 * Links:  guard ⇄ sampler (ask_guard.h / answer_guard.h), sampler ⇄ front (ask_sampler.h /
 * answer_sampler.h), guard ⇄ front (front.h). The front is pillion-sidecar, or `pillion record`.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdint.h>

/* All limits of the border, in one place. */
enum {
    WIRE_BODY_MAX_BYTES = 24 * 1024,
    WIRE_FDS_MAX = 64,                     /* descriptors in one packet; SCM_MAX_FD is 253 */
    WIRE_READ_MAX_RANGES = 1024,           /* UIO_MAXIOV, process_vm_readv(2) */
    WIRE_ARENA_BYTES = 4 * 1024 * 1024,    /* all ranges of one ASK_READ together */
    WIRE_MAPS_MAX_BYTES = 8 * 1024 * 1024, /* /proc/PID/maps text: ~65,000 mappings */
    WIRE_CMDLINE_MAX_BYTES = 128 * 1024,
    WIRE_SYMBOLS_MAX = 512,             /* addresses of one ASK_SYMBOL */
    WIRE_BYTES_MAX_BYTES = 1024 * 1024, /* the answer to ASK_SYMBOL, ASK_CMDLINE */
    WIRE_PROFILE_MAX_BYTES = 64 * 1024 * 1024,
    WIRE_PERF_SLOTS = 4,          /* perf sessions at once */
    WIRE_PERF_EVENTS_MAX = 65536, /* events of one session */
    WIRE_PERF_RINGS_MAX = 1024,
    WIRE_TICK_MAX = 1024, /* new periods in one ASK_PERF_TICK */
    WIRE_STOPS_MAX = 64,  /* samples in one ANS_STOPS, and threads held at a time */
    WIRE_STOPS_HZ_MAX = 100,
    WIRE_STOP_STACK_BYTES = 16 * 1024, /* copied from SP up with each */
    WIRE_WAITS_MAX = 256,              /* threads in one ANS_WAITS */
    WIRE_WAITS_HZ_MAX = 100,
    WIRE_WAIT_STACK_BYTES = 8 * 1024,
    WIRE_COMM_BYTES = 16,  /* TASK_COMM_LEN */
    WIRE_TEXT_BYTES = 320, /* a reason for people, NUL-terminated */
    WIRE_CONTAINER_BYTES = 72,
    WIRE_NAME_BYTES = 64,
    WIRE_LABEL_BYTES = 128, /* of AppArmor or SELinux; longer ones are cut */
    WIRE_HZ_MAX = 10000,
    WIRE_MEMBERS_MAX = 32, /* processes of one target (target.all), the first one with them */
    WIRE_SECONDS_MAX = 3600,
};

/* name, number, from, to, smallest body, largest body, most descriptors, permitted, times */
#define WIRE_TABLE(X)                                                                            \
    /* sampler asks, guard answers: always one answer, in turn */                                \
    X(ASK_HELLO, 1, SAMPLER, GUARD, sizeof(struct wire_hello), 0, 0, START, ONCE)                \
    X(ANS_HELLO, 2, GUARD, SAMPLER, sizeof(struct wire_target), 0, 0, ANY, ONCE)                 \
    X(ASK_MAPS, 3, SAMPLER, GUARD, sizeof(struct wire_gen), 0, 0, RUN, MANY)                     \
    X(ANS_MAPS, 4, GUARD, SAMPLER, sizeof(struct wire_result), 0, 1, ANY, MANY)                  \
    X(ASK_FILE, 5, SAMPLER, GUARD, sizeof(struct wire_file), 0, 0, RUN, MANY)                    \
    X(ANS_FILE, 6, GUARD, SAMPLER, sizeof(struct wire_result), 0, 1, ANY, MANY)                  \
    X(ASK_READ, 7, SAMPLER, GUARD, sizeof(struct wire_read),                                     \
      WIRE_READ_MAX_RANGES * sizeof(struct wire_range), 0, RUN, MANY)                            \
    X(ANS_READ, 8, GUARD, SAMPLER, sizeof(struct wire_result),                                   \
      WIRE_READ_MAX_RANGES * sizeof(uint32_t), 0, ANY, MANY)                                     \
    X(ASK_CMDLINE, 9, SAMPLER, GUARD, sizeof(struct wire_gen), 0, 0, RUN, MANY)                  \
    X(ANS_CMDLINE, 10, GUARD, SAMPLER, sizeof(struct wire_result), 0, 1, ANY, MANY)              \
    X(ASK_PERF_OPEN, 11, SAMPLER, GUARD, sizeof(struct wire_perf_open), 0, 0, RUN, MANY)         \
    X(ANS_PERF_OPEN, 12, GUARD, SAMPLER, sizeof(struct wire_perf_opened), 0, 1, ANY, MANY)       \
    X(ANS_PERF_RINGS, 14, GUARD, SAMPLER, sizeof(struct wire_perf_rings), 0, WIRE_FDS_MAX, ANY,  \
      MANY)                                                                                      \
    X(ASK_PERF_ENABLE, 15, SAMPLER, GUARD, sizeof(struct wire_slot), 0, 0, PERF, MANY)           \
    X(ANS_PERF_ENABLE, 16, GUARD, SAMPLER, sizeof(struct wire_result), 0, 0, ANY, MANY)          \
    X(ASK_PERF_TICK, 17, SAMPLER, GUARD, sizeof(struct wire_slot),                               \
      WIRE_TICK_MAX * sizeof(struct wire_period), 0, PERF, MANY)                                 \
    X(ANS_PERF_TICK, 18, GUARD, SAMPLER, sizeof(struct wire_perf_ticked), 0, 0, ANY, MANY)       \
    X(ASK_PERF_CLOSE, 19, SAMPLER, GUARD, sizeof(struct wire_slot), 0, 0, PERF, MANY)            \
    X(ANS_PERF_CLOSE, 20, GUARD, SAMPLER, sizeof(struct wire_perf_closed), 0, 0, ANY, MANY)      \
    /* guard tells, unasked */                                                                   \
    X(TELL_TARGET, 22, GUARD, SAMPLER, sizeof(struct wire_target), 0, 0, ANY, MANY)              \
    X(TELL_STATUS, 24, GUARD, FRONT, sizeof(struct wire_status), 0, 1, ANY, MANY)                \
    X(TELL_FACTS, 26, GUARD, FRONT, sizeof(struct wire_facts), 0, 0, ANY, MANY)                  \
    /* a child says that its other peer broke the rules */                                       \
    X(TELL_BLAME, 25, SAMPLER, GUARD, sizeof(struct wire_result), 0, 0, RUN, ONCE)               \
    X(TELL_FRONT_BLAME, 27, FRONT, GUARD, sizeof(struct wire_result), 0, 0, RUN, MANY)           \
    X(TELL_FRONT_READY, 29, FRONT, GUARD, sizeof(struct wire_result), 0, 0, START, ONCE)         \
    /* front asks, sampler answers; answers may come out of order, the id says whose they are */ \
    X(ASK_ABOUT, 31, FRONT, SAMPLER, sizeof(struct wire_none), 0, 0, RUN, MANY)                  \
    X(ANS_ABOUT, 32, SAMPLER, FRONT, sizeof(struct wire_about), 0, 0, ANY, MANY)                 \
    X(ASK_CPU, 33, FRONT, SAMPLER, sizeof(struct wire_cpu), 0, 0, RUN, MANY)                     \
    X(ANS_CPU, 34, SAMPLER, FRONT, sizeof(struct wire_profile), 0, 1, ANY, MANY)                 \
    X(ASK_CANCEL, 35, FRONT, SAMPLER, sizeof(struct wire_cancel), 0, 0, RUN, MANY)               \
    X(ASK_SYMBOL, 37, FRONT, SAMPLER, sizeof(struct wire_symbol),                                \
      WIRE_SYMBOLS_MAX * sizeof(uint64_t), 0, RUN, MANY)                                         \
    X(ANS_SYMBOL, 38, SAMPLER, FRONT, sizeof(struct wire_said), 0, 1, ANY, MANY)                 \
    X(ASK_ARGV, 39, FRONT, SAMPLER, sizeof(struct wire_none), 0, 0, RUN, MANY)                   \
    X(ANS_ARGV, 40, SAMPLER, FRONT, sizeof(struct wire_said), 0, 1, ANY, MANY)                   \
    X(ASK_RUNTIME, 41, FRONT, SAMPLER, sizeof(struct wire_runtime), 0, 0, RUN, MANY)             \
    X(ANS_RUNTIME, 42, SAMPLER, FRONT, sizeof(struct wire_runtime_read), 0, 1, ANY, MANY)        \
    X(ASK_STATS, 43, FRONT, SAMPLER, sizeof(struct wire_none), 0, 0, RUN, MANY)                  \
    X(ANS_STATS, 44, SAMPLER, FRONT, sizeof(struct wire_stats), 0, 0, ANY, MANY)                 \
    /* the one thing that is written into the target, where target.unsafe says so */             \
    X(ASK_RATE, 45, SAMPLER, GUARD, sizeof(struct wire_rate_ask), 0, 0, RUN, MANY)               \
    X(ANS_RATE, 46, GUARD, SAMPLER, sizeof(struct wire_result), 0, 0, ANY, MANY)                 \
    /* target.all: who belongs to it just now */                                                 \
    X(ASK_MEMBERS, 51, SAMPLER, GUARD, sizeof(struct wire_gen), 0, 0, RUN, MANY)                 \
    X(ANS_MEMBERS, 52, GUARD, SAMPLER, sizeof(struct wire_members), 0, 0, ANY, MANY)             \
    /* CPU samples by ptrace stops, where target.unsafe.ptrace_sampling says so */               \
    X(ASK_STOPS_OPEN, 47, SAMPLER, GUARD, sizeof(struct wire_gen), 0, 0, RUN, MANY)              \
    X(ANS_STOPS_OPEN, 48, GUARD, SAMPLER, sizeof(struct wire_stops_opened), 0, 0, ANY, MANY)     \
    X(ASK_STOPS, 49, SAMPLER, GUARD, sizeof(struct wire_stops_ask), 0, 0, RUN, MANY)             \
    X(ANS_STOPS, 50, GUARD, SAMPLER, sizeof(struct wire_stops),                                  \
      WIRE_STOPS_MAX * sizeof(struct wire_stop), 0, ANY, MANY)                                   \
    X(ASK_STOPS_CLOSE, 53, SAMPLER, GUARD, sizeof(struct wire_none), 0, 0, RUN, MANY)            \
    X(ANS_STOPS_CLOSE, 54, GUARD, SAMPLER, sizeof(struct wire_result), 0, 0, ANY, MANY)          \
    /* where the threads wait, without stopping any */                                           \
    X(ASK_WAITS, 55, SAMPLER, GUARD, sizeof(struct wire_waits_ask), 0, 0, RUN, MANY)             \
    X(ANS_WAITS, 56, GUARD, SAMPLER, sizeof(struct wire_waits),                                  \
      WIRE_WAITS_MAX * sizeof(struct wire_wait), 0, ANY, MANY)

enum wire_type {
#define X(name, number, from, to, body, tail, fds, when, times) WIRE_##name = number,
    WIRE_TABLE(X)
#undef X
        WIRE_TYPE_END = 57,
};

enum wire_role { WIRE_ROLE_GUARD, WIRE_ROLE_SAMPLER, WIRE_ROLE_FRONT };

/* When a row is permitted, seen by its receiver: bits of the link's state. */
enum wire_state {
    WIRE_STATE_START = 1, /* nothing heard yet */
    WIRE_STATE_RUN = 2,   /* the first message was right */
    WIRE_STATE_PERF = 4,  /* at least one perf session is open */
    WIRE_STATE_ANY = 7,
};

enum wire_times { WIRE_TIMES_ONCE, WIRE_TIMES_MANY };

struct wire_head {
    uint32_t magic; /* WIRE_MAGIC */
    uint16_t type;
    uint16_t fds;   /* descriptors that come with it */
    uint32_t id;    /* an answer repeats its question's id; 0 for what is told unasked */
    uint32_t bytes; /* of the body that follows */
};

/* Changes with every change of the table: an old sampler beside a new guard is refused. */
#define WIRE_MAGIC UINT32_C(0x504c0011)

enum wire_target_state {
    WIRE_TARGET_WAITING, /* not found yet, or gone and not back yet */
    WIRE_TARGET_UP,
    WIRE_TARGET_GONE,      /* gone for good (chosen by pid) */
    WIRE_TARGET_AMBIGUOUS, /* several match; nothing is chosen */
};

/* What the guard found by trying; bits of wire_target.rights. */
enum wire_right {
    WIRE_RIGHT_PERF = 1,        /* perf_event_open(2) of user space works */
    WIRE_RIGHT_PERF_KERNEL = 2, /* with kernel frames */
    WIRE_RIGHT_MEMORY = 4,      /* process_vm_readv(2) works */
    WIRE_RIGHT_FILES = 8,       /* the executable can be opened */
    WIRE_RIGHT_PTRACE_CAP = 16, /* CAP_SYS_PTRACE is ours */
    WIRE_RIGHT_PERFMON_CAP = 32,
    WIRE_RIGHT_STOPS = 64, /* no perf, but target.unsafe.ptrace_sampling and ptrace(2) works */
};

enum wire_mode {
    WIRE_MODE_NONE,
    WIRE_MODE_FULL,
    WIRE_MODE_PERF,
    WIRE_MODE_PTRACE,
    WIRE_MODE_RESTRICTED
};

/* The profiling rates of a Go runtime that target.unsafe may set (rate_names.h). */
enum wire_rate_kind { WIRE_RATE_HEAP, WIRE_RATE_BLOCK, WIRE_RATE_MUTEX, WIRE_RATES };

/* How it went with one of them. From WIRE_RATE_NOT_GO on the sampler may say it. */
enum wire_rate_state {
    WIRE_RATE_OFF,         /* not in the configuration: never written */
    WIRE_RATE_WANTED,      /* not tried yet, or to be tried again */
    WIRE_RATE_SET,         /* written: old, value and set_real_ns say what and when */
    WIRE_RATE_ALREADY,     /* the program has that very rate: nothing was written */
    WIRE_RATE_REFUSED,     /* the guard did not write: not the program's data, or not allowed */
    WIRE_RATE_CHANGED,     /* somebody else has changed it since: it was left so */
    WIRE_RATE_NOT_GO,      /* no Go program */
    WIRE_RATE_NOT_FOUND,   /* no clear winner for its address */
    WIRE_RATE_NOT_CERTAIN, /* a Go version that is not known: nothing is written on a guess */
    WIRE_RATE_STATES,
};

struct wire_rate {
    uint64_t wanted; /* as configured */
    uint64_t value;  /* the same as the runtime keeps it (block: ticks) */
    uint64_t old;    /* what stood there before */
    uint64_t set_real_ns;
    uint32_t state; /* enum wire_rate_state */
    uint32_t zero;
};

struct wire_target {
    uint32_t generation; /* grows with each target found; 0 = never one */
    uint32_t state;      /* enum wire_target_state */
    uint32_t rights;     /* enum wire_right bits */
    uint32_t mode;       /* enum wire_mode */
    int32_t
        perf_errno; /* why perf was refused (EPERM: seccomp, EACCES: paranoid or ptrace check) */
    int32_t memory_errno;   /* why process_vm_readv was refused */
    int32_t paranoid;       /* /proc/sys/kernel/perf_event_paranoid, -100 when unreadable */
    uint32_t cpus;          /* the target may run on */
    uint64_t start_real_ns; /* when the target started, since 1970 */
    uint64_t start_ticks;   /* stat field 22: with the pid, who it is */
    uint32_t pid;           /* for people (log, status); never sent back */
    uint32_t uid;
    uint32_t all; /* 1: target.all, the processes of one target are in struct wire_members */
    uint32_t zero;
    struct wire_rate rate[WIRE_RATES];
    char name[WIRE_NAME_BYTES];           /* comm or the executable's base name, printable */
    char container[WIRE_CONTAINER_BYTES]; /* the container it runs in, 64 hex digits; "": none */
    char reason[WIRE_TEXT_BYTES]; /* why it is not up, or what is refused and what would grant it */
};

/* One process of a target with target.all, as the guard holds it. */
struct wire_member {
    uint32_t generation; /* from the same count as the first one's; not 0 */
    uint32_t pid;        /* a label of its samples, and how they are told apart; never sent back */
    uint32_t uid;
    uint32_t rights;        /* enum wire_right bits */
    uint32_t mode;          /* enum wire_mode */
    uint32_t apart;         /* 1: a match of its own, no descendant of another member */
    uint64_t start_real_ns; /* since 1970 */
    char name[WIRE_NAME_BYTES];
};

/* Row 0 is the first one, whose news is struct wire_target; all of them run. Zero without all. */
struct wire_members {
    uint32_t count;
    uint32_t missed; /* found beyond WIRE_MEMBERS_MAX */
    struct wire_member row[WIRE_MEMBERS_MAX];
};

/*
 * The calls whose verdict decides what can be profiled, each tried on the target (guard/probe.h).
 * kcmp(2) and pidfd_getfd(2) are not among them: nothing here is made with them.
 */
enum wire_call {
    WIRE_CALL_PERF_USER,   /* perf_event_open(2), user space alone */
    WIRE_CALL_PERF_KERNEL, /* with the kernel's frames */
    WIRE_CALL_MEMORY,      /* process_vm_readv(2) */
    WIRE_CALL_PTRACE,      /* ptrace(2): may it be called, and would it be allowed to attach? */
    WIRE_CALL_PIDFD,       /* pidfd_open(2) */
    WIRE_CALL_MAPS,        /* /proc/T/maps … */
    WIRE_CALL_EXE,
    WIRE_CALL_ROOT,
    WIRE_CALL_ENVIRON,
    WIRE_CALL_FD,
    WIRE_CALL_SYSCALL,
    WIRE_CALLS,
};

/* A verdict is 0 (allowed), a negative errno, or this. */
enum { WIRE_CALL_UNTRIED = 1 };

/* Bits of wire_facts.flags. */
enum wire_fact {
    WIRE_FACT_UNDUMPABLE = 1,    /* the target's files in /proc are root's, and it is not */
    WIRE_FACT_OTHER_USER_NS = 2, /* the target is in another user namespace than the guard */
    WIRE_FACT_TRACED = 4,        /* a debugger has the target */
    WIRE_FACT_FLAGS = 7,
};

/* One of the two: the guard as it was started, or the target. */
struct wire_side {
    uint64_t permitted; /* capabilities, 1 << CAP_x; the guard's: what it has kept */
    uint64_t effective;
    uint64_t bounding;
    uint64_t user_ns; /* inode of /proc/PID/ns/user, 0: not to be seen */
    uint32_t uid[3];  /* real, effective, saved */
    uint32_t gid[3];
    uint32_t no_new_privs;
    uint32_t seccomp;                     /* 0 none, 1 strict, 2 a filter (proc(5)) */
    char label[WIRE_LABEL_BYTES];         /* of AppArmor or SELinux, "": none */
    char container[WIRE_CONTAINER_BYTES]; /* "": none is known */
};

/* TELL_FACTS: what the guard found for this target; before the TELL_STATUS with its generation. */
struct wire_facts {
    uint32_t generation; /* of the target; 0: there is none, the calls were tried on ourselves */
    uint32_t flags;      /* enum wire_fact bits */
    int32_t call[WIRE_CALLS]; /* verdicts */
    int32_t paranoid;         /* /proc/sys/kernel/perf_event_paranoid, -100 when unreadable */
    int32_t yama;             /* /proc/sys/kernel/yama/ptrace_scope, -1: no Yama */
    uint32_t cgroup;          /* version 1 or 2, 0: unknown */
    struct wire_side ours, theirs;
};

struct wire_hello {
    uint32_t version; /* WIRE_MAGIC again */
    uint32_t zero;
};

struct wire_none {
    uint64_t zero;
};

/* ASK_CANCEL, with the id of the question that is meant. */
struct wire_cancel {
    uint32_t finish; /* 1: end now and answer with what there is; 0: nobody wants it any more */
    uint32_t zero;
};

struct wire_gen {
    uint32_t generation; /* the target that is meant; -ESTALE when it is another by now */
    uint32_t zero;
};

struct wire_result {
    int32_t result; /* 0 or -errno */
    uint32_t value; /* see the row */
};

/* ASK_FILE: the file behind the mapping that starts here and has this inode. */
struct wire_file {
    uint32_t generation;
    uint32_t zero;
    uint64_t start;
    uint64_t inode;
};

/*
 * ASK_RATE: set one rate. What it becomes is no field of it: that is the guard's, from its plan,
 * and at the end what the guard itself has read there. -EPERM: not in the plan; -EALREADY: written
 * before; -EACCES: not a word of the program's data; -EAGAIN: what stands there is not ${old}.
 */
struct wire_rate_ask {
    uint32_t generation;
    uint32_t rate;    /* enum wire_rate_kind */
    uint64_t address; /* of the 8 bytes, aligned; 0: there is none, and state says why */
    uint64_t old;     /* what the sampler has read there */
    uint32_t state;   /* address 0: WIRE_RATE_NOT_…; else 0 */
    uint32_t zero;
};

struct wire_range {
    uint64_t address;
    uint32_t bytes;
    uint32_t zero;
};

/*
 * ASK_READ: count ranges follow; their bytes are placed one after the other into the arena, each
 * at a multiple of 8 (range i starts where range i-1's full length, rounded up, ends). ANS_READ:
 * value = count, then count u32: bytes really read of each range.
 */
struct wire_read {
    uint32_t generation;
    uint32_t count;
};

struct wire_perf_open {
    uint32_t generation;
    uint32_t slot;        /* < WIRE_PERF_SLOTS, must be free */
    uint32_t period_ns;   /* nominal */
    uint32_t stack_bytes; /* STACK_USER, multiple of 8, <= 65528 */
    uint32_t kernel;      /* 1: kernel samples wanted where allowed */
    uint32_t wakeups;     /* 1: one wake-up a sample (labels), 0: at a quarter of the ring */
    uint64_t regs;        /* PERF_SAMPLE_REGS_USER mask */
};

enum wire_perf_shape {
    WIRE_PERF_PER_CPU = 1,    /* one ring a CPU, events inherited by new threads */
    WIRE_PERF_PER_THREAD = 2, /* fall-back: one ring a thread, new threads found by listing */
};

/* One event of the session, in the bulk that comes with ANS_PERF_OPEN (and with nothing else). */
struct wire_event {
    uint64_t id; /* PERF_EVENT_IOC_ID: PERF_SAMPLE_ID of its samples, also of inherited ones */
    uint32_t tid;
    uint32_t cpu; /* UINT32_MAX: any */
    uint32_t
        first_period_ns; /* the random first period; the nominal one comes with the first tick */
    uint32_t zero;
};

struct wire_perf_opened {
    int32_t result;          /* 0 or -errno; text says what would help */
    uint32_t shape;          /* enum wire_perf_shape */
    uint32_t kernel;         /* 1: kernel samples are in */
    uint32_t rings;          /* so many descriptors follow in ANS_PERF_RINGS packets */
    uint32_t ring_pages;     /* data pages of each ring, a power of two */
    uint32_t events;         /* rows in the bulk of struct wire_event */
    uint32_t threads;        /* found and covered */
    uint32_t threads_missed; /* found and not covered (limits) */
    char text[WIRE_TEXT_BYTES];
};

struct wire_perf_rings {
    uint32_t slot;
    uint32_t count;                  /* descriptors in this packet */
    uint32_t cpu[WIRE_FDS_MAX];      /* of each; UINT32_MAX: any */
    uint32_t tid[WIRE_FDS_MAX];      /* per-thread shape: whose; else 0 */
    uint64_t event_id[WIRE_FDS_MAX]; /* per-thread shape: id of its only event; else 0 */
};

struct wire_slot {
    uint32_t slot;
    uint32_t value; /* ENABLE: 1 on, 0 off; TICK: number of struct wire_period that follow */
};

struct wire_period {
    uint32_t event; /* index in the session's event table */
    uint32_t period_ns;
};

struct wire_perf_ticked {
    int32_t result; /* -ESRCH: the target is gone */
    uint32_t rings; /* new rings that follow in ANS_PERF_RINGS packets (per-thread shape) */
    uint32_t threads_missed;
    uint32_t zero;
};

struct wire_perf_closed {
    int32_t result;
    uint32_t zero;
    uint64_t lost;       /* PERF_FORMAT_LOST over all events */
    uint64_t counted_ns; /* cpu-clock over all events: CPU time of the threads while enabled */
};

/* ANS_STOPS_OPEN. -EBUSY: such a recording runs already, or somebody else traces the target. */
struct wire_stops_opened {
    int32_t result;   /* 0 or -errno; text says why */
    uint32_t threads; /* found */
    char text[WIRE_TEXT_BYTES];
};

struct wire_stops_ask {
    uint32_t generation;
    uint32_t tick; /* 1: stop the threads that have used CPU; 0: only hand over what has come */
};

enum wire_stop_flag {
    WIRE_STOP_KERNEL = 1, /* it was in a system call */
};

/*
 * One sample; the bytes of its stack stand in the arena at WIRE_STOP_STACK_BYTES times its row.
 * weight_ns is the CPU time that the thread has used since its last one.
 */
struct wire_stop {
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint64_t weight_ns;
    uint64_t pc, sp, fp;
    uint64_t lr; /* AArch64; else 0 */
    uint64_t g;  /* the register that has Go's g: R14, X28 */
    uint32_t tid;
    uint32_t flags; /* enum wire_stop_flag */
    uint32_t stack_bytes;
    uint32_t zero;
};

/* ANS_STOPS. The counts are of the whole session. */
struct wire_stops {
    int32_t result;   /* -ESRCH: the target is gone; -ESTALE: it has called exec */
    uint32_t count;   /* rows that follow */
    uint32_t pending; /* threads that have not stopped yet; they come with a later answer */
    uint32_t threads; /* found */
    uint32_t threads_missed;
    uint32_t zero;
    uint64_t left_out;   /* stops not made, their threads' turn comes later: too many in one tick */
    uint64_t lost;       /* stopped, and could not be read or handed over */
    uint64_t refused;    /* not allowed: somebody else traces the thread */
    uint64_t waiting;    /* taken where a thread waits, since it was never met running */
    uint64_t counted_ns; /* CPU time of the process since the session began */
};

struct wire_waits_ask {
    uint32_t generation;
    uint32_t after; /* tid to go on behind; 0: from the first one */
};

enum wire_wait_state {
    WIRE_WAIT_RUNNING, /* or runnable: no registers */
    WIRE_WAIT_BLOCKED,
    WIRE_WAIT_MOVED, /* it ran on while it was read: to be counted, and no more */
    WIRE_WAIT_STATES,
};

/*
 * One thread; the bytes of its stack stand in the arena at WIRE_WAIT_STACK_BYTES times its row,
 * and the thread was seen in the same place before and after they were read.
 */
struct wire_wait {
    uint64_t pc, sp;
    uint32_t tid;
    uint32_t state; /* enum wire_wait_state */
    uint32_t stack_bytes;
    uint32_t zero;
    char comm[WIRE_COMM_BYTES]; /* NUL-terminated, printable */
};

struct wire_waits {
    int32_t result; /* 0, -ESRCH, -ESTALE, -EACCES or -EPERM: text says what would grant it */
    uint32_t count; /* rows that follow */
    uint32_t after; /* there are more threads behind this one; 0: that is all */
    uint32_t zero;
    char text[WIRE_TEXT_BYTES];
};

struct wire_process {
    uint64_t cpu_ns; /* user + system */
    uint64_t rss_bytes;
    uint32_t pid;
    uint32_t restarts;
};

enum wire_program { WIRE_PROGRAM_GUARD, WIRE_PROGRAM_SAMPLER, WIRE_PROGRAM_FRONT, WIRE_PROGRAMS };

/* TELL_STATUS; with a descriptor: the front's end of a new link to the sampler. */
struct wire_status {
    struct wire_target target;
    struct wire_process process[WIRE_PROGRAMS];
    struct wire_process used;   /* by the target; pid 0: it is not up */
    uint32_t sampler_up;        /* 1: the link to the sampler (the last one sent) is alive */
    uint32_t sampler_signal;    /* signal that ended the last sampler, 0: none or by itself */
    char note[WIRE_TEXT_BYTES]; /* why the sampler is not up */
    struct wire_members members;
};

enum wire_cpu_flag {
    WIRE_CPU_LABELS = 1, /* goroutine labels wanted */
    WIRE_CPU_KERNEL = 2, /* kernel frames wanted where allowed */
    WIRE_CPU_WALL = 4,   /* no CPU profile: where all threads are, waiting ones too */
};

struct wire_cpu {
    uint32_t duration_ms;
    uint32_t hz;
    uint32_t flags; /* enum wire_cpu_flag */
    uint32_t zero;
};

enum wire_ended {
    WIRE_ENDED_TIME,
    WIRE_ENDED_EXIT,
    WIRE_ENDED_EXEC,
    WIRE_ENDED_CANCEL,
    WIRE_ENDED_LIMIT
};

/* How the samples were taken. */
enum wire_source { WIRE_SOURCE_PERF, WIRE_SOURCE_STOPS, WIRE_SOURCE_WAITS, WIRE_SOURCES };

/* ANS_CPU; on success with a bulk: a pprof profile, protobuf, not compressed. */
struct wire_profile {
    int32_t
        result; /* 0 or -errno: -ESRCH no target, -EACCES/-EPERM no right, -EBUSY, -ECANCELED… */
    uint32_t ended; /* enum wire_ended */
    uint64_t samples;
    uint64_t lost;
    uint64_t duration_ns;
    uint32_t mode;   /* enum wire_mode */
    uint32_t source; /* enum wire_source */
    uint32_t hz;     /* really used */
    uint32_t zero;
    char text[WIRE_TEXT_BYTES]; /* the reason of a failure */
};

struct wire_symbol {
    uint32_t count; /* so many u64 addresses follow */
    uint32_t zero;
};

enum wire_runtime_kind {
    WIRE_RUNTIME_GOROUTINE,
    WIRE_RUNTIME_HEAP,
    WIRE_RUNTIME_ALLOCS,
    WIRE_RUNTIME_BLOCK,
    WIRE_RUNTIME_MUTEX,
    WIRE_RUNTIME_THREADCREATE,
    WIRE_RUNTIME_KINDS,
};

enum wire_runtime_form {
    WIRE_RUNTIME_PPROF,   /* protobuf, not compressed */
    WIRE_RUNTIME_TEXT,    /* debug=1 */
    WIRE_RUNTIME_STACKS,  /* debug=2; goroutine only; a rope (rope.h) */
    WIRE_RUNTIME_JSON,    /* goroutine only: for `pillion dump` */
    WIRE_RUNTIME_GROUPED, /* the same for people */
    WIRE_RUNTIME_FORMS,
};

enum wire_runtime_flag {
    WIRE_RUNTIME_DETAIL = 1, /* goroutine: goid, state, waited and created-by as labels */
    /* goroutine: `state` and `created_by` as labels and nothing that is one goroutine's own, so
     * that equal ones are one sample: what the leak watch counts */
    WIRE_RUNTIME_GROUPS = 2,
};

/* ASK_RUNTIME: what the target's own runtime knows, read from outside. */
struct wire_runtime {
    uint32_t kind;  /* enum wire_runtime_kind */
    uint32_t form;  /* enum wire_runtime_form */
    uint32_t flags; /* enum wire_runtime_flag */
    uint32_t zero;
};

/* ANS_RUNTIME; on success with a bulk in the form asked for. */
struct wire_runtime_read {
    int32_t result; /* 0 or -errno: -ENOTSUP (text says why and what to do), -ESRCH, -EPERM … */
    uint32_t mode;  /* enum wire_mode */
    uint64_t count; /* goroutines, buckets, threads in it */
    uint64_t running, torn, unreadable, truncated; /* goroutines: what is missing of them */
    uint64_t sampled;     /* running ones with the stack of a CPU sample, not counted in running */
    uint64_t time_ns;     /* CLOCK_REALTIME when it was read */
    uint64_t duration_ns; /* that reading took */
    /* On success: which program it is of. What is compared must have the same number; it changes
     * with a restart of the target and with an exec. */
    uint64_t program;
    char text[WIRE_TEXT_BYTES];
};

enum {
    WIRE_STATS_MAX = 48, /* bits of wire_stats.has */
};

/* ANS_STATS: the runtime's counters, in the order of GO_STATS (sampler/go/stats.h). */
struct wire_stats {
    int32_t result; /* 0 or -errno */
    uint32_t count; /* values that this sampler knows */
    uint64_t has;   /* bit per value: found in this version */
    uint64_t value[WIRE_STATS_MAX];
    char text[WIRE_TEXT_BYTES];
};

/* ANS_SYMBOL: a bulk of "0xaddr name\n" lines, unknown ones left out. ANS_ARGV: argv, each with
 * NUL. */
struct wire_said {
    int32_t result;
    uint32_t zero;
    char text[WIRE_TEXT_BYTES];
};

struct wire_about {
    int32_t result;
    uint32_t generation;
    char language[WIRE_NAME_BYTES]; /* "go", "native", "" while unknown */
    char version[WIRE_NAME_BYTES];  /* "go1.26.8", "" when none */
    char build_id[WIRE_NAME_BYTES]; /* GNU build id of the executable, hex, cut */
    char note[WIRE_TEXT_BYTES];     /* what is not known of it and why */
};

#endif
