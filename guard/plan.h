/*
 * plan.h: run `pillion plan` (short-lived, unprivileged) and take its one struct from the pipe.
 */
#ifndef GUARD_PLAN_H
#define GUARD_PLAN_H

#include "base/err.h"
#include "wire/plan.h"

enum {
    GUARD_PLAN_TIMEOUT_MS = 10000,
};

/**
 * guard_plan(args, ret, ret_exit, e): ${args}: the user's, NULL-terminated. 0; on failure *ret_exit
 * is the exit code to end with (pillion plan has said why itself when e is empty).
 */
int guard_plan(const char *const *args, struct plan *ret, int *ret_exit, struct err *e);

#endif
