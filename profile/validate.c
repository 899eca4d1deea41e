/*
 * Is a profile what its readers want, and what its mappings may claim. Declared in profile.h.
 */
#include <errno.h>

#include "profile/profile_priv.h"

enum {
    VALIDATE_SHOWN_BYTES = 64, /* of a name in an error text */
};

/* ---- Claims of the mappings */

/* What one location takes away from its mapping's claims. Has it a line number? */
static bool settle_location(const struct profile *p, uint64_t id, struct profile_mark *mark)
{
    const struct profile_line_rec *lines;
    bool numbered = false;
    size_t n;

    (void)profile_location_rec(p, id, &lines, &n);
    if (n == 0) {
        mark->has_functions = mark->has_filenames = mark->has_line_numbers = false;
        return false;
    }
    if (n > 1)
        mark->has_inline_frames = true;
    for (size_t i = 0; i < n; i++) {
        const struct profile_function_rec *f = profile_function_rec(p, lines[i].function);

        if (f->name == 0)
            mark->has_functions = false;
        if (f->filename == 0)
            mark->has_filenames = false;
        if (lines[i].line == 0)
            mark->has_line_numbers = false;
        else
            numbered = true;
    }
    return numbered;
}

/*
 * Start from the best claim, let each location take away what it does not have, then number those
 * that any location uses, in table order: Parca wants ids 1..n without gaps. Readers take the first
 * for the main program, so that one is always kept. has_inline_frames says that inlined functions
 * were looked for; without has_functions it would mean nothing.
 *
 * has_line_numbers without has_functions: some locations have lines, others have nothing. pprof
 * looks up a mapping that claims nothing in its own copy of the file, and puts what it finds in the
 * place of what is there (internal/symbolizer/symbolizer.go, newMapping); with the C half of a
 * stripped cgo program nameless, it gives wrong names to the Go half.
 */
void profile_settle(struct profile *p)
{
    const struct profile_mark claim = {
        .has_functions = true, .has_filenames = true, .has_line_numbers = true};
    const struct profile_line_rec *lines;
    uint32_t next = 1;
    size_t n;

    for (uint32_t i = 0; i < p->mappings.count; i++)
        p->marks[i] = claim;
    for (uint64_t id = 1; id <= p->locations.count; id++) {
        uint32_t mapping = profile_location_rec(p, id, &lines, &n)->mapping;

        if (mapping == 0)
            continue;
        p->marks[mapping - 1].out_id = 1;
        p->marks[mapping - 1].some_lines |= settle_location(p, id, &p->marks[mapping - 1]);
    }
    for (uint32_t i = 0; i < p->mappings.count; i++) {
        struct profile_mark *mark = &p->marks[i];

        if (!mark->out_id)
            *mark = (struct profile_mark){0};
        if (mark->out_id || i == 0)
            mark->out_id = next++;
        mark->has_inline_frames &= mark->has_functions;
        if (!mark->has_functions)
            mark->has_line_numbers = mark->some_lines;
    }
}

/* has_functions of a mapping with an unnamed address hides that address from every symbolizer. */
static int check_claims(const struct profile *p, struct err *e)
{
    const struct profile_line_rec *lines;
    size_t n;

    for (uint64_t id = 1; id <= p->locations.count; id++) {
        const struct profile_location_rec *rec = profile_location_rec(p, id, &lines, &n);

        if (n == 0 && rec->mapping && p->marks[rec->mapping - 1].has_functions)
            return err_set(e, -EINVAL,
                           "mapping %u claims has_functions, but its location %llu has no lines",
                           (unsigned)rec->mapping, (unsigned long long)id);
    }
    return 0;
}

/* ---- Demands of the readers */

/* Names that a reader would refuse or could not find again. */
static int check_types(const struct profile *p, struct err *e)
{
    bool found = p->default_type == 0; /* none: readers show the last type */
    char shown[VALIDATE_SHOWN_BYTES];

    if (p->ntypes == 0)
        return err_set(e, -EINVAL, "no sample types");
    for (size_t i = 0; i < p->ntypes; i++) {
        const char *name = profile_text(p, p->types[i].type);

        if (!*name)
            return err_set(e, -EINVAL, "sample type %zu has no name", i + 1);
        if (strchr(name, '-')) /* Pyroscope, pkg/validation/validate.go */
            return err_set(e, -EINVAL, "sample type \"%s\" has a '-' in its name",
                           err_clean(shown, sizeof(shown), name, strlen(name)));
        found |= p->types[i].type == p->default_type;
    }
    if (!found) {
        const char *name = profile_text(p, p->default_type);

        return err_set(e, -EINVAL, "default sample type \"%s\" is none of the sample types",
                       err_clean(shown, sizeof(shown), name, strlen(name)));
    }
    return 0;
}

/* Label sets are shared by samples: each is looked at once. */
static int check_labels(const struct profile *p, struct err *e)
{
    for (uint32_t i = 0; i < p->labelsets.count; i++) {
        size_t bytes;
        const struct profile_label_rec *rec = intern_get(&p->labelsets, i, &bytes);

        for (size_t j = 0; j < bytes / sizeof(*rec); j++) {
            if (rec[j].key == 0) /* Parca, pkg/normalizer/validate.go */
                return err_set(e, -EINVAL, "a sample has a label without a key");
        }
    }
    return 0;
}

/*
 * The sum of facts/pprof.md section 2. Not asked for: mappings, addresses, time (all readers do
 * without), start_line (only `go build -pgo` wants it, and native code has none).
 */
int profile_validate(const struct profile *p, struct err *e)
{
    int rc;

    if (p->failed)
        return err_set(e, -EINVAL, "not whole: a part could not be added (bounds or memory)");
    rc = check_types(p, e);
    if (rc == 0)
        rc = check_labels(p, e);
    if (rc == 0)
        rc = check_claims(p, e);
    if (rc != 0)
        return rc;
    /* Parca reads it without asking whether it is there; Pyroscope refuses its absence */
    if (p->period_type.type == 0 || p->period_type.unit == 0)
        return err_set(e, -EINVAL, "no period type or no unit of it");
    if (p->time_ns < 0 || p->duration_ns < 0 || p->period < 0)
        return err_set(e, -EINVAL, "time, duration or period is negative");
    return 0;
}
