/*
 * plan.h: what `pillion plan` (short-lived, unprivileged, reads the YAML) hands to the guard: one
 * fixed-size struct through a pipe, checked field by field before anything from the network or the
 * target was read. The guard learns nothing else of the configuration.
 */
#ifndef WIRE_PLAN_H
#define WIRE_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

enum {
    PLAN_TEXT_BYTES = 512,
    PLAN_MAGIC = 0x504c414e,
    PLAN_FD = 3, /* `pillion plan` writes the struct here, and nothing else anywhere */
    PLAN_CMDLINE_MAX_BYTES = 256, /* pattern of PLAN_SELECT_CMDLINE */
    PLAN_CONTAINER_MAX_BYTES = 64,
    PLAN_PID_MAX = 4194304,    /* PID_MAX_LIMIT, include/linux/threads.h */
    PLAN_DRAIN_MAX_MS = 62000, /* what the configuration may ask for, and a grace */
    PLAN_RATE_MAX = INT32_MAX, /* of target.unsafe: fits Go's int everywhere */
};

enum plan_select {
    PLAN_SELECT_AUTO,      /* the only other application in this PID namespace */
    PLAN_SELECT_PID,       /* number */
    PLAN_SELECT_PROCESS,   /* text: comm, or base name of the executable or of argv[0] */
    PLAN_SELECT_PORT,      /* number: listens on this TCP port */
    PLAN_SELECT_CMDLINE,   /* text: POSIX extended regular expression over argv joined by spaces */
    PLAN_SELECT_CONTAINER, /* text: container id prefix, hex */
    PLAN_SELECT_ENV,       /* text: NAME=VALUE */
    PLAN_SELECT_END,
};

struct plan {
    uint32_t magic;
    uint32_t bytes;          /* sizeof(struct plan) */
    uint32_t select;         /* enum plan_select */
    uint32_t log_level;      /* enum log_level */
    uint32_t log_format;     /* enum log_format */
    uint32_t hz_max;         /* limits.hz */
    uint32_t drain_ms;       /* how long children get after SIGTERM */
    uint32_t front_uid_drop; /* 1: nothing the sidecar re-reads needs our uid: run it as nobody */
    uint32_t rates;          /* target.unsafe: 1 << enum wire_rate_kind for those to be set */
    uint32_t all;            /* 1: target.all, every match and all their descendants */
    uint32_t stops;          /* 1: target.unsafe.ptrace_sampling */
    uint32_t zero;
    uint64_t rate[WIRE_RATES]; /* to what, in the units of Go's functions; 0 where it is not */
    uint64_t number;
    char text[PLAN_TEXT_BYTES]; /* NUL-terminated, rest zero */
};

/** plan_check(p, bytes, ret_why): 0, or -EPROTO with a constant reason. */
int plan_check(const struct plan *p, size_t bytes, const char **ret_why);

#endif
