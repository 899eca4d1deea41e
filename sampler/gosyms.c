#include "sampler/gosyms.h"

#include <stdlib.h>
#include <string.h>

void gosyms_init(struct gosyms *s, struct go_image *image)
{
    memset(s, 0, sizeof(*s));
    s->image = image;
    intern_init(&s->addresses, GOSYMS_MAX, (size_t)GOSYMS_MAX * sizeof(uint64_t) * 2);
    intern_init(&s->texts, GOSYMS_MAX, GOSYMS_TEXT_MAX_BYTES);
}

void gosyms_release(struct gosyms *s)
{
    if (!s)
        return;
    intern_release(&s->addresses);
    intern_release(&s->texts);
    free(s->syms);
    free(s->frames);
    s->syms = NULL;
    s->frames = NULL;
}

/* With its NUL, so that it can be given out as it is. */
static uint32_t put_text(struct gosyms *s, const char *text)
{
    return intern_put(&s->texts, text, strlen(text) + 1, NULL);
}

static bool reserve_frames(struct gosyms *s, uint32_t more)
{
    uint32_t cap = s->frames_cap ? s->frames_cap : 1024;
    struct gosyms_frame *p;

    if (s->frame_count + more <= s->frames_cap)
        return true;
    while (cap < s->frame_count + more)
        cap *= 2;
    if (cap > GOSYMS_FRAMES_MAX)
        return false;
    p = realloc(s->frames, cap * sizeof(*p));
    if (!p)
        return false;
    s->frames = p;
    s->frames_cap = cap;
    return true;
}

/* What one address means, behind what others mean. */
static bool add_frames(struct gosyms *s, struct gosyms_sym *sym)
{
    const struct frames *f = &s->scratch;

    if (!reserve_frames(s, f->count))
        return false;
    for (uint32_t i = 0; i < f->count; i++) {
        struct gosyms_frame *to = &s->frames[s->frame_count];

        *to = (struct gosyms_frame){.name = put_text(s, f->frame[i].name),
                                    .file = put_text(s, f->frame[i].file),
                                    .line = f->frame[i].line,
                                    .start_line = f->frame[i].start_line};
        if (to->name == INTERN_NONE || to->file == INTERN_NONE)
            return false;
        /* the last one is the function itself, unless that is a wrapper and was left out */
        to->inlined = i + 1 < f->count || to->name != sym->outer;
        s->frame_count++;
        sym->count++;
    }
    return true;
}

/* Once for each address; everything else asks the tables made here. */
static bool look_up(struct gosyms *s, uint64_t address, struct gosyms_sym *sym)
{
    char name[FRAME_NAME_BYTES] = "";

    *sym = (struct gosyms_sym){.first = s->frame_count};
    if (go_image_entry(s->image, address, name, sizeof(name), &sym->entry) != 0)
        sym->entry = 0;
    sym->outer = put_text(s, name);
    if (sym->outer == INTERN_NONE)
        return false;
    sym->hidden = go_image_hidden(s->image, address);
    s->scratch.count = 0;
    if (go_image_frames(s->image, address, &s->scratch) != 0)
        return true; /* an address without a name is one all the same */
    return add_frames(s, sym);
}

static bool reserve_syms(struct gosyms *s, uint32_t i)
{
    uint32_t cap = s->syms_cap ? s->syms_cap * 2 : 1024;
    struct gosyms_sym *p;

    if (i < s->syms_cap)
        return true;
    p = realloc(s->syms, cap * sizeof(*p));
    if (!p)
        return false;
    s->syms = p;
    s->syms_cap = cap;
    return true;
}

const struct gosyms_sym *gosyms_get(struct gosyms *s, uint64_t address, uint32_t *ret_index)
{
    int is_new = 0;
    uint32_t i = intern_put(&s->addresses, &address, sizeof(address), &is_new);

    if (i == INTERN_NONE || !reserve_syms(s, i))
        return NULL;
    /* One that failed stays known as empty: it must not be looked up for each goroutine. */
    if (is_new && !look_up(s, address, &s->syms[i])) {
        s->syms[i] = (struct gosyms_sym){0};
        return NULL;
    }
    *ret_index = i;
    return &s->syms[i];
}

const struct gosyms_frame *gosyms_frame(const struct gosyms *s, const struct gosyms_sym *sym,
                                        uint32_t i)
{
    return &s->frames[sym->first + i];
}

const char *gosyms_text(const struct gosyms *s, uint32_t id)
{
    size_t bytes;

    return intern_get(&s->texts, id, &bytes);
}
