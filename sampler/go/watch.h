/*
 * watch.h: who watches the program's threads. A goroutine that runs has its stack in registers, so
 * that reading memory cannot tell where it is; a sampler of the thread can, a moment late.
 */
#ifndef SAMPLER_GO_WATCH_H
#define SAMPLER_GO_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct gview;

enum {
    GO_WHERE_DEPTH_MAX = 512, /* GOROUTINES_DEPTH_MAX */
};

/* A stack as in struct goroutine (goroutines.h). */
struct go_where {
    uint32_t depth;
    bool truncated;
    uint64_t age_ns; /* since it was true */
    uint64_t pcs[GO_WHERE_DEPTH_MAX];
    uint8_t exact[GO_WHERE_DEPTH_MAX];
};

struct go_watch {
    /* Where the goroutine of ${v}, on thread ${tid} now, was last seen; false: not known, or not
     * surely this goroutine. */
    bool (*where)(void *ctx, uint32_t tid, const struct gview *v, struct go_where *ret);
    void *ctx;
};

#endif
