/*
 * banner.h: the ready-made command for a person, on standard output and never in the log: a token
 * that was made for this start has to be told once, and nowhere else.
 */
#ifndef SIDECAR_BANNER_H
#define SIDECAR_BANNER_H

#include "config/config.h"

/**
 * banner_print(c, admin, token): one plain line to standard output when ${token} was made for this
 * start, or (with the word TOKEN in its place) when a person looks at a terminal. ${admin}: the
 * real addresses, separated by commas.
 */
void banner_print(const struct config *c, const char *admin, const char *token);

/** banner_text(out, c, admin, token): that line, without a newline. */
void banner_text(struct buf *out, const struct config *c, const char *admin, const char *token);

#endif
