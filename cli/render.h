/*
 * render.h: the formats a profile can be written in, as a table of names.
 */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct render {
    const char *name;      /* as --format takes it */
    const char *extension; /* of a file named by us, with its dot */
    bool binary;           /* not for a terminal */
};

/** render_find(name): NULL when there is no such format. */
const struct render *render_find(const char *name);

/** render_names(): all of them, for people: "pprof, folded, ...". */
const char *render_names(void);

/**
 * render_profile(format, name, data, bytes, out, e): the pprof profile ${data} (protobuf, not
 * compressed) appended to ${out} in ${format}; ${name} is the target's, for a title. The profile is
 * read whole and checked in any case. 0 or -errno.
 */
int render_profile(const struct render *format, const char *name, const void *data, size_t bytes,
                   struct buf *out, struct err *e);

#endif
