/*
 * Addresses are what makes a stack: they are the same in every reading of one process, while ids in
 * the file depend on what else there was. Groups that look the same are brought together by sorting
 * their hashes: no table has to be sized for what a target may hold.
 */
#include "sidecar/leak_groups.h"

#include <errno.h>
#include <stdlib.h>

#include "base/intern.h"

/* "" when it is missing: an older sampler, or a goroutine that nobody created. */
static const char *label_text(const struct profile *p, size_t sample, const char *key)
{
    struct profile_label label;

    for (size_t k = 0; profile_get_label(p, sample, k, &label); k++) {
        if (strcmp(label.key, key) == 0)
            return label.str ? label.str : "";
    }
    return "";
}

static const char *function_at(const struct profile *p, uint32_t location, size_t line)
{
    struct profile_line_view view;

    return profile_get_line(p, location, line, &view) ? view.name : "";
}

/* The first of the program's own: that it is parked in runtime.gopark says nothing. */
static const char *own_function(const struct profile *p, const struct profile_sample_view *s)
{
    for (size_t i = 0; i < s->depth; i++) {
        struct profile_location_view at;

        if (!profile_get_location(p, s->locations[i], &at))
            break;
        for (size_t k = 0; k < at.lines; k++) {
            const char *name = function_at(p, s->locations[i], k);

            if (strncmp(name, "runtime.", 8) != 0)
                return name;
        }
    }
    return s->depth ? function_at(p, s->locations[0], 0) : "";
}

/* What the go statement named: the next best to who wrote it. */
static const char *outermost(const struct profile *p, const struct profile_sample_view *s)
{
    struct profile_location_view at;

    if (s->depth == 0 || !profile_get_location(p, s->locations[s->depth - 1], &at) || !at.lines)
        return "";
    return function_at(p, s->locations[s->depth - 1], at.lines - 1);
}

/* Of all that makes a group, chained: each part's hash is with the one before. */
static uint64_t key_of(const struct profile *p, const struct leak_seen *seen,
                       const struct profile_sample_view *s, const uint64_t key[static 2])
{
    uint64_t part[2] = {intern_hash(key, seen->created_by, strlen(seen->created_by)),
                        intern_hash(key, seen->state, strlen(seen->state))};
    uint64_t h = intern_hash(key, part, sizeof(part));

    for (size_t i = 0; i < s->depth; i++) {
        struct profile_location_view at;

        part[0] = h;
        part[1] = profile_get_location(p, s->locations[i], &at) ? at.address : 0;
        h = intern_hash(key, part, sizeof(part));
    }
    return h;
}

static int by_key(const void *a, const void *b)
{
    const struct leak_seen *x = a, *y = b;

    return (x->key > y->key) - (x->key < y->key);
}

/* One of each key, with all their counts. */
static size_t bring_together(struct leak_seen *seen, size_t n)
{
    size_t out = 0;

    if (n > 0)
        qsort(seen, n, sizeof(*seen), by_key);
    for (size_t i = 0; i < n; i++) {
        if (out > 0 && seen[out - 1].key == seen[i].key)
            seen[out - 1].count += seen[i].count;
        else
            seen[out++] = seen[i];
    }
    return out;
}

/* Only what is there now counts; a profile with negative counts is none of ours. */
static void read_all(struct leak_groups *g, const uint64_t key[static 2])
{
    const struct profile *p = g->profile;

    for (size_t i = 0; i < profile_samples(p); i++) {
        struct leak_seen *seen = &g->seen[g->n];
        struct profile_sample_view s;

        if (!profile_get_sample(p, i, &s) || s.values[0] <= 0)
            continue;
        seen->count = (uint64_t)s.values[0];
        seen->created_by = label_text(p, i, "created_by");
        if (!seen->created_by[0])
            seen->created_by = outermost(p, &s);
        seen->function = own_function(p, &s);
        seen->state = label_text(p, i, "wait_reason");
        if (!seen->state[0])
            seen->state = label_text(p, i, "state");
        seen->key = key_of(p, seen, &s, key);
        g->n++;
    }
    g->n = bring_together(g->seen, g->n);
}

int leak_groups_read(const void *data, size_t bytes, const uint64_t key[static 2],
                     struct leak_groups *ret, struct err *e)
{
    struct leak_groups g = {0};
    int r;

    if (bytes > LEAK_PROFILE_MAX_BYTES)
        return err_set(e, -E2BIG, "a goroutine profile of %zu bytes", bytes);
    r = profile_decode(data, bytes, &g.profile, e);
    if (r)
        return r;
    if (profile_types(g.profile) == 0) {
        leak_groups_release(&g);
        return err_set(e, -EBADMSG, "a profile without sample types");
    }
    g.seen = calloc(profile_samples(g.profile) + 1, sizeof(*g.seen));
    if (!g.seen) {
        leak_groups_release(&g);
        return err_set(e, -ENOMEM, "out of memory");
    }
    read_all(&g, key);
    *ret = g;
    return 0;
}

void leak_groups_release(struct leak_groups *g)
{
    if (!g)
        return;
    free(g->seen);
    profile_free(g->profile);
    *g = (struct leak_groups){0};
}
