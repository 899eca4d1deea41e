/*
 * bulk.h: sealed memory (memfd_create(2), fcntl(2) F_ADD_SEALS) for what is too large for one
 * message: profiles, maps, command lines. The sender writes and seals it; the receiver maps it
 * only after it has seen all four seals, so that it can neither change nor shrink (SIGBUS) under
 * its eyes.
 */
#ifndef BASE_BULK_H
#define BASE_BULK_H

#include <stddef.h>

struct bulk {
    const unsigned char *data; /* NULL when bytes is 0 */
    size_t bytes;
};

/** bulk_open(name): an empty memfd, close-on-exec, sealable, never executable; or -errno. */
int bulk_open(const char *name);

/** bulk_make(data, bytes): a sealed descriptor with a copy of the bytes, or -errno. */
int bulk_make(const void *data, size_t bytes);

/** bulk_make_of(parts, count): the same of several runs of bytes, one behind the other. */
int bulk_make_of(const struct bulk *parts, size_t count);

/**
 * bulk_map(fd, max_bytes, ret): check the seals and the size, map read-only. 0, -EPERM (not
 * sealed), -EFBIG, or another -errno. ${fd} stays the caller's and may be closed at once.
 */
int bulk_map(int fd, size_t max_bytes, struct bulk *ret);

/** bulk_release(b): unmap; NULL-safe and repeatable. */
void bulk_release(struct bulk *b);

#endif
