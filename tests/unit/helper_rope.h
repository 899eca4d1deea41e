/* helper_rope.h: a rope as the text that a client would get. */
#ifndef TESTS_HELPER_ROPE_H
#define TESTS_HELPER_ROPE_H

#include "wire/rope.h"

/** helper_rope_text(r): sealed, mapped, opened, read by small windows; NUL-terminated, to be
 * freed. Fails the test when one of these does. */
char *helper_rope_text(const struct rope *r);

#endif
