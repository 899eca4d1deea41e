#include "sampler/family.h"

#include <errno.h>

#include "base/clock.h"

static void kin_free(struct kin *k)
{
    scene_close(&k->scene);
    free(k);
}

/* Out of the list; it lives on as long as somebody uses it. */
static void drop(struct family *f, size_t i)
{
    struct kin *k = f->kin[i];

    f->kin[i] = NULL;
    if (!k)
        return;
    k->kept = false;
    if (k->users == 0)
        kin_free(k);
}

int family_look(struct family *f, struct ask_guard *guard)
{
    uint64_t now_ns = clock_mono_ns();
    int r;

    if (f->asked_ns != 0 && now_ns - f->asked_ns < FAMILY_ASK_MS * CLOCK_NS_PER_MS)
        return 0;
    r = ask_guard_members(guard, guard->target.generation, &f->members);
    f->asked_ns = clock_mono_ns();
    return r;
}

const struct wire_member *family_member(const struct family *f, uint32_t pid)
{
    for (uint32_t i = 0; i < f->members.count; i++) {
        if (f->members.row[i].pid == pid)
            return &f->members.row[i];
    }
    return NULL;
}

static bool is_member(const struct family *f, uint32_t generation)
{
    for (uint32_t i = 0; i < f->members.count; i++) {
        if (f->members.row[i].generation == generation)
            return true;
    }
    return false;
}

/* A free place: there are as many as members, so one of them is free or of somebody who is none. */
static size_t place(struct family *f)
{
    size_t found = 0;

    for (size_t i = 0; i < WIRE_MEMBERS_MAX; i++) {
        if (!f->kin[i])
            return i;
        if (!is_member(f, f->kin[i]->scene.generation))
            found = i;
    }
    drop(f, found);
    return found;
}

static struct kin *known(struct family *f, uint32_t generation)
{
    for (size_t i = 0; i < WIRE_MEMBERS_MAX; i++) {
        if (f->kin[i] && f->kin[i]->scene.generation == generation)
            return f->kin[i];
    }
    return NULL;
}

static struct kin *make(struct family *f, const struct scene *first, const struct wire_member *row)
{
    struct kin *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    k->pid = row->pid;
    if (scene_open(&k->scene, &k->source, first, row->generation, &k->why) != 0)
        k->scene.generation = row->generation; /* that it failed is known, and not tried again */
    k->kept = true;
    f->kin[place(f)] = k;
    return k;
}

struct kin *family_take(struct family *f, const struct scene *first, const struct wire_member *row)
{
    struct kin *k = known(f, row->generation);
    struct err e = {0};

    /* used by a recording now, it is followed by that; else it may be another program by now */
    if (k && k->users == 0 && (!k->scene.space || scene_refresh(&k->scene, &e) == -ESTALE)) {
        family_replaced(f, k);
        k = NULL;
    }
    if (!k)
        k = make(f, first, row);
    if (k)
        k->users++;
    return k;
}

void family_leave(struct kin *k)
{
    if (!k)
        return;
    k->users--;
    if (k->users == 0 && !k->kept)
        kin_free(k);
}

void family_replaced(struct family *f, struct kin *k)
{
    for (size_t i = 0; i < WIRE_MEMBERS_MAX; i++) {
        if (f->kin[i] == k) {
            drop(f, i);
            return;
        }
    }
}

void family_trim(struct family *f)
{
    for (size_t i = 0; i < WIRE_MEMBERS_MAX; i++) {
        struct kin *k = f->kin[i];

        if (!k)
            continue;
        if (!is_member(f, k->scene.generation))
            drop(f, i);
        else if (k->scene.space && k->users == 0)
            space_trim(k->scene.space);
    }
}

void family_clear(struct family *f)
{
    for (size_t i = 0; i < WIRE_MEMBERS_MAX; i++)
        drop(f, i);
    memset(&f->members, 0, sizeof(f->members));
    f->asked_ns = 0;
}
