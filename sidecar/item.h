/*
 * item.h: one profile that was taken, with what is known of it: what spool, history and every
 * backend get. Its bytes are pprof, not compressed, after the label policy, with Go-native names.
 *
 * Cumulative values (alloc_*, contentions, delay) are the growth since the last one of the same
 * kind (DELTA_GROWTH, sidecar/delta.h), so that each item stands for itself: a lost or repeated one
 * spoils no other, and no backend needs a memory of its own.
 */
#ifndef SIDECAR_ITEM_H
#define SIDECAR_ITEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

enum {
    ITEM_ID_BYTES = 33, /* 32 lower-case hex digits and a NUL: 128 random bits, also a UUID */
    ITEM_TYPE_BYTES =
        64, /* [a-z0-9_]: cpu heap allocs goroutine block mutex threadcreate, others */
    ITEM_TEXT_BYTES = 256,
    ITEM_RAW_MAX_BYTES = 64 * 1024 * 1024,
    ITEM_META_MAX_BYTES = 4096, /* as JSON */
};

struct item {
    char id[ITEM_ID_BYTES]; /* the same for every backend and every try */
    char type[ITEM_TYPE_BYTES];
    int64_t time_ns;     /* real time; where the window begins */
    int64_t duration_ns; /* 0: a snapshot */
    uint64_t seq;        /* 0, 1, 2 … of this type since the target began */
    /* of the target, not of ours; "" what is not known */
    char target[ITEM_TEXT_BYTES];    /* its name */
    char runtime_id[ITEM_ID_BYTES];  /* random, one for each life of a target */
    char container[ITEM_TEXT_BYTES]; /* 64 hex digits */
    char language[ITEM_TYPE_BYTES];  /* "go", "native" */
    char version[ITEM_TEXT_BYTES];   /* of the program: its build info's, or the label */
    char go_version[ITEM_TYPE_BYTES];
    uint64_t pid;
    char source[ITEM_TYPE_BYTES]; /* "sampler" or "scrape" */
};

/** item_new_id(ret): random. 0 or -errno of getrandom(2). */
int item_new_id(char ret[static ITEM_ID_BYTES]);

/** item_print(i, out): as one JSON object. */
void item_print(const struct item *i, struct buf *out);

/** item_parse(text, bytes, ret, e): the opposite, for a file that may be anything: -EBADMSG. */
int item_parse(const char *text, size_t bytes, struct item *ret, struct err *e);

#endif
