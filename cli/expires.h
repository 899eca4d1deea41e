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
 * expires_text(text, bytes, now, out, out_bytes): look at the certificates of a PEM text, which may
 * be any bytes. 1 and the reason in ${out} when one of them is over at ${now} (seconds since 1970),
 * not valid yet, over within EXPIRES_SOON_SECONDS or cannot be read, or when there is none; 0 when
 * nothing is to be said.
 */
int expires_text(const void *text, size_t bytes, int64_t now, char *out, size_t out_bytes);

/**
 * expires_check(path, now, out, bytes): the same of a file; -errno when the file cannot be read.
 */
int expires_check(const char *path, int64_t now, char *out, size_t bytes);

#endif
