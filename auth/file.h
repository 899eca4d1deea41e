/*
 * file.h: read a token file: one token a line, blank lines and lines that begin with # are
 * skipped, a carriage return before the line's end is dropped.
 */
#ifndef AUTH_FILE_H
#define AUTH_FILE_H

#include <stddef.h>

#include "base/err.h"

/* Called for each token (not NUL-terminated); what is not 0 ends the reading. */
typedef int (*auth_file_token)(void *ctx, const char *token, size_t bytes, struct err *e);

/**
 * auth_file_tokens(path, token, ctx, e): all of the file or an error: no token in it, a token
 * shorter than AUTH_FILE_TOKEN_MIN_BYTES, bytes other than printable ASCII, too many or too much.
 * -EINVAL with "path:line: reason" and never a byte of the content; or -errno of reading.
 */
int auth_file_tokens(const char *path, auth_file_token token, void *ctx, struct err *e);

#endif
