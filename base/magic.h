/*
 * magic.h: the first field of a struct that travels through a void pointer. A callback that gets
 * the wrong object dies at once and says where (Varnish's miniobj.h has the idea); NULL dies there
 * too, by its signal.
 */
#ifndef BASE_MAGIC_H
#define BASE_MAGIC_H

#include <assert.h>

#define MAGIC_CHECK(obj, value) assert((obj)->magic == (value))

#endif
