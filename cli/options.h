/*
 * options.h: the command line as the verbs with a guard of their own read it: an option with its
 * value, and the TARGET, in one spelling for all of them.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>

#include "base/err.h"

enum {
    OPTIONS_TARGET_ARGS = 2, /* --pid N */
    OPTIONS_ALL_ARGS = 1,    /* --all */
    OPTIONS_PTRACE_ARGS = 1, /* --ptrace */
    OPTIONS_ARGS = OPTIONS_TARGET_ARGS + OPTIONS_ALL_ARGS + OPTIONS_PTRACE_ARGS,
};

/* The TARGET options as they came, NULL at the end; all zero: none was named. */
struct options_target {
    char *args[OPTIONS_ARGS + 1];
    bool named;
    bool ptrace; /* --ptrace is among them */
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

/** options_all(t, argv, i): is argv[i] --all, which stands beside a TARGET or alone? 1 (taken), 0.
 */
int options_all(struct options_target *t, char **argv, int i);

/**
 * options_ptrace(t, arg): is it --ptrace? Then it goes with the target to the guard; a second one
 * changes nothing. 1 or 0.
 */
int options_ptrace(struct options_target *t, char *arg);

#endif
