#include "sampler/recording.h"

#include <errno.h>

#include "base/clock.h"
#include "sampler/build.h"
#include "sampler/parts.h"
#include "sampler/perf/regs.h"

enum {
    /* Reading the mappings of a program that maps code all the time (a JIT) may take one part in
     * this of a recording's time, and as much of a second in advance. */
    REMAP_SHARE = 50,
};

/* A family's Go program may be any of its processes: their labels want to be read at once too. */
static int start_parts(struct recording *r, struct family *family, const struct wire_cpu *want,
                       struct session_want *s, struct err *e)
{
    bool labels = (want->flags & WIRE_CPU_LABELS) != 0;
    int rc;

    /* without perf it is the first one alone: build.c says so */
    if (!r->target.all || r->feed.source != WIRE_SOURCE_PERF)
        return 0;
    s->family = 1;
    s->wakeups = labels;
    rc = parts_new(family, r->scene, labels, &r->parts);
    return rc ? err_set(e, rc, "cannot learn which processes there are: %s", strerror(-rc)) : 0;
}

int recording_start(struct scene *scene, struct family *family, uint32_t slot, uint32_t id,
                    const struct wire_cpu *want, struct recording **ret, struct err *e)
{
    bool wall = want->flags & WIRE_CPU_WALL;
    bool labels = (want->flags & WIRE_CPU_LABELS) && scene->labels && !wall;
    struct session_want s = {
        .hz = want->hz,
        .kernel = (want->flags & WIRE_CPU_KERNEL) != 0,
        .wakeups = labels,
    };
    struct recording *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return err_set(e, -ENOMEM, "no memory for a recording");
    r->scene = scene;
    r->id = id;
    r->want = *want;
    r->target = scene->guard->target;
    if (!labels)
        r->want.flags &= ~(uint32_t)WIRE_CPU_LABELS;
    stacks_init(&r->stacks);
    if (labels) {
        labels_begin(scene->labels);
        r->last = calloc(1, sizeof(*r->last)); /* without it nothing is paired */
    }
    r->feed.source = feed_source(&r->target, wall);
    rc = start_parts(r, family, want, &s, e);
    if (rc == 0)
        rc = feed_open(scene->guard, slot, &s, wall, &r->feed, e);
    r->want.hz = r->feed.hz;
    if (rc) {
        recording_free(r);
        return rc;
    }
    r->began_real_ns = clock_real_ns();
    r->began_ns = clock_mono_ns();
    r->ends_ns = r->began_ns + want->duration_ms * CLOCK_NS_PER_MS;
    *ret = r;
    return 0;
}

/*
 * New code is taken in before the first sample that may be in it: what is in no known mapping ends
 * a chain. Beyond the share it waits for a later sample, or for the end, where names are sought.
 */
static void follow_mappings(struct recording *r)
{
    uint64_t now_ns = clock_mono_ns();
    struct err e = {0};

    if (r->remap_ns * REMAP_SHARE > now_ns - r->began_ns + CLOCK_NS_PER_SEC)
        return;
    r->unmapped = false;
    (void)scene_refresh(r->scene, &e); /* of a target that is gone or another: as it was */
    r->remap_ns += clock_mono_ns() - now_ns;
}

/* Its labels are its thread and what that does: a set as labels.h writes them. */
static uint32_t wait_set(struct recording *r, const struct wire_wait *wait)
{
    const char *state = wait->state == WIRE_WAIT_RUNNING ? "running" : "blocked";
    char set[128];
    int is_new;
    int n = snprintf(set, sizeof(set), "state%c%s%cthread%c%u%cthread_name%c%s", 0, state, 0, 0,
                     wait->tid, 0, 0, wait->comm);

    return intern_put(&r->stacks.sets, set, (size_t)n + 1, &is_new);
}

/* Where a thread is, for a wall-clock profile. */
static int each_wait(struct recording *r, const struct session_sample *s)
{
    uint32_t set = wait_set(r, s->wait), row;

    if (s->wait->state == WIRE_WAIT_RUNNING) {
        r->stack.depth = 1;
        r->stack.address[0] = UNWIND_RUNNING;
    } else
        unwind_blocked(r->scene->space, s->record, &r->stack, &r->unwound);
    if (stacks_add(&r->stacks, set, r->stack.address, r->stack.depth, s->weight_ns, &row) != 0) {
        r->dropped++;
        recording_finish(r, WIRE_ENDED_LIMIT);
    }
    return 0;
}

/* Labels first: each moment makes them older. */
static int each_sample(void *ctx, const struct session_sample *s)
{
    struct recording *r = ctx;
    uint32_t set = INTERN_NONE, row;

    if (r->parts && s->record->pid != r->target.pid) {
        if (parts_take(r->parts, s, &r->stack, &r->unwound) != 0) {
            r->dropped++;
            recording_finish(r, WIRE_ENDED_LIMIT);
        }
        return 0;
    }
    if ((r->want.flags & WIRE_CPU_LABELS) && s->record->regs_valid)
        labels_read(r->scene->labels, s->record->regs[REG_G], s->record->regs[REG_SP],
                    s->record->time_ns, &r->stacks.sets, &set);
    if (s->remapped)
        r->unmapped = true;
    if (r->unmapped)
        follow_mappings(r);
    if (s->wait)
        return each_wait(r, s);
    unwind_sample(r->scene->space, s->record, &r->stack, &r->unwound);
    if (stacks_add(&r->stacks, set, r->stack.address, r->stack.depth, s->weight_ns, &row) != 0) {
        r->dropped++;
        recording_finish(r, WIRE_ENDED_LIMIT);
        return 0;
    }
    if (r->last && s->record->regs_valid)
        running_note(r->last, &(const struct running_row){.g = s->record->regs[REG_G],
                                                          .sp = s->record->regs[REG_SP],
                                                          .time_ns = s->record->time_ns,
                                                          .tid = s->record->tid,
                                                          .stack = row});
    return 0;
}

void recording_finish(struct recording *r, enum wire_ended ended)
{
    if (r->over)
        return;
    r->over = true;
    r->ended = ended;
    r->ends_ns = clock_mono_ns();
}

int recording_run(struct recording *r)
{
    unsigned events = 0;
    int rc = feed_run(&r->feed, each_sample, r, &events);

    if (rc)
        return rc;
    if (events & SESSION_EVENT_EXEC)
        recording_finish(r, WIRE_ENDED_EXEC);
    else if (events & SESSION_EVENT_GONE)
        recording_finish(r, WIRE_ENDED_EXIT);
    else if (clock_wait_ms(r->ends_ns) == 0)
        recording_finish(r, WIRE_ENDED_TIME);
    return 0;
}

int recording_wait_ms(const struct recording *r)
{
    int feed = feed_wait_ms(&r->feed);
    int end = clock_wait_ms(r->ends_ns);

    return feed < end ? feed : end;
}

static void fill(const struct recording *r, const struct session_counts *c,
                 struct wire_profile *ret)
{
    ret->ended = r->ended;
    ret->samples = c->samples - r->dropped;
    ret->lost = c->lost + r->dropped;
    ret->duration_ns = r->ends_ns - r->began_ns;
    ret->mode = r->target.mode;
    ret->source = r->feed.source;
    ret->hz = r->feed.hz;
}

void recording_profile(struct recording *r, struct wire_profile *ret, int *ret_fd)
{
    struct build_facts facts = {0};
    struct session_counts counts;
    struct err e = {0};

    *ret_fd = -1;
    memset(ret, 0, sizeof(*ret));
    /* what arrives after an exec belongs to another program */
    ret->result = feed_stop(&r->feed, each_sample, r);
    feed_counts(&r->feed, &counts);
    if ((r->unmapped || counts.remapped) && r->ended != WIRE_ENDED_EXEC)
        (void)scene_refresh(r->scene, &e);
    if (r->parts)
        parts_end(r->parts);
    err_clear(&e);
    fill(r, &counts, ret);
    if (ret->result == 0 || ret->result == -ESRCH) {
        facts.recording = r;
        facts.counts = &counts;
        ret->result = build_profile(&facts, ret_fd, &e);
    } else {
        (void)err_set(&e, ret->result, "the sampling broke: %s", strerror(-ret->result));
    }
    (void)snprintf(ret->text, sizeof(ret->text), "%.*s", (int)sizeof(ret->text) - 1, e.text);
}

void recording_free(struct recording *r)
{
    if (!r)
        return;
    feed_close(&r->feed);
    parts_free(r->parts);
    stacks_release(&r->stacks);
    free(r->last);
    free(r);
}
