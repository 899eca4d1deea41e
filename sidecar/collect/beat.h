/*
 * beat.h: when is the next beat of a schedule? Without a clock of its own.
 *
 * Beats lie at phase + k × every in real time, so that a restart does not shift them; the phase
 * comes from a name (the Pod's), so that a fleet does not sample in step.
 */
#ifndef SIDECAR_COLLECT_BEAT_H
#define SIDECAR_COLLECT_BEAT_H

#include <stdint.h>

/** beat_phase_ms(name, every_ms): somewhere in [0, every_ms), the same for the same name. */
uint64_t beat_phase_ms(const char *name, uint64_t every_ms);

/**
 * beat_wait_ms(now_real_ns, every_ms, phase_ms): until the next beat: 1 to ${every_ms}, whatever
 * the clock says (one that is stepped may shorten or repeat one interval, never more).
 */
uint64_t beat_wait_ms(uint64_t now_real_ns, uint64_t every_ms, uint64_t phase_ms);

#endif
