/*
 * find.h: which process is meant? One rule per selector of the plan; nothing is guessed: when
 * several match, none is chosen and all are listed.
 *
 * Never chosen: ourselves, our children, our ancestors (their command line often holds the
 * selector's text), kernel threads, zombies. `auto` also leaves out init programs and, where there
 * are other control groups (a Pod), everything in our own; of a family it takes the eldest.
 *
 * With target.all there is no ambiguity: all that match and their descendants are meant (kin.h),
 * and the eldest of them is the one that is found.
 */
#ifndef GUARD_FIND_H
#define GUARD_FIND_H

#include "guard/kin.h"
#include "wire/plan.h"

enum {
    FIND_SHOWN_MAX = 10,
    FIND_LINE_BYTES = 160,
    FIND_OURS_MAX = 8,
    FIND_PROCESSES_MAX = 65536,
    FIND_SKIP_MAX = 16,
};

/* Processes that let us wait without end when they were looked at (relief.h): left out. */
struct find_skip {
    uint32_t count;
    struct {
        pid_t pid;
        uint64_t start_ticks;
    } row[FIND_SKIP_MAX];
};

struct find {
    pid_t at;             /* looked at just now, 0: nobody */
    uint32_t matches;     /* all of them */
    pid_t pid;            /* when matches == 1 */
    uint64_t start_ticks; /* of that one: another process with its number does not match */
    char shown[FIND_SHOWN_MAX][FIND_LINE_BYTES]; /* "pid 12  uid 0  server  /app/server --x" */
    /* target.all: who is meant, eldest first; ${pid} is row 0, of more than fit the youngest miss
     */
    uint32_t kin, kin_missed;
    struct kin_row kin_row[WIRE_MEMBERS_MAX];
    const char *hint; /* why nothing may have been found; constant, "" for none */
};

/** find_target(plan, skip, ours, count, ret): 0, or -errno when /proc cannot be read at all. */
int find_target(const struct plan *plan, const struct find_skip *skip, const pid_t *ours,
                size_t count, struct find *ret);

/** find_relieve(f, skip): leave out who is looked at now; false: nobody is, or there are too many.
 */
bool find_relieve(const struct find *f, struct find_skip *skip);

#endif
