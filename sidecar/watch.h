/*
 * watch.h: have the files of the configuration changed? By stat(2) of each, following links, so
 * that Kubernetes' swap of the `..data` link is seen as well as a rename or a write in place. A
 * poll and no inotify: it also works on network file systems, and needs no descriptor a file.
 */
#ifndef SIDECAR_WATCH_H
#define SIDECAR_WATCH_H

#include "config/config.h"

/* Digests of what stat(2) said. */
struct watch {
    uint64_t config; /* the configuration itself */
    uint64_t others; /* the files that it names */
};

/** watch_look(w, c): note how the files look now; true when they look other than last time. */
bool watch_look(struct watch *w, const struct config *c);

/** watch_config(w, c), watch_others(w, c): note how these look now: call it before reading them. */
void watch_config(struct watch *w, const struct config *c);
void watch_others(struct watch *w, const struct config *c);

#endif
