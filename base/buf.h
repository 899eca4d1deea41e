/*
 * buf.h: a growable byte buffer with a ceiling and sticky failure.
 *
 * Append as often as you like and look at `failed` once at the end: after the first append that
 * would pass max_bytes, or that finds no memory, every further append does nothing and the
 * content is to be thrown away. All sizes are bytes. The buffer owns its memory.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    unsigned char *data;
    size_t len;
    size_t cap;
    size_t max_bytes;
    bool failed;
};

/** buf_init(b, max_bytes): empty, no memory yet; never grows past ${max_bytes}. */
void buf_init(struct buf *b, size_t max_bytes);

/** buf_release(b): free the memory; NULL-safe, and the buffer is usable again (empty). */
void buf_release(struct buf *b);

/** buf_clear(b): empty it, forget a failure, keep the memory. */
void buf_clear(struct buf *b);

/** buf_put(b, data, bytes): append. */
void buf_put(struct buf *b, const void *data, size_t bytes);

/** buf_puts(b, s): append a NUL-terminated string without its NUL. */
void buf_puts(struct buf *b, const char *s);

/** buf_putc(b, c): append one byte. */
void buf_putc(struct buf *b, int c);

/** buf_printf(b, fmt, ...): append formatted text. */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * buf_reserve(b, bytes): room for ${bytes} more at the returned address (then add to b->len what
 * was used), or NULL when the buffer has failed.
 */
void *buf_reserve(struct buf *b, size_t bytes);

/** buf_drop(b, bytes): take ${bytes} (at most len) off the front. */
void buf_drop(struct buf *b, size_t bytes);

/**
 * buf_text(b): the content as a NUL-terminated string (the NUL is not counted in len); an empty
 * string when it failed or is empty. Valid until the next append.
 */
const char *buf_text(struct buf *b);

#endif
