/*
 * gstack.h: a goroutine's stack, from the bytes of its memory to return addresses, by the pcsp
 * tables; the rules are those of runtime/traceback.go ((*unwinder).next) of Go 1.18 to 1.26.
 *
 * The bytes may come in pieces: gstack_walk() goes on where it stood. Each step is checked: inside
 * the stack, in Go's code, upwards; and where a call is a direct one, that it calls the function
 * above it (callsite.h), so that a stack of two moments is not taken for one.
 */
#ifndef SAMPLER_GO_GSTACK_H
#define SAMPLER_GO_GSTACK_H

#include "sampler/go/callsite.h"
#include "sampler/go/goroutines.h"
#include "sampler/go/gview.h"

enum gstack_end {
    GSTACK_TOP,        /* complete */
    GSTACK_MORE,       /* the return address at ->need has not been given */
    GSTACK_CUT,        /* GOROUTINES_DEPTH_MAX, or where not even Go's own traceback goes on */
    GSTACK_IMPOSSIBLE, /* not a stack: outside, no code, or a call that calls something else */
};

/* Functions that the walk must know; [entry, end). Those that a program lacks are empty. */
struct gstack_range {
    uint64_t entry, end;
};

enum gstack_known {
    GSTACK_ASYNC_PREEMPT, /* these three are entered at any pc, not called */
    GSTACK_SIGPANIC,
    GSTACK_DEBUG_CALL,
    GSTACK_CGOCALLBACK, /* writes SP, but keeps its frame in order */
    GSTACK_CGOCALL,
    GSTACK_KNOWN,
};

struct gstack_rules {
    struct go_image *image;
    struct callsites *calls;
    struct gstack_range known[GSTACK_KNOWN];
};

struct gstack {
    uint64_t pc, sp; /* the frame at hand */
    uint64_t lo, hi;
    uint64_t need; /* GSTACK_MORE: address of the next word wanted */
    bool in_syscall, in_cgo, never_ran;
    bool trapped; /* the frame at hand was interrupted at its pc, it called nobody */
    bool pending; /* the frame at hand is in pcs already, its caller is not */
    uint32_t depth;
    uint64_t pcs[GOROUTINES_DEPTH_MAX];
    uint8_t exact[GOROUTINES_DEPTH_MAX];
};

/** gstack_rules_init(r, image, calls): look the known functions up. Both must outlive it. */
void gstack_rules_init(struct gstack_rules *r, struct go_image *image, struct callsites *calls);

/** gstack_begin(s, v): at where the goroutine stands. */
void gstack_begin(struct gstack *s, const struct gview *v);

/** gstack_walk(s, r, bytes, address, count): ${bytes} is the memory at [address, + count). */
enum gstack_end gstack_walk(struct gstack *s, struct gstack_rules *r, const uint8_t *bytes,
                            uint64_t address, size_t count);

#endif
