/*
 * history_priv.h: the inside of a history, for history*.c alone. Questions and prunings are jobs of
 * a queue of its own: a merge of a day holds up no write of the spool.
 */
#ifndef SIDECAR_STORE_HISTORY_PRIV_H
#define SIDECAR_STORE_HISTORY_PRIV_H

#include <stdatomic.h>

#include "sidecar/store/disk.h"
#include "sidecar/store/format.h"
#include "sidecar/store/history.h"
#include "sidecar/store/jobs.h"
#include "sidecar/store/tiers.h"

enum {
    HISTORY_MAGIC = 0x48495354,
    HISTORY_QUESTIONS_MAX = 8, /* open at once */
};

struct rows { /* sorted by key_compare() */
    struct tiers_row *row;
    size_t count, cap;
};

struct question;

struct history {
    unsigned magic;
    struct store *store;
    struct jobs *jobs;
    struct format *format; /* the jobs' */
    uv_timer_t *timer;     /* closes by itself */
    char dir[CONFIG_PATH_BYTES];
    struct tiers_rules rules;
    int64_t opened_real_ns;
    uint64_t opened_mono_ns;
    struct key_types types; /* grows only: a job may print keys by it */
    struct rows rows, late; /* late: came while the folder was looked at */
    bool pruning;
    int trouble; /* -errno of the last look */
    uint64_t bytes, pruned;
    struct question *questions;
    size_t asked;
    atomic_bool stopping; /* a merge ends early */
};

#endif
