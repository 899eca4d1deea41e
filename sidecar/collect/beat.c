#include "sidecar/collect/beat.h"

#include "base/clock.h"

/* FNV-1a, 64 bit (draft-eastlake-fnv): a spread, no secret, and the same in every build. */
static uint64_t spread(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++) {
        hash ^= (unsigned char)*name;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash ^ (hash >> 32);
}

uint64_t beat_phase_ms(const char *name, uint64_t every_ms)
{
    return every_ms ? spread(name) % every_ms : 0;
}

uint64_t beat_wait_ms(uint64_t now_real_ns, uint64_t every_ms, uint64_t phase_ms)
{
    uint64_t now_ms = now_real_ns / CLOCK_NS_PER_MS;
    uint64_t since;

    if (every_ms == 0)
        return 1;
    /* now - phase, modulo; the phase is below every_ms, so nothing wraps */
    since = (now_ms % every_ms + every_ms - phase_ms % every_ms) % every_ms;
    return every_ms - since;
}
