/*
 * relief.h: a target can make a read of it wait for ever: userfaultfd(2) and files of a FUSE daemon
 * of its own under its memory, its command line or its mapped files. No signal ends such a wait
 * but one that ends the whole process, and a guard that hangs watches over nothing.
 *
 * So a second thread stands by. It does nothing as long as the first one comes back from each
 * marked call within RELIEF_MS; if it does not, the second takes over the whole work for good, and
 * a third stands by. The one that waits, waits; should it ever come back, it stops there. At each
 * moment exactly one thread works, so nothing in the guard needs a lock.
 */
#ifndef GUARD_RELIEF_H
#define GUARD_RELIEF_H

enum {
    RELIEF_TICK_MS = 500,
    RELIEF_MS = 2000,
    RELIEF_TIMES_MAX = 16, /* each costs a thread; then the guard ends, and says why */
};

/**
 * relief_arm(take_over, ctx): stand by. ${take_over} is called in the relieving thread and does not
 * return. Threads inherit what their creator has given up, so: after the sandbox. 0 or -errno.
 */
int relief_arm(void (*take_over)(void *ctx), void *ctx);

/** relief_begin(): what follows may wait for the target. Not nested. */
void relief_begin(void);

/** relief_end(): it came back; does not return to a thread that was relieved meanwhile. */
void relief_end(void);

#endif
