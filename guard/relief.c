#include "guard/relief.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "base/log.h"

/* Of the process and not of an object: there is one work to do, and threads share nothing else. */
static struct {
    _Atomic uint64_t turn; /* odd: within a marked call; who counts it on owns the work */
    void (*take_over)(void *ctx);
    void *ctx;
    unsigned times;
} relief;

static _Thread_local uint64_t our_turn;

void relief_begin(void)
{
    our_turn = atomic_fetch_add(&relief.turn, 1) + 1;
}

void relief_end(void)
{
    uint64_t turn = our_turn;

    if (atomic_compare_exchange_strong(&relief.turn, &turn, turn + 1))
        return;
    for (;;) /* our children were told to die with the thread that made them: it must not end */
        (void)pause();
}

/* Ticks and not a clock: when the whole machine stood still, we did too. */
static void *stand_by(void *unused)
{
    uint64_t last = 0;
    int ticks = 0;

    (void)unused;
    for (;;) {
        uint64_t turn;

        (void)poll(NULL, 0, RELIEF_TICK_MS);
        turn = atomic_load(&relief.turn);
        ticks = turn == last ? ticks + 1 : 0;
        last = turn;
        if (turn % 2 == 0 || ticks < RELIEF_MS / RELIEF_TICK_MS)
            continue;
        if (atomic_compare_exchange_strong(&relief.turn, &turn, turn + 1))
            break;
    }
    if (++relief.times > RELIEF_TIMES_MAX || relief_arm(relief.take_over, relief.ctx) != 0) {
        log_error("reading other processes blocks again and again: giving up",
                  LOG_U64("times", relief.times));
        _exit(1);
    }
    relief.take_over(relief.ctx);
    _exit(1);
}

int relief_arm(void (*take_over)(void *ctx), void *ctx)
{
    pthread_t thread;
    int r;

    relief.take_over = take_over;
    relief.ctx = ctx;
    r = pthread_create(&thread, NULL, stand_by, NULL);
    if (r == 0)
        (void)pthread_detach(thread);
    return -r;
}
