/*
 * options.h: the command line as the verbs with a guard of their own read it: an option with its
 * value, and the TARGET, in one spelling for all of them.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/err.h"

enum {
    OPTIONS_TARGET_ARGS = 2, /* --pid N */
};

/* The TARGET option as it came, NULL at the end; all zero: none was named. */
struct options_target {
    char *args[OPTIONS_TARGET_ARGS + 1];
};

/**
 * options_value(argc, argv, i, name, ret_value): is argv[i] the option ${name} with its value (in
 * the next argument, or behind a '=' when the name is a long one)? The arguments it used, 0 when it
 * is another, -EINVAL with the value missing.
 */
int options_value(int argc, char **argv, int i, const char *name, const char **ret_value);

/**
 * options_target(t, argc, argv, i, e): argv[i], which is no option of the verb's own, has to name
 * the target. The arguments it used, or -EINVAL (a bad one, unknown, a second one) with ${argv}[0]
 * as the verb in the text.
 */
int options_target(struct options_target *t, int argc, char **argv, int i, struct err *e);

#endif
