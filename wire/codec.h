/*
 * codec.h: the pure half of the wire: is this packet one of ours, complete and in its turn? No
 * system call, no allocation; what tests/fuzz/fuzz_wire.c feeds.
 */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/wire.h"

struct wire_row {
    const char *name;
    uint16_t type;
    uint8_t from, to; /* enum wire_role */
    uint32_t min_bytes, max_bytes;
    uint16_t max_fds;
    uint8_t when;  /* enum wire_state bits */
    uint8_t times; /* enum wire_times */
};

/* What one end of a link knows: who it is, who the peer is, its state, what came already. */
struct wire_turn {
    enum wire_role self, peer;
    unsigned state; /* enum wire_state bits */
    uint64_t seen;  /* bit per type, for rows that may come once */
};

/** codec_row(type): the row of the table, NULL when there is none. */
const struct wire_row *codec_row(unsigned type);

/** codec_fds_max(turn): how many descriptors the peer may send with any packet; mostly none. */
size_t codec_fds_max(const struct wire_turn *turn);

/**
 * codec_check(turn, packet, bytes, fds, ret_head, ret_why): is this packet right for us now?
 * 0, or -EPROTO with the reason in *ret_why (a constant string). Notes what may come once.
 */
int codec_check(struct wire_turn *turn, const void *packet, size_t bytes, size_t fds,
                struct wire_head *ret_head, const char **ret_why);

/**
 * codec_text_ok(text, bytes): a NUL within, and only printable ASCII before it. For the char
 * arrays in bodies that came from another program.
 */
bool codec_text_ok(const char *text, size_t bytes);

/** codec_rates_ok(rates): states that there are. */
bool codec_rates_ok(const struct wire_rate rates[static WIRE_RATES]);

/** codec_members_ok(m): so many as there are, each with a generation, a clean name and a mode. */
bool codec_members_ok(const struct wire_members *m);

/** codec_mode_name(mode): "full" …, "none" also for what is none of enum wire_mode. */
const char *codec_mode_name(unsigned mode);

/** codec_text(dst, bytes, src): copy for sending: cut, cleaned, rest zeroed. */
void codec_text(char *dst, size_t bytes, const char *src);

#endif
