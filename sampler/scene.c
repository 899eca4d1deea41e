/* The target as the sampler understands it: made when first asked for, remade when it changes. */
#include <errno.h>
#include <unistd.h>

#include "base/bulk.h"
#include "base/intern.h"
#include "base/log.h"
#include "sampler/sampler.h"

void scene_close(struct scene *scene)
{
    labels_free(scene->labels);
    space_free(scene->space);
    scene->has_runtime = false;
    scene->labels = NULL;
    scene->space = NULL;
    scene->labels_note[0] = '\0';
    scene->generation = 0;
}

void scene_drop(struct sampler *s)
{
    scene_close(&s->scene);
}

static int fetch_maps(const struct scene *s, struct bulk *ret, struct err *e)
{
    int truncated;
    int fd;
    int r = ask_guard_maps(s->guard, s->generation, &fd, &truncated);

    if (r)
        return err_set(e, r, "cannot read the target's mappings: %s", strerror(-r));
    r = bulk_map(fd, WIRE_MAPS_MAX_BYTES, ret);
    (void)close(fd);
    if (r)
        return err_set(e, r, "the mappings came in a broken bulk: %s", strerror(-r));
    if (truncated)
        log_warn("the target has more mappings than are looked at",
                 LOG_U64("bytes", WIRE_MAPS_MAX_BYTES));
    return 0;
}

/*
 * The lowest mapping of a file is that of the executable, or of the loader. Not known when there is
 * none, or when space_refresh() will refuse the text.
 */
static struct scene_anchor anchor_of(const struct bulk *text)
{
    struct scene_anchor anchor = {0};
    struct err e = {0};
    struct maps maps;

    if (maps_parse((const char *)text->data, text->bytes, &maps, &e) != 0)
        return anchor;
    for (size_t i = 0; i < maps.count; i++) {
        const struct maps_row *row = &maps.rows[i];

        if (row->inode != 0 && anchor.inode == 0) {
            anchor.inode = row->inode;
            anchor.start = row->start;
        }
        if (row->inode == 0 && strcmp(maps_path(&maps, row), "[vdso]") == 0)
            anchor.vdso = row->start;
    }
    maps_release(&maps);
    return anchor;
}

static bool same_program(const struct scene *s, const struct scene_anchor *anchor)
{
    if (anchor->inode == 0)
        return true;
    return s->anchor.inode == anchor->inode && s->anchor.start == anchor->start &&
           (anchor->vdso == 0 || s->anchor.vdso == 0 || s->anchor.vdso == anchor->vdso);
}

static int replaced(struct err *e)
{
    return err_set(e, -ESTALE, "another program runs there by now");
}

int scene_refresh(struct scene *scene, struct err *e)
{
    struct bulk text = {0};
    struct scene_anchor anchor;
    int r = fetch_maps(scene, &text, e);

    if (r)
        return r;
    anchor = anchor_of(&text);
    if (same_program(scene, &anchor))
        r = space_refresh(scene->space, (const char *)text.data, text.bytes, e);
    else
        r = replaced(e);
    bulk_release(&text);
    return r;
}

int scene_still(const struct scene *scene, struct err *e)
{
    struct bulk text = {0};
    struct scene_anchor anchor;
    int r = fetch_maps(scene, &text, e);

    if (r)
        return r;
    anchor = anchor_of(&text);
    bulk_release(&text);
    return same_program(scene, &anchor) ? 0 : replaced(e);
}

uint64_t scene_program(const struct scene *scene)
{
    static const uint64_t key[2] = {1, 2}; /* no secret: only to make one number of four */
    const uint64_t words[] = {scene->generation, scene->anchor.start, scene->anchor.inode,
                              scene->anchor.vdso};

    return intern_hash(key, words, sizeof(words));
}

static void make_labels(struct scene *scene, struct source *source)
{
    struct go_image *go = space_go(scene->space);
    struct err e = {0};

    if (!go) {
        (void)snprintf(scene->labels_note, sizeof(scene->labels_note), "not a Go program");
        return;
    }
    if (labels_new(go, &source->target, &scene->labels, &e) != 0) {
        scene->labels = NULL;
        memcpy(scene->labels_note, e.text, sizeof(e.text));
    }
}

static bool recording_runs(const struct sampler *s)
{
    for (size_t i = 0; i < WIRE_PERF_SLOTS; i++) {
        if (s->recordings[i])
            return true;
    }
    return false;
}

/* Mappings that vanished may be in the samples of whatever runs. */
void scene_trim(struct sampler *s)
{
    if (recording_runs(s))
        return;
    if (s->scene.space)
        space_trim(s->scene.space);
    family_trim(&s->family);
}

/* An empty space for the program that runs there now. */
static int scene_make(struct scene *scene, struct source *source, const struct scene *first,
                      const struct scene_anchor *anchor, struct err *e)
{
    int r = space_new_beside(&source->target, first ? first->space : NULL, &scene->space);

    if (r)
        return err_set(e, r, "no memory for the target's mappings");
    scene->anchor = *anchor;
    return 0;
}

int scene_open(struct scene *scene, struct source *source, const struct scene *first,
               uint32_t generation, struct err *e)
{
    struct bulk text = {0};
    struct scene_anchor anchor;
    int r;

    source_init(source, first->guard, generation);
    scene->guard = first->guard;
    scene->generation = generation;
    r = fetch_maps(scene, &text, e);
    if (r)
        return r;
    anchor = anchor_of(&text);
    r = scene_make(scene, source, first, &anchor, e);
    if (r == 0)
        r = space_refresh(scene->space, (const char *)text.data, text.bytes, e);
    if (r == 0)
        make_labels(scene, source);
    else
        scene_close(scene);
    bulk_release(&text);
    return r;
}

int scene_runtime(struct sampler *s, struct err *e)
{
    struct go_image *go = space_go(s->scene.space);
    int r;

    if (s->scene.has_runtime)
        return 0;
    if (!go)
        return err_set(e, -ENOTSUP, "%s",
                       space_note(s->scene.space)[0] ? space_note(s->scene.space)
                                                     : "the target is not a Go program");
    r = go_runtime_open(go, &s->source.target, &s->scene.runtime, e);
    s->scene.has_runtime = r == 0;
    return r;
}

static int take_in(struct sampler *s, const struct bulk *text, struct err *e)
{
    struct scene_anchor anchor = anchor_of(text);
    uint32_t generation = s->scene.generation;
    bool fresh;
    int r = 0;

    if (s->scene.space && !same_program(&s->scene, &anchor)) {
        if (recording_runs(s))
            return err_set(e, -EAGAIN, "the target has just called exec; ask again");
        scene_drop(s);
        s->scene.generation = generation;
        s->rates = (struct sampler_rates){.generation = generation, .again = true};
    }
    fresh = !s->scene.space;
    if (fresh)
        r = scene_make(&s->scene, &s->source, NULL, &anchor, e);
    if (r == 0)
        r = space_refresh(s->scene.space, (const char *)text->data, text->bytes, e);
    if (r == 0 && fresh)
        make_labels(&s->scene, &s->source);
    else if (fresh)
        scene_drop(s);
    return r;
}

/* A running recording's addresses mean the old program: its scene must outlive it unchanged. */
int scene_ready(struct sampler *s, struct err *e)
{
    const struct wire_target *t = &s->guard.target;
    struct bulk text = {0};
    int r;

    if (t->state != WIRE_TARGET_UP)
        return err_set(e, -ESRCH, "%s", t->reason);
    if (s->scene.generation != t->generation) {
        if (recording_runs(s))
            return err_set(e, -EAGAIN, "the target has just been started anew; ask again");
        scene_drop(s);
        family_clear(&s->family);
        source_init(&s->source, &s->guard, t->generation);
        s->scene.guard = &s->guard;
        s->scene.generation = t->generation;
    }
    r = fetch_maps(&s->scene, &text, e);
    if (r)
        return r;
    r = take_in(s, &text, e);
    bulk_release(&text);
    return r;
}
