/*
 * leak_groups.h: from a goroutine profile to the groups that the leak watch counts: by who created
 * them, by stack and by state. Bounded by what profile_decode() takes.
 */
#ifndef SIDECAR_LEAK_GROUPS_H
#define SIDECAR_LEAK_GROUPS_H

#include "base/err.h"
#include "profile/profile.h"
#include "sidecar/leak.h"

enum {
    LEAK_PROFILE_MAX_BYTES = 16 * 1024 * 1024, /* protobuf; a larger one is not looked at */
};

struct leak_groups {
    struct profile *profile; /* the texts are its */
    struct leak_seen *seen;
    size_t n;
};

/**
 * leak_groups_read(data, bytes, key, ret, e): ${key}: the same for all samples that are compared,
 * random, so that a target cannot aim for collisions. Samples without the labels `state` and
 * `created_by` are grouped by stack alone, and the outermost function stands for the creator.
 * 0, -EBADMSG, -E2BIG, -ENOMEM.
 */
int leak_groups_read(const void *data, size_t bytes, const uint64_t key[static 2],
                     struct leak_groups *ret, struct err *e);
void leak_groups_release(struct leak_groups *g); /* NULL-safe */

#endif
