/*
 * output.h: the file a verb writes. Opened before the work, so that a bad path is said at once, and
 * emptied only when there is something to put in, so that a failure leaves an old file alone.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct output {
    int fd;
    bool created;  /* by us: removed again when nothing gets written */
    bool borrowed; /* standard output: not ours to close */
    const char *path;
};

/** output_open(o, path, e): "-" is standard output. ${path} stays the caller's. 0 or -errno. */
int output_open(struct output *o, const char *path, struct err *e);

/** output_write(o, data, bytes, e): the whole content, once. 0 or -errno. */
int output_write(struct output *o, const void *data, size_t bytes, struct err *e);

/** output_close(o): repeatable; removes a file that was created and not written. */
void output_close(struct output *o);

#endif
