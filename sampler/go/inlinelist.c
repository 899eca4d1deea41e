/*
 * A place is made of what go_image_levels() says of its address, once: names and files as numbers
 * into one table of texts, levels in one array. A heap's stacks share nearly all their addresses,
 * so that this is small where the stacks are many.
 */
#include "sampler/go/inlinelist.h"

#include <errno.h>

#include "base/intern.h"

enum {
    FIRST_ROOM = 1024,
    RUNTIME_SUBPACKAGES_MINOR = 24, /* internal/runtime/ is hidden like runtime. from Go 1.24 on */
};

/* runtime.logicalStackSentinel, runtime/mprof.go of Go 1.23 and newer. */
#define STACK_MARK UINT64_MAX

/* A level as it is kept: texts by their numbers. */
struct level {
    uint64_t pc;
    int64_t line, start_line;
    uint32_t name, file;
};

struct place {
    struct inlinelist_place public;
    size_t first; /* of its levels */
};

struct inlinelist {
    struct go_image *image;
    struct intern pcs;   /* u64, by number of the place */
    struct intern texts; /* with their NUL */
    struct place *places;
    size_t places_cap;
    struct level *levels;
    size_t levels_count, levels_cap;
    struct frames frames; /* of the pc at hand */
    struct go_level at[FRAME_INLINE_MAX];
};

int inlinelist_new(struct go_image *image, struct inlinelist **ret)
{
    struct inlinelist *l = calloc(1, sizeof(*l));

    if (!l)
        return -ENOMEM;
    l->image = image;
    intern_init(&l->pcs, INLINELIST_PLACES_MAX, INLINELIST_PLACES_MAX * sizeof(uint64_t));
    intern_init(&l->texts, INLINELIST_PLACES_MAX, INLINELIST_TEXT_MAX_BYTES);
    *ret = l;
    return 0;
}

void inlinelist_free(struct inlinelist *l)
{
    if (!l)
        return;
    intern_release(&l->pcs);
    intern_release(&l->texts);
    free(l->places);
    free(l->levels);
    free(l);
}

/* Room for one more item of ${size} bytes in an array. */
static int grow(void *array, size_t count, size_t *cap, size_t size)
{
    void **at = array;
    size_t more = *cap ? *cap * 2 : FIRST_ROOM;
    void *p;

    if (count < *cap)
        return 0;
    p = realloc(*at, more * size);
    if (!p)
        return -ENOMEM;
    *at = p;
    *cap = more;
    return 0;
}

/* Equal names are kept once: a function has many return addresses. */
static int add_level(struct inlinelist *l, uint32_t i)
{
    const struct frame *f = &l->frames.frame[i];
    struct level v = {.pc = l->at[i].pc, .line = f->line, .start_line = f->start_line};
    int rc = grow(&l->levels, l->levels_count, &l->levels_cap, sizeof(*l->levels));

    if (rc != 0)
        return rc;
    v.name = intern_put(&l->texts, f->name, strlen(f->name) + 1, NULL);
    v.file = intern_put(&l->texts, f->file, strlen(f->file) + 1, NULL);
    if (v.name == INTERN_NONE || v.file == INTERN_NONE)
        return -E2BIG;
    l->levels[l->levels_count++] = v;
    return 0;
}

/* runtime.FuncForPC looks at the return address itself, not at the call before it: where the call
 * is the last of what was inlined, that is another function. */
static bool is_runtime(struct inlinelist *l, uint64_t pc)
{
    uint64_t entry;
    const char *name = l->frames.frame[0].name;

    if (go_image_levels(l->image, pc, &l->frames, l->at, &entry) != 0)
        return false;
    return strncmp(name, "runtime.", 8) == 0 ||
           (go_image_minor(l->image) >= RUNTIME_SUBPACKAGES_MINOR &&
            strncmp(name, "internal/runtime/", 17) == 0);
}

/* An entry that is a function's first byte is not moved back: it may be the return address of a
 * call that never returns, and the runtime then names the function after it. So do we. */
static int look_up(struct inlinelist *l, uint64_t pc, struct place *ret)
{
    struct inlinelist_place p = {.pc = pc, .runtime = is_runtime(l, pc)};
    char name[1];
    uint64_t entry;
    int rc = 0;

    *ret = (struct place){.first = l->levels_count};
    if (go_image_entry(l->image, pc, name, sizeof(name), &entry) == 0) {
        p.pc = pc > entry ? pc - 1 : pc;
        if (go_image_levels(l->image, p.pc, &l->frames, l->at, &p.entry) == 0)
            p.levels = l->frames.count;
    } else {
        p.pc = pc > 0 ? pc - 1 : 0;
    }
    for (uint32_t i = 0; rc == 0 && i < p.levels; i++) {
        if (i == 0 || !l->at[i].wrapper)
            p.plain |= UINT64_C(1) << i;
        rc = add_level(l, i);
    }
    p.goexit = p.levels > 0 && strcmp(l->frames.frame[0].name, "runtime.goexit") == 0;
    ret->public = p;
    return rc;
}

/* Looked up before it gets its number: a place that has one is complete. */
int inlinelist_find(struct inlinelist *l, uint64_t pc, uint32_t *ret)
{
    uint32_t n = intern_find(&l->pcs, &pc, sizeof(pc));
    struct place p;
    int rc;

    if (n != INTERN_NONE) {
        *ret = n;
        return 0;
    }
    rc = grow(&l->places, l->pcs.count, &l->places_cap, sizeof(*l->places));
    if (rc == 0)
        rc = look_up(l, pc, &p);
    if (rc != 0)
        return rc;
    n = intern_put(&l->pcs, &pc, sizeof(pc), NULL);
    if (n == INTERN_NONE)
        return -E2BIG;
    l->places[n] = p;
    *ret = n;
    return 0;
}

const struct inlinelist_place *inlinelist_place(const struct inlinelist *l, uint32_t place)
{
    return &l->places[place].public;
}

void inlinelist_level(const struct inlinelist *l, uint32_t place, uint32_t level,
                      struct inlinelist_level *ret)
{
    const struct level *v = &l->levels[l->places[place].first + level];
    size_t bytes;

    *ret = (struct inlinelist_level){
        .pc = v->pc,
        .name = intern_get(&l->texts, v->name, &bytes),
        .file = intern_get(&l->texts, v->file, &bytes),
        .line = v->line,
        .start_line = v->start_line,
    };
}

/*
 * The levels of a place that are shown, and how many entries after it they use up. A wrapper is
 * left out as the runtime's own walk does, unless the list has it.
 */
static uint64_t show(const struct inlinelist *l, uint32_t place, const uint64_t *rest,
                     size_t rest_count, size_t *ret_used)
{
    const struct place *p = &l->places[place];
    uint64_t shown = p->public.plain;
    size_t used = 0;

    for (uint32_t i = 1; i < p->public.levels; i++) {
        if (used < rest_count && rest[used] == l->levels[p->first + i].pc + 1) {
            shown |= UINT64_C(1) << i;
            used++;
        }
    }
    *ret_used = used;
    return shown;
}

int inlinelist_expand(struct inlinelist *l, const uint64_t *pcs, size_t count, bool whole,
                      struct inlinelist_step *steps)
{
    int n = 0;

    /* each step takes at least one entry, so that ${count} steps are enough */
    for (size_t i = 0; i < count;) {
        uint64_t pc = pcs[i++];
        struct inlinelist_step *step = &steps[n];
        size_t used;
        int rc;

        if (pc == STACK_MARK)
            continue;
        rc = inlinelist_find(l, pc, &step->place);
        if (rc != 0)
            return rc;
        step->shown = show(l, step->place, pcs + i, count - i, &used);
        if (i == count && !whole)
            step->shown &= 1;
        i += used;
        n++;
    }
    return n;
}

/* Frames are counted as they are shown: each bit of a step is one. */
int inlinelist_cut(const struct inlinelist *l, struct inlinelist_step *steps, int count, int max,
                   bool whole)
{
    int left = max;

    for (int i = 0; i < count; i++) {
        const struct inlinelist_place *p = &l->places[steps[i].place].public;
        uint64_t bit;

        if (left == 0)
            return i;
        for (bit = 1; bit != 0 && left > 0 && p->levels > 0; bit <<= 1)
            left -= (steps[i].shown & bit) != 0;
        if (left == 0 && !whole && bit != 0)
            steps[i].shown &= bit - 1;
    }
    return count;
}
