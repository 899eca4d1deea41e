/*
 * The difference of two profiles. Both go into one table with opposite signs; then what is not zero
 * is copied into a profile of its own, part by part as it is met: of a heap with ten thousand
 * stacks a delta has some hundred, and should be as small.
 */
#include <errno.h>

#include "profile/copy.h"

static bool is_zero(const struct profile *p, const struct profile_sample_view *s)
{
    for (size_t i = 0; i < p->ntypes; i++) {
        if (s->values[i] != 0)
            return false;
    }
    return true;
}

/* Samples that are something, and what they use. */
static int copy_nonzero(const struct profile *src, struct profile *dst)
{
    struct profile_sample_view s;
    struct copy c;
    int rc = copy_init(&c, dst, src, NULL, NULL);

    if (rc == 0)
        copy_head(&c, true);
    for (size_t i = 0; rc == 0 && profile_get_sample(src, i, &s); i++) {
        if (!is_zero(src, &s))
            rc = copy_sample(&c, i);
    }
    if (rc == 0)
        rc = copy_result(&c);
    copy_release(&c);
    return rc;
}

int profile_diff(const struct profile *before, const struct profile *after, struct profile **ret,
                 struct err *e)
{
    struct profile *both = profile_new(), *out = profile_new();
    int rc = 0;

    if (!both || !out)
        rc = err_set(e, -ENOMEM, "no memory for the difference");
    if (rc == 0 && after->time_ns < before->time_ns)
        rc = err_set(e, -EINVAL, "the second profile is older than the first one");
    if (rc == 0)
        rc = profile_merge_times(both, before, -1, e);
    if (rc == 0)
        rc = profile_merge_times(both, after, 1, e);
    if (rc == 0) {
        rc = copy_nonzero(both, out);
        if (rc != 0)
            (void)err_set(e, rc, "the difference could not be made: %s",
                          rc == -ENOMEM ? "no memory" : "too large");
    }
    if (rc == 0) {
        profile_set_time(out, after->time_ns, after->time_ns - before->time_ns);
        *ret = out;
        out = NULL;
    }
    profile_free(both);
    profile_free(out);
    return rc;
}
