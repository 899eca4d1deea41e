/*
 * history.h (routes): the kept profiles: `/api/v1/profiles` (a listing), `/api/v1/profiles/ID`
 * (one, as the other profiles are served), `/api/v1/profiles/merge` (the sum of a range).
 *
 * Parameters: type, from, to (RFC 3339, seconds since 1970, or -1h: so long ago; to is exclusive),
 * limit (rows of a listing, the newest first).
 */
#ifndef SIDECAR_ROUTES_HISTORY_H
#define SIDECAR_ROUTES_HISTORY_H

#include "sidecar/routes/visit.h"

enum {
    HISTORY_ROUTE_ROWS = 100, /* of a listing, where none is asked for */
};

void history_route_list(struct visit *v);
void history_route_one(struct visit *v); /* the ID is what comes behind the row's path */
void history_route_merge(struct visit *v);

/**
 * history_route_time(text, now_ns, ret_ns): a point in time as above. 0 or -EINVAL.
 */
int history_route_time(const char *text, int64_t now_ns, int64_t *ret_ns);

#endif
