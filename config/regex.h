/*
 * regex.h: is this a regular expression (regex(7), extended) that is cheap enough to compile, and
 * to match with texts that somebody else chose? For patterns of the target's command line (the
 * guard compiles those) and for redactions.
 */
#ifndef CONFIG_REGEX_H
#define CONFIG_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
    CONFIG_REGEX_REPEATS_MAX = 256, /* product of all {n,m} of one: glibc copies the subtree */
};

/**
 * config_regex_check(text, max_bytes, e): 0 for an expression of at most ${max_bytes} without
 * back-references and with few repetitions, that regcomp(3) takes; else -EINVAL with the reason.
 */
int config_regex_check(const char *text, size_t max_bytes, struct err *e);

/** config_regex_matches_nothing(text): does it match the empty text? Of a checked one. */
bool config_regex_matches_nothing(const char *text);

#endif
