#include "sampler/parts.h"

#include <errno.h>

#include "base/clock.h"
#include "sampler/perf/regs.h"

enum {
    /* As in a recording of one process (recording.c), for all of them together. */
    PARTS_REMAP_SHARE = 50,
};

int parts_new(struct family *family, const struct scene *first, bool labels, struct parts **ret)
{
    struct parts *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return -ENOMEM;
    p->family = family;
    p->first = first;
    p->labels = labels;
    p->began_ns = clock_mono_ns();
    p->late_known_ns = clock_real_ns();
    r = family_look(family, first->guard);
    if (r) {
        free(p);
        return r;
    }
    *ret = p;
    return 0;
}

void parts_free(struct parts *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->count; i++) {
        family_leave(p->part[i]->kin);
        stacks_release(&p->part[i]->stacks);
        free(p->part[i]);
    }
    free(p);
}

/* ---- Whose is it? */

static struct part *part_of(struct parts *p, uint32_t pid, uint64_t time_ns)
{
    for (uint32_t i = 0; i < p->count; i++) {
        struct part *part = p->part[i];

        if (part->pid == pid && time_ns >= part->from_ns && time_ns < part->until_ns)
            return part;
    }
    return NULL;
}

/* When did the last part of that process end? Rings are read one after the other, so an exec may be
 * known before older samples. */
static uint64_t ended_ns(const struct parts *p, uint32_t pid)
{
    uint64_t at = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        if (p->part[i]->pid == pid && p->part[i]->until_ns > at)
            at = p->part[i]->until_ns;
    }
    return at;
}

static const struct wire_member *member(struct parts *p, uint32_t pid, int *ret_broken)
{
    const struct wire_member *row = family_member(p->family, pid);

    if (!row) {
        *ret_broken = family_look(p->family, p->first->guard);
        row = *ret_broken ? NULL : family_member(p->family, pid);
    }
    return row;
}

static struct part *part_new(struct parts *p, uint32_t pid)
{
    int broken = 0;
    const struct wire_member *row = member(p, pid, &broken);
    struct part *part;

    if (!row || p->count == PARTS_MAX)
        return NULL;
    part = calloc(1, sizeof(*part));
    if (!part)
        return NULL;
    part->kin = family_take(p->family, p->first, row);
    if (!part->kin) {
        free(part);
        return NULL;
    }
    part->pid = pid;
    part->from_ns = ended_ns(p, pid);
    part->until_ns = UINT64_MAX;
    memcpy(part->name, row->name, sizeof(part->name));
    stacks_init(&part->stacks);
    if (p->labels && part->kin->scene.labels) {
        if (part->kin->users == 1)
            labels_begin(part->kin->scene.labels);
        part->labels = true;
    }
    p->part[p->count++] = part;
    return part;
}

/* ---- Records */

static void on_exec(struct parts *p, const struct record *rec)
{
    struct part *part = part_of(p, rec->pid, rec->time_ns);

    if (!part)
        return;
    part->until_ns = rec->time_ns;
    family_replaced(p->family, part->kin);
}

static void on_mmap(struct parts *p, const struct record *rec)
{
    struct part *part = part_of(p, rec->pid, rec->time_ns);

    if (part)
        part->unmapped = true;
}

static void follow_mappings(struct parts *p, struct part *part)
{
    uint64_t now_ns = clock_mono_ns();
    struct err e = {0};

    if (p->remap_ns * PARTS_REMAP_SHARE > now_ns - p->began_ns + CLOCK_NS_PER_SEC)
        return;
    part->unmapped = false;
    (void)scene_refresh(&part->kin->scene, &e); /* of one that is gone or another: as it was */
    p->remap_ns += clock_mono_ns() - now_ns;
}

static int add(struct parts *p, struct part *part, uint32_t set, const struct unwind_stack *stack,
               uint64_t weight_ns)
{
    uint32_t rows = part->stacks.keys.count;
    size_t bytes = part->stacks.keys.bytes.len;
    uint32_t row;

    if (p->rows >= STACKS_MAX || p->bytes >= STACKS_MAX_BYTES ||
        stacks_add(&part->stacks, set, stack->address, stack->depth, weight_ns, &row) != 0)
        return -ENOSPC;
    p->rows += part->stacks.keys.count - rows;
    p->bytes += part->stacks.keys.bytes.len - bytes;
    part->samples++;
    part->weight_ns += weight_ns;
    return 0;
}

/* Labels first: each moment makes them older. */
static int on_sample(struct parts *p, const struct session_sample *s, struct unwind_stack *scratch,
                     struct unwind_counts *counts)
{
    struct part *part = part_of(p, s->record->pid, s->record->time_ns);
    uint32_t set = INTERN_NONE;

    if (!part)
        part = part_new(p, s->record->pid);
    if (!part || s->record->time_ns < part->from_ns) {
        p->stray_samples++;
        p->stray_ns += s->weight_ns;
        return 0;
    }
    if (part->labels && s->record->regs_valid)
        labels_read(part->kin->scene.labels, s->record->regs[REG_G], s->record->regs[REG_SP],
                    s->record->time_ns, &part->stacks.sets, &set);
    if (part->unmapped && part->kin->scene.space)
        follow_mappings(p, part);
    if (part->kin->scene.space) {
        unwind_sample(part->kin->scene.space, s->record, scratch, counts);
    } else { /* whose it is is known, but not what it is */
        scratch->depth = 1;
        scratch->address[0] = UNWIND_MISSING;
    }
    return add(p, part, set, scratch, s->weight_ns);
}

int parts_take(struct parts *p, const struct session_sample *s, struct unwind_stack *scratch,
               struct unwind_counts *counts)
{
    if (s->record->kind == RECORD_SAMPLE)
        return on_sample(p, s, scratch, counts);
    if (s->record->kind == RECORD_COMM)
        on_exec(p, s->record);
    else if (s->record->kind == RECORD_MMAP)
        on_mmap(p, s->record);
    return 0;
}

/* ---- At the end */

/* Those that started since, are matches of their own and had not a sample: most likely the events
 * never reached them. */
static void count_late(struct parts *p)
{
    for (uint32_t i = 1; i < p->family->members.count; i++) {
        const struct wire_member *row = &p->family->members.row[i];

        if (row->apart && row->start_real_ns > p->late_known_ns &&
            !part_of(p, row->pid, UINT64_MAX - 1))
            p->late++;
    }
}

void parts_end(struct parts *p)
{
    struct err e = {0};

    if (family_look(p->family, p->first->guard) != 0)
        return;
    count_late(p);
    for (uint32_t i = 0; i < p->count; i++) {
        struct part *part = p->part[i];
        const struct wire_member *row = family_member(p->family, part->pid);

        /* workers name themselves when they have begun already */
        if (row && part->until_ns == UINT64_MAX && row->generation == part->kin->scene.generation)
            memcpy(part->name, row->name, sizeof(part->name));
        if (part->unmapped && part->kin->scene.space && part->until_ns == UINT64_MAX)
            (void)scene_refresh(&part->kin->scene, &e);
    }
}
