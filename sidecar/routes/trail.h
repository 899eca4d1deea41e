/*
 * trail.h: a request's path as the audit log may show it. Paths of the table are shown as they are.
 * Any other may be a token that was put in the wrong place, so of strangers only that part is shown
 * which is a folder of ours; of callers who are known also what is short and plain, so that
 * somebody who hunts a 404 sees what was mistyped.
 *
 * What is left out stands there as {BYTES:HASH}. The hash is the same for the same text as long as
 * the program runs, and tells nothing about it: its key is made at the start and shown nowhere.
 */
#ifndef SIDECAR_ROUTES_TRAIL_H
#define SIDECAR_ROUTES_TRAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "sidecar/routes/visit.h"

enum {
    TRAIL_BYTES = 256,       /* of what is shown, with its NUL */
    TRAIL_SEGMENT_BYTES = 24 /* the longest that is shown of an unknown path: tokens are longer */
};

struct trail {
    const char *path;          /* of the request, without the query; "" where none was understood */
    const struct route *route; /* that was met; NULL: none, or it did not come so far */
    bool known;                /* the caller has shown valid credentials */
    unsigned status;
    const uint64_t *key; /* of the hash, 2 */
};

/** trail_path(t, out): returns ${out}. */
const char *trail_path(const struct trail *t, char out[static TRAIL_BYTES]);

#endif
