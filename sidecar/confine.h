/*
 * confine.h: what this program keeps when it has its listeners: the loop, and reading the files of
 * its configuration again. One place, before the first byte from the network is looked at.
 */
#ifndef SIDECAR_CONFINE_H
#define SIDECAR_CONFINE_H

#include "config/config.h"

/**
 * confine_loop(): before the loop is made: no io_uring for it. libuv >= 1.45 would send its calls
 * round the filter that comes later, and be ended by it; told that there is none, it uses epoll.
 */
int confine_loop(void);

/**
 * confine_enter(c, e): give up the rest and log what is left. The folders of the configured files
 * stay readable, not the files alone: Kubernetes replaces them by renaming a link beside them.
 */
int confine_enter(const struct config *c, struct err *e);

#endif
