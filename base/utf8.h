/*
 * utf8.h: is this UTF-8? (RFC 3629: no surrogates, nothing overlong, nothing above U+10FFFF)
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/** utf8_step(p, bytes): length (1 to 4) of the valid sequence at ${p}, 0 when it is none. */
size_t utf8_step(const unsigned char *p, size_t bytes);

/**
 * utf8_control(p): length of the control character that the NUL-terminated ${p} begins with, 0 when
 * it begins with none. Those of Latin 1 (U+0080 to U+009F) too: a terminal obeys U+009B as it does
 * ESC [.
 */
size_t utf8_control(const char *p);

#endif
