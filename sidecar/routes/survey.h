/*
 * survey.h: what can be read from the target's runtime now, and how much of it: each kind that a
 * caller may see is read once, unless that was done a moment ago, so that the index can show counts
 * and reasons as they are. The answers stand in readings_last() afterwards.
 */
#ifndef SIDECAR_ROUTES_SURVEY_H
#define SIDECAR_ROUTES_SURVEY_H

#include "sidecar/routes/visit.h"

enum {
    SURVEY_FRESH_MS = 10000, /* what is younger is not read again */
    SURVEY_WAIT_MS = 1000,   /* then with what there is */
};

/**
 * survey_begin(v, then): true: ${then} is called when all is known, or time is over; not when the
 * client leaves before that. false: there is nothing to wait for, go on.
 */
bool survey_begin(struct visit *v, void (*then)(struct visit *v));

#endif
