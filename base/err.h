/*
 * err.h: one error with a text for people.
 *
 * Functions return 0 or a negative errno value; where the reason needs words, they also take a
 * struct err (which may be NULL) and fill it once, where the error is first seen.  The text says
 * what was wrong, where, and what would be right; it ends without a full stop or newline and
 * never holds a secret.  Bytes that came from outside are put in with err_clean().
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

enum {
    ERR_TEXT_BYTES = 512, /* longest text with its NUL; longer ones are cut */
};

struct err {
    int code; /* negative errno, 0 = no error */
    char text[ERR_TEXT_BYTES];
};

/** err_clear(e): no error, empty text. NULL is allowed. */
void err_clear(struct err *e);

/**
 * err_set(e, code, fmt, ...): remember ${code} (a negative errno) and the text; returns ${code},
 * so that `return err_set(e, -EINVAL, "...")` works. With e == NULL only the code is returned.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** err_prefix(e, fmt, ...): put "text: " before an error's text (where it happened). */
void err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * err_clean(out, out_bytes, in, in_bytes): copy hostile bytes for showing: printable ASCII as it
 * is, everything else as '?', at most out_bytes - 1, always NUL-terminated. Returns ${out}.
 */
const char *err_clean(char *out, size_t out_bytes, const void *in, size_t in_bytes);

#endif
