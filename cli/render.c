#include "cli/render.h"

#include <errno.h>

#include "profile/gzip.h"
#include "profile/profile.h"
#include "profile/text.h"

enum {
    RENDER_TOP_ROWS = 60,
};

static const struct render formats[] = {
    {"pprof", ".pb.gz", true},
    {"folded", ".folded", false},
    {"speedscope", ".speedscope.json", false},
    {"text", ".txt", false},
};

/* Rows of the table above, by name. */
enum { FORMAT_PPROF, FORMAT_FOLDED, FORMAT_SPEEDSCOPE, FORMAT_TEXT, FORMATS };

_Static_assert(sizeof(formats) / sizeof(formats[0]) == FORMATS, "one row a format");

const struct render *render_find(const char *name)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (strcmp(name, formats[i].name) == 0)
            return &formats[i];
    }
    return NULL;
}

const char *render_names(void)
{
    /* a constant, so that errors and help cannot differ in order */
    return "pprof, folded, speedscope, text";
}

/* The place of a sample type; the last one, pprof's default, when there is none of that name. */
static size_t type_of(const struct profile *p, const char *name)
{
    size_t count = profile_types(p);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(profile_type_name(p, i), name) == 0)
            return i;
    }
    return count - 1;
}

int render_profile(const struct render *format, const char *name, const void *data, size_t bytes,
                   struct buf *out, struct err *e)
{
    struct profile *p = NULL;
    int r = profile_decode(data, bytes, &p, e);

    /* also for pprof, which is passed on as it came: what leaves here is readable */
    if (r == 0)
        r = profile_validate(p, e);
    if (r)
        goto out;
    if (format == &formats[FORMAT_PPROF])
        /* the sampler's own bytes, not encoded anew: one encoder, one set of faults */
        r = gzip_pack(data, bytes, out);
    else if (profile_types(p) == 0)
        r = -EBADMSG;
    else if (format == &formats[FORMAT_FOLDED])
        r = text_folded(p, type_of(p, "samples"), out); /* counts, as flame graph tools expect */
    else if (format == &formats[FORMAT_SPEEDSCOPE])
        r = text_speedscope(p, type_of(p, "cpu"), name, out);
    else
        r = text_top(p, type_of(p, "cpu"), RENDER_TOP_ROWS, out);
    if (r == 0 && out->failed)
        r = -EFBIG;
    if (r)
        (void)err_set(e, r, "the profile cannot be written as %s: %s", format->name, strerror(-r));
out:
    profile_free(p);
    return r;
}
