/*
 * work.h: four leaf functions whose CPU shares are known, for the C targets here.
 *
 * Each leaf is alone in a section of its own, so that a test can tell from an address which leaf it
 * is without a symbol table (the linker defines __start_NAME and __stop_NAME). What each leaf
 * really used is measured by the thread's CPU clock around each call.
 */
#ifndef TESTS_TARGETS_WORK_H
#define TESTS_TARGETS_WORK_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum {
    WORK_LEAVES = 4,
};

#define WORK_LEAF(n)                                                                       \
    extern const char __start_code_leaf_##n[], __stop_code_leaf_##n[];                     \
    __attribute__((noinline, noclone, section("code_leaf_" #n))) static uint64_t leaf_##n( \
        uint64_t x, uint64_t n_)                                                           \
    {                                                                                      \
        for (uint64_t i = 0; i < n_; i++) {                                                \
            x = x * UINT64_C(6364136223846793005) + n;                                     \
            __asm__ volatile("" : "+r"(x));                                                \
        }                                                                                  \
        return x;                                                                          \
    }

WORK_LEAF(1)
WORK_LEAF(2)
WORK_LEAF(3)
WORK_LEAF(4)

/* of one thread */
struct work {
    uint64_t x;
    uint64_t ns[WORK_LEAVES];
    uint64_t rounds;
};

static const uint64_t work_parts[WORK_LEAVES] = {50, 25, 15, 10};

static inline uint64_t work_cpu_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noinline)) static void work_call(struct work *w, int leaf, uint64_t turns)
{
    uint64_t from = work_cpu_ns();

    switch (leaf) {
    case 0:
        w->x = leaf_1(w->x, turns);
        break;
    case 1:
        w->x = leaf_2(w->x, turns);
        break;
    case 2:
        w->x = leaf_3(w->x, turns);
        break;
    default:
        w->x = leaf_4(w->x, turns);
    }
    w->ns[leaf] += work_cpu_ns() - from;
}

/* One round: every leaf once, ${turns} turns for each of its parts. */
static inline void work_round(struct work *w, uint64_t turns)
{
    for (int leaf = 0; leaf < WORK_LEAVES; leaf++)
        work_call(w, leaf, work_parts[leaf] * turns);
    w->rounds++;
}

/* Turns a part, so that a round takes about this long. */
static inline uint64_t work_calibrate(uint64_t round_ns)
{
    struct work w = {.x = 1};
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < 20; i++) {
        uint64_t from = work_cpu_ns();

        work_round(&w, 500);
        if (work_cpu_ns() - from < best)
            best = work_cpu_ns() - from;
    }
    return best ? 500 * round_ns / best + 1 : 1;
}

/* First line: where the leaves are, and that the work begins. */
static inline void work_say_where(void)
{
    printf("{\"leaf_1\":\"%lx-%lx\",\"leaf_2\":\"%lx-%lx\",\"leaf_3\":\"%lx-%lx\","
           "\"leaf_4\":\"%lx-%lx\"}\n",
           (unsigned long)__start_code_leaf_1, (unsigned long)__stop_code_leaf_1,
           (unsigned long)__start_code_leaf_2, (unsigned long)__stop_code_leaf_2,
           (unsigned long)__start_code_leaf_3, (unsigned long)__stop_code_leaf_3,
           (unsigned long)__start_code_leaf_4, (unsigned long)__stop_code_leaf_4);
    (void)fflush(stdout);
}

/* Last line: the truth. */
static inline void work_say_truth(const struct work *w, int threads)
{
    uint64_t ns[WORK_LEAVES] = {0}, all = 0, rounds = 0;
    struct timespec t;

    for (int i = 0; i < threads; i++) {
        rounds += w[i].rounds;
        for (int k = 0; k < WORK_LEAVES; k++) {
            ns[k] += w[i].ns[k];
            all += w[i].ns[k];
        }
    }
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    printf("{\"work\":%lu,\"cpu\":%.6f,\"leaf_1\":%.6f,\"leaf_2\":%.6f,\"leaf_3\":%.6f,"
           "\"leaf_4\":%.6f}\n",
           (unsigned long)rounds, (double)t.tv_sec + (double)t.tv_nsec / 1e9,
           all ? (double)ns[0] / (double)all : 0, all ? (double)ns[1] / (double)all : 0,
           all ? (double)ns[2] / (double)all : 0, all ? (double)ns[3] / (double)all : 0);
    (void)fflush(stdout);
}

#endif
