/*
 * expires.h: when does a certificate end? For the warnings of `pillion check`.
 */
#ifndef CLI_EXPIRES_H
#define CLI_EXPIRES_H

#include <stddef.h>
#include <stdint.h>

enum {
    EXPIRES_SOON_SECONDS = 7 * 86400,
    EXPIRES_FILE_MAX_BYTES = 1024 * 1024,
};

/**
 * expires_check(path, now, out, bytes): look at the certificates of a PEM file. 1 and the reason in
 * ${out} when one of them is over at ${now} (seconds since 1970), not valid yet, or over within
 * EXPIRES_SOON_SECONDS, or when there is none; 0 when nothing is to be said; -errno when the file
 * cannot be read.
 */
int expires_check(const char *path, int64_t now, char *out, size_t bytes);

#endif
