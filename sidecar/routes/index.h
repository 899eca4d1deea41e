/*
 * index.h: /debug/pprof/: the list of profiles, as a page in the shape of net/http/pprof's (count,
 * linked name, descriptions) or as JSON (?format=json). Each caller sees what its scopes allow,
 * and of that also what cannot be had here, with the reason: that is where people look first.
 */
#ifndef SIDECAR_ROUTES_INDEX_H
#define SIDECAR_ROUTES_INDEX_H

#include "sidecar/routes/visit.h"

enum {
    INDEX_ROWS_MAX = 48 + CONFIG_SCRAPE_TYPES_MAX,
    INDEX_MAX_BYTES = 256 * 1024,
};

struct index_row {
    const char *name;
    const char *about;
    const char *why; /* NULL: it can be had; else why not */
    uint64_t count;  /* what the profile holds now, 0 for those that are taken on demand */
    bool scraped;    /* from the target's own endpoint */
};

/** index_handle(v): answers when the counts are known, a second later at the latest. */
void index_handle(struct visit *v);

/** index_to_slash(v): /debug/pprof → 307 to /debug/pprof/, as Go's mux does. */
void index_to_slash(struct visit *v);

/**
 * index_html(rows, n, note, out), index_json(rows, n, note, out): append the two forms. ${note} is
 * said of all of them, "" when there is nothing to say. Names are ours and go in as they are; the
 * other texts may quote the target and are escaped.
 */
void index_html(const struct index_row *rows, size_t n, const char *note, struct buf *out);
void index_json(const struct index_row *rows, size_t n, const char *note, struct buf *out);

#endif
