/* The target as the sampler understands it: made when first asked for, remade when it changes. */
#include <errno.h>
#include <unistd.h>

#include "base/bulk.h"
#include "base/log.h"
#include "sampler/sampler.h"

void scene_drop(struct sampler *s)
{
    labels_free(s->scene.labels);
    space_free(s->scene.space);
    s->scene.has_runtime = false;
    s->scene.labels = NULL;
    s->scene.space = NULL;
    s->scene.labels_note[0] = '\0';
    s->generation = 0;
}

static int fetch_maps(struct sampler *s, struct bulk *ret, struct err *e)
{
    int truncated;
    int fd;
    int r = ask_guard_maps(&s->guard, s->source.generation, &fd, &truncated);

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

/* The lowest mapping of a file: that of the executable, or of the loader: an exec changes it. */
static bool same_program(struct sampler *s, const struct bulk *text, struct err *e)
{
    struct maps maps;
    bool same = true;

    if (maps_parse((const char *)text->data, text->bytes, &maps, e) != 0)
        return true; /* space_refresh() will say what is wrong with it */
    for (size_t i = 0; i < maps.count; i++) {
        const struct maps_row *row = &maps.rows[i];

        if (row->inode == 0)
            continue;
        same = s->anchor_inode == row->inode && s->anchor_start == row->start;
        s->anchor_inode = row->inode;
        s->anchor_start = row->start;
        break;
    }
    maps_release(&maps);
    return same;
}

static void make_labels(struct sampler *s)
{
    struct go_image *go = space_go(s->scene.space);
    struct err e = {0};

    if (!go) {
        (void)snprintf(s->scene.labels_note, sizeof(s->scene.labels_note), "not a Go program");
        return;
    }
    if (labels_new(go, &s->source.target, &s->scene.labels, &e) != 0) {
        s->scene.labels = NULL;
        memcpy(s->scene.labels_note, e.text, sizeof(e.text));
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

int scene_ready(struct sampler *s, struct err *e)
{
    struct bulk text = {0};
    bool fresh = false;
    int r;

    if (s->guard.target.state != WIRE_TARGET_UP)
        return err_set(e, -ESRCH, "%s", s->guard.target.reason);
    if (!recording_runs(s) && s->generation != s->guard.target.generation)
        scene_drop(s);
    source_init(&s->source, &s->guard, s->guard.target.generation);
    r = fetch_maps(s, &text, e);
    if (r)
        return r;
    if (!same_program(s, &text, e) && s->scene.space && !recording_runs(s))
        scene_drop(s); /* it has called exec: the same pid, another program */
    if (!s->scene.space) {
        s->scene.guard = &s->guard;
        r = space_new(&s->source.target, &s->scene.space);
        fresh = r == 0;
        if (r)
            (void)err_set(e, r, "no memory for the target's mappings");
    }
    if (r == 0)
        r = space_refresh(s->scene.space, (const char *)text.data, text.bytes, e);
    bulk_release(&text);
    if (r) {
        scene_drop(s);
        return r;
    }
    s->generation = s->source.generation;
    if (fresh)
        make_labels(s);
    return 0;
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
