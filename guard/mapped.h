/*
 * mapped.h: the file behind a mapping of the target, opened for the sampler.
 *
 * The target decides what its names mean, and the guard has more rights than it, so a name is never
 * simply opened: first it is only held (O_PATH: no device wakes up, no pipe, no daemon is asked),
 * beneath the target's root and without a symbolic link (the kernel's own path of a mapping has
 * none), and only what proves to be the very file that is mapped is then opened to be read.
 */
#ifndef GUARD_MAPPED_H
#define GUARD_MAPPED_H

#include <sys/types.h>

#include "wire/wire.h"

/**
 * mapped_open(pid, want, ret_fd): the file of the mapping with this start and inode, read-only. 0;
 * -ENOENT no such mapping, or its file is gone; -ESTALE the name is another file's; -EINVAL no
 * regular file; -ELOOP a link; or another -errno. Whether ${pid} is still the one that was meant is
 * the caller's to check, afterwards.
 */
int mapped_open(pid_t pid, const struct wire_file *want, int *ret_fd);

#endif
