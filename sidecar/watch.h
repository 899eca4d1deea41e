/*
 * watch.h: have the files of the configuration changed? By stat(2) of each, following links, so
 * that Kubernetes' swap of the `..data` link is seen as well as a rename or a write in place. A
 * poll and no inotify: it also works on network file systems, and needs no descriptor a file.
 */
#ifndef SIDECAR_WATCH_H
#define SIDECAR_WATCH_H

#include "config/config.h"

struct watch {
    uint64_t seen; /* digest of what stat(2) said of every file */
};

/** watch_look(w, c): note how the files look now; true when they look other than last time. */
bool watch_look(struct watch *w, const struct config *c);

#endif
