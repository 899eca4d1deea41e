/*
 * progress.h: one line on a terminal's standard error that is drawn over itself; nothing at all
 * when standard error is no terminal.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown; /* standard error is a terminal */
    uint64_t total_ms;
    const char *what; /* "recording server (pid 12)" */
};

/** progress_begin(p, what, total_ms): ${what} is printable and outlives ${p}. */
void progress_begin(struct progress *p, const char *what, uint64_t total_ms);

/** progress_tick(p, elapsed_ms): draw it; ${p} is a struct progress (guarded.h calls it). */
void progress_tick(void *p, uint64_t elapsed_ms);

/** progress_end(p): wipe the line; repeatable. */
void progress_end(const struct progress *p);

#endif
