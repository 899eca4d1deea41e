/*
 * Worked out once for each location, not for each sample: a text form then only follows numbers.
 */
#include "profile/named.h"

#include <errno.h>
#include <inttypes.h>

enum {
    NAMED_FRAMES_MAX = 4 * 1024 * 1024, /* different ones */
    NAMED_ADDRESS_BYTES = 1024,         /* "file+0x…"; longer file names are cut */
};

const struct named_frame *named_frame(const struct named *n, uint32_t number)
{
    size_t bytes;

    return intern_get(&n->frames, number, &bytes);
}

const char *named_text(const struct named *n, uint32_t number)
{
    size_t bytes;

    return intern_get(&n->texts, number, &bytes);
}

/* first[] has one entry more than there are locations, so the last one needs no special case. */
const uint32_t *named_of(const struct named *n, uint32_t location, size_t *ret_count)
{
    *ret_count = n->first[location] - n->first[location - 1];
    return n->numbers + n->first[location - 1];
}

void named_release(struct named *n)
{
    if (!n)
        return;
    intern_release(&n->texts);
    intern_release(&n->frames);
    free(n->numbers);
    free(n->first);
    *n = (struct named){0};
}

/* Frames of all locations together, checked to fit in the 32 bits of first[]. */
/* Bounded before it is allocated: at most PROFILE_LOCATIONS_MAX * PROFILE_LINES_MAX is 2^30. */
static int count_frames(const struct profile *p, size_t *ret)
{
    struct profile_location_view view;
    size_t total = 0;

    for (uint64_t id = 1; profile_get_location(p, id, &view); id++)
        total += view.lines ? view.lines : 1;
    if (total > UINT32_MAX)
        return -E2BIG;
    *ret = total;
    return 0;
}

/* Texts are interned with their NUL, so that they can be used where they lie. */
static int put_frame(struct named *n, const char *name, const char *file, int64_t start_line,
                     uint32_t *ret)
{
    struct named_frame frame = {.start_line = start_line};

    frame.name = intern_put(&n->texts, name, strlen(name) + 1, NULL);
    frame.file = intern_put(&n->texts, file, strlen(file) + 1, NULL);
    if (frame.name == INTERN_NONE || frame.file == INTERN_NONE)
        return -ENOMEM;
    *ret = intern_put(&n->frames, &frame, sizeof(frame), NULL);
    return *ret == INTERN_NONE ? -ENOMEM : 0;
}

/* A function without a name shows the linker's; without either it still has a place in the stack.
 */
static int put_line(struct named *n, const struct profile_line_view *line, uint32_t *ret)
{
    const char *name = *line->name ? line->name : line->system_name;

    return put_frame(n, *name ? name : "[unknown]", line->filename, line->start_line, ret);
}

/*
 * The offset in the file is what addr2line and a debugger want, and it is the same in every process
 * that loads the file; the address is not.
 */
static int put_address(struct named *n, const struct profile *p,
                       const struct profile_location_view *view, uint32_t *ret)
{
    struct profile_mapping m;
    char text[NAMED_ADDRESS_BYTES];
    const char *file = "", *base;

    if (!profile_get_mapping(p, view->mapping, &m) || !*m.filename) {
        (void)snprintf(text, sizeof(text), "0x%" PRIx64, view->address);
        return put_frame(n, view->address ? text : "[unknown]", file, 0, ret);
    }
    file = m.filename;
    base = strrchr(file, '/');
    base = base && base[1] ? base + 1 : file;
    (void)snprintf(text, sizeof(text), "%.*s+0x%" PRIx64, NAMED_ADDRESS_BYTES / 2, base,
                   view->address - m.start + m.offset);
    return put_frame(n, text, file, 0, ret);
}

/* The count was taken from the same views, so numbers[] has room. */
static int put_location(struct named *n, const struct profile *p, uint64_t id, uint32_t *at)
{
    struct profile_location_view view;
    struct profile_line_view line;
    int rc = 0;

    (void)profile_get_location(p, id, &view);
    if (view.lines == 0)
        return put_address(n, p, &view, &n->numbers[(*at)++]);
    for (size_t i = 0; rc == 0 && profile_get_line(p, id, i, &line); i++)
        rc = put_line(n, &line, &n->numbers[(*at)++]);
    return rc;
}

int named_init(struct named *n, const struct profile *p)
{
    uint32_t at = 0;
    size_t total;
    int rc = count_frames(p, &total);

    *n = (struct named){.locations = profile_locations(p)};
    if (rc != 0)
        return rc;
    intern_init(&n->texts, NAMED_FRAMES_MAX, PROFILE_MAX_BYTES);
    intern_init(&n->frames, NAMED_FRAMES_MAX, PROFILE_MAX_BYTES);
    n->numbers = calloc(total + 1, sizeof(*n->numbers));
    n->first = calloc(n->locations + 1, sizeof(*n->first));
    rc = n->numbers && n->first ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < n->locations; i++) {
        rc = put_location(n, p, i + 1, &at);
        n->first[i + 1] = at;
    }
    if (rc != 0)
        named_release(n);
    return rc;
}
