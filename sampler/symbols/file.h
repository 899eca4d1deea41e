/*
 * file.h: a file of the target, read by pread(2) in blocks through a small cache. Never mapped: a
 * file that is truncated meanwhile is a short read, not a SIGBUS. Everything in it is hostile.
 */
#ifndef SAMPLER_SYMBOLS_FILE_H
#define SAMPLER_SYMBOLS_FILE_H

#include <stddef.h>
#include <stdint.h>

enum {
    FILE_BLOCK_BYTES = 16 * 1024,
    FILE_CACHE_BLOCKS = 64,       /* 1 MiB a file, while it is open */
    FILE_STRING_MAX_BYTES = 4096, /* longest name taken from a file; longer ones are cut */
};

struct file; /* opaque */

/** file_open(fd, ret): takes over ${fd} (also on failure). 0 or -errno. */
int file_open(int fd, struct file **ret);
/** file_from_bytes(data, bytes, ret): for tests and fuzzing; the bytes stay the caller's. */
int file_from_bytes(const void *data, size_t bytes, struct file **ret);
void file_free(struct file *f);
/** file_trim(f): give the cache back, keep the descriptor. */
void file_trim(struct file *f);

uint64_t file_bytes(const struct file *f); /* size when it was opened */

/** file_read(f, offset, out, bytes): all of it or -EFAULT (beyond the end, truncated), -EIO. */
int file_read(struct file *f, uint64_t offset, void *out, size_t bytes);

/**
 * file_string(f, offset, limit, out, out_bytes): the NUL-terminated string at ${offset} that ends
 * before ${limit}; cut to out_bytes - 1. Its full length (at most FILE_STRING_MAX_BYTES) or -errno.
 */
int file_string(struct file *f, uint64_t offset, uint64_t limit, char *out, size_t out_bytes);

#endif
