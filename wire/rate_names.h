/*
 * rate_names.h: the rates that may be written into a target, by the keys that ask for it, and how
 * it went, in words: one table for the guard that logs it, the sampler that explains what cannot be
 * had, and the sidecar that shows it. The order is that of enum wire_rate_kind and wire_rate_state.
 *
 * X(kind, key below target.unsafe, variable of the Go runtime): the key is the configuration's
 * own, so that a refusal can be acted on; X(state, name, words): the name is what
 * /api/v1/status has for programs, the words are for people and follow a key and a colon.
 */
#ifndef WIRE_RATE_NAMES_H
#define WIRE_RATE_NAMES_H

#define WIRE_RATE_UNSAFE "target.unsafe."

#define WIRE_RATE_KEYS(X)                                                \
    X(HEAP, "set_heap_profile_rate", "runtime.MemProfileRate")           \
    X(BLOCK, "set_block_profile_rate", "the block profile rate (ticks)") \
    X(MUTEX, "set_mutex_profile_fraction", "the mutex profile fraction")

#define WIRE_RATE_WORDS(X)                                                                       \
    X(OFF, "off", "not in the configuration: nothing is written")                                \
    X(WANTED, "wanted", "not written yet")                                                       \
    X(SET, "set", "written")                                                                     \
    X(ALREADY, "already", "the program has that rate itself")                                    \
    X(REFUSED, "refused", "not written: its place may not be written to")                        \
    X(CHANGED, "changed", "somebody else has changed it since: left as it is")                   \
    X(NOT_GO, "not_go", "not written: the target is not a Go program that we can read")          \
    X(NOT_FOUND, "not_found", "not written: its place in the program was not found for certain") \
    X(NOT_CERTAIN, "not_certain", "not written: this Go version is not known for certain")

#endif
