/*
 * pattern.h: is this a regular expression that the guard may match command lines with? The guard
 * holds privileges and compiles what it is given, so what is dear to compile or to match is
 * refused before it gets there.
 */
#ifndef CLI_PATTERN_H
#define CLI_PATTERN_H

#include "base/err.h"
#include "config/config.h"

/**
 * pattern_check(text, e): 0 for a POSIX extended regular expression (regex(7)) of at most
 * PLAN_CMDLINE_MAX_BYTES without back-references; else -EINVAL with the reason.
 */
int pattern_check(const char *text, struct err *e);

/**
 * pattern_check_config(c, argc, argv, e): the same for the target of a configuration, if that is a
 * pattern; names the file it is from, unless the command line gave it. 0 or -EINVAL.
 */
int pattern_check_config(const struct config *c, int argc, char *const *argv, struct err *e);

#endif
