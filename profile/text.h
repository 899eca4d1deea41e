/*
 * text.h: a profile as text: folded stacks, speedscope's JSON, a table of the heaviest functions.
 */
#ifndef PROFILE_TEXT_H
#define PROFILE_TEXT_H

#include "profile/profile.h"

/** text_folded(p, type, out): "root;caller;leaf VALUE\n" for each stack, sorted by stack. */
int text_folded(const struct profile *p, size_t type, struct buf *out);

/** text_speedscope(p, type, name, out): https://www.speedscope.app/file-format-schema.json, "sampled". */
int text_speedscope(const struct profile *p, size_t type, const char *name, struct buf *out);

/** text_top(p, type, rows, out): flat and cumulative values, as `go tool pprof -top` shows them. */
int text_top(const struct profile *p, size_t type, size_t rows, struct buf *out);

#endif
