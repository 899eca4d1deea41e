/*
 * slurp.h: read a small file that the configuration names: a secret, a list, a key.
 */
#ifndef CONFIG_SLURP_H
#define CONFIG_SLURP_H

#include "base/buf.h"
#include "base/err.h"

/**
 * slurp_file(path, out, e): append the whole file; at most out->max_bytes in all. It is opened anew
 * each time (the kubelet swaps a symlink above it), without waiting on a pipe or a terminal that
 * was put there, and has to be a regular file. 0, -EINVAL (no file), -EFBIG, -ENOMEM, or -errno of
 * opening or reading; ${e} has the path and never a byte of the content.
 */
int slurp_file(const char *path, struct buf *out, struct err *e);

/** slurp_text(path, out, e): the same, and a pipe is read to its end: process substitution and
 * systemd's credentials hand over such. -EISDIR: neither. */
int slurp_text(const char *path, struct buf *out, struct err *e);

/**
 * slurp_secret(path, ret, bytes, e): the file's one secret: its first line without the white space
 * around it. -EINVAL: empty, longer than ${bytes} - 1, or not printable ASCII.
 */
int slurp_secret(const char *path, char *ret, size_t bytes, struct err *e);

#endif
