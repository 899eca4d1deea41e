/*
 * environment.h: the environment that this program goes on with. A container's often holds secrets
 * of others (envFrom of a Secret that is shared by the Pod); who takes the sidecar over shall not
 * find them, neither by getenv(3) nor in /proc/self/environ, which is the same memory.
 */
#ifndef SIDECAR_ENVIRONMENT_H
#define SIDECAR_ENVIRONMENT_H

#include <stddef.h>

#include "config/config.h"

/**
 * environment_keep(c): before confine_enter() and before any thread: overwrite the value of each
 * variable that neither the program looks at (proxies, the Kubernetes API, Datadog's and Google's,
 * the resolver's) nor the configuration file names as ${NAME}. What is overwritten reads as
 * CONFIG_EXPAND_TAKEN: a later file that names it is refused and says why, instead of getting a
 * default in silence. The number of variables that were taken.
 */
size_t environment_keep(const struct config *c);

#endif
