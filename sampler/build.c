#include "sampler/build.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "profile/profile.h"
#include "sampler/parts.h"
#include "wire/codec.h"

/* No location: a wrapper that the compiler made, which Go's own profiles leave out too. */
#define BUILD_HIDDEN UINT64_MAX

enum {
    BUILD_PROCESS_LABELS = 2, /* pid and process */
};

struct builder {
    struct space *space;
    struct go_image *go; /* NULL: no Go program */
    struct profile *profile;
    struct intern addresses; /* u64 */
    uint64_t *locations;     /* by address number: location id */
    uint32_t locations_cap;
    struct frames frames; /* of the address at hand */
    struct profile_label process[BUILD_PROCESS_LABELS];
    size_t process_count; /* target.all: whose it is */
    uint64_t deadline_ns;
    uint64_t unnamed, unlooked, uncounted, unlabelled;
};

static uint64_t marker(struct builder *b, const char *name)
{
    struct profile_line line = {profile_function(b->profile, name, name, "", 0), 0};

    return profile_location(b->profile, 0, 0, &line, 1);
}

static uint64_t mapping_of(struct builder *b, uint64_t address)
{
    struct space_mapping m;
    struct profile_mapping pm;

    if (space_mapping(b->space, address, &m) != 0)
        return 0;
    pm = (struct profile_mapping){
        .start = m.start,
        .limit = m.end,
        .offset = m.offset,
        .filename = m.path,
        .build_id = m.build_id,
    };
    return profile_mapping(b->profile, &pm);
}

static uint64_t look_up(struct builder *b, uint64_t address)
{
    struct profile_line lines[FRAME_INLINE_MAX];
    uint64_t mapping;
    uint32_t n = 0;
    bool in_time;

    switch (address) {
    case UNWIND_KERNEL:
        return marker(b, "[kernel]");
    case UNWIND_MISSING:
        return marker(b, "[missing]");
    case UNWIND_TRUNCATED:
        return marker(b, "[truncated]");
    case UNWIND_RUNNING:
        return marker(b, "[running]");
    default:
        break;
    }
    in_time = clock_mono_ns() <= b->deadline_ns;
    if (in_time && b->go && go_image_hidden(b->go, address))
        return BUILD_HIDDEN;
    mapping = mapping_of(b, address);
    b->frames.count = 0;
    if (!in_time)
        b->unlooked++;
    else if (space_frames(b->space, address, &b->frames) != 0)
        b->frames.count = 0;
    for (; n < b->frames.count; n++) {
        const struct frame *f = &b->frames.frame[n];

        lines[n] = (struct profile_line){
            profile_function(b->profile, f->name, f->name, f->file, f->start_line), f->line};
    }
    if (n == 0)
        b->unnamed++;
    return profile_location(b->profile, mapping, address, lines, n);
}

/*
 * The location of an address, looked up the first time only; 0 without memory. Forged frame
 * pointers can give a new address each; beyond BUILD_ADDRESSES_MAX they are not told apart.
 */
static uint64_t location_of(struct builder *b, uint64_t address)
{
    int is_new;
    uint32_t i = intern_put(&b->addresses, &address, sizeof(address), &is_new);

    if (i == INTERN_NONE) {
        b->uncounted++;
        return marker(b, "[truncated]");
    }
    if (i >= b->locations_cap) {
        uint32_t cap = b->locations_cap ? b->locations_cap * 2 : 1024;
        uint64_t *p = realloc(b->locations, cap * sizeof(*p));

        if (!p)
            return 0;
        b->locations = p;
        b->locations_cap = cap;
    }
    if (is_new)
        b->locations[i] = look_up(b, address);
    return b->locations[i];
}

/* Ours win where the program has labels of the same name: two values would be read as a list. */
static bool is_process_label(const struct builder *b, const char *key)
{
    for (size_t i = 0; i < b->process_count; i++) {
        if (strcmp(b->process[i].key, key) == 0)
            return true;
    }
    return false;
}

/* A set as labels.h writes it: key NUL value NUL, … */
static size_t labels_of(struct builder *b, const struct intern *sets, uint32_t set,
                        struct profile_label out[static PROFILE_LABELS_MAX])
{
    const char *p;
    size_t bytes;
    size_t n = b->process_count;

    memcpy(out, b->process, n * sizeof(out[0]));
    if (set == INTERN_NONE)
        return n;
    p = intern_get(sets, set, &bytes);
    for (size_t at = 0; at < bytes;) {
        const char *key = p + at;
        const char *value = key + strlen(key) + 1;

        at = (size_t)(value - p) + strlen(value) + 1;
        if (n == PROFILE_LABELS_MAX)
            b->unlabelled++;
        else if (!is_process_label(b, key))
            out[n++] = (struct profile_label){.key = key, .str = value};
    }
    return n;
}

static int add_row(struct builder *b, const struct stacks *stacks, uint32_t i)
{
    uint64_t locations[STACKS_DEPTH_MAX];
    struct profile_label labels[PROFILE_LABELS_MAX];
    const struct stacks_row *row = &stacks->rows[i];
    int64_t values[2] = {(int64_t)row->count, (int64_t)row->weight_ns};
    uint32_t n = 0;
    uint32_t depth;
    uint32_t set;
    const uint64_t *addresses = stacks_get(stacks, i, &set, &depth);

    for (uint32_t k = 0; k < depth; k++) {
        locations[n] = location_of(b, addresses[k]);
        if (locations[n] == 0)
            return -ENOSPC;
        if (locations[n] != BUILD_HIDDEN)
            n++;
    }
    if (n == 0) /* nothing but wrappers: the time is kept all the same */
        locations[n++] = marker(b, "[missing]");
    return profile_sample(b->profile, locations, n, values, labels,
                          labels_of(b, &stacks->sets, set, labels));
}

static int add_rows(struct builder *b, const struct stacks *stacks)
{
    int rc = 0;

    for (uint32_t i = 0; i < stacks->keys.count && rc == 0; i++)
        rc = add_row(b, stacks, i);
    return rc;
}

static void comment(struct profile *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void comment(struct profile *p, const char *fmt, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)profile_add_comment(p, text);
}

/* Of the first process and, with target.all, of the others whose labels were read. */
static void sum_labels(const struct recording *r, struct labels_counts *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (r->want.flags & WIRE_CPU_LABELS)
        labels_counts(r->scene->labels, ret);
    for (uint32_t i = 0; r->parts && i < r->parts->count; i++) {
        struct labels_counts c;

        if (!r->parts->part[i]->labels)
            continue;
        labels_counts(r->parts->part[i]->kin->scene.labels, &c);
        ret->labelled += c.labelled;
        ret->none += c.none;
        ret->late += c.late;
        ret->young += c.young;
        ret->not_g += c.not_g;
        ret->unread += c.unread;
        ret->changed += c.changed;
        ret->delay_sum_ns += c.delay_sum_ns;
        if (c.delay_max_ns > ret->delay_max_ns)
            ret->delay_max_ns = c.delay_max_ns;
    }
}

static bool reads_labels(const struct recording *r)
{
    bool any = (r->want.flags & WIRE_CPU_LABELS) != 0;

    for (uint32_t i = 0; r->parts && i < r->parts->count; i++)
        any = any || r->parts->part[i]->labels;
    return any;
}

static void comment_labels(struct profile *p, const struct recording *r)
{
    struct labels_counts c;

    if (!reads_labels(r)) {
        if (r->scene->labels_note[0])
            comment(p, "labels: none (%s)", r->scene->labels_note);
        return;
    }
    sum_labels(r, &c);
    comment(p,
            "labels: best effort: %" PRIu64 " labelled, %" PRIu64 " without, dropped: %" PRIu64
            " late, %" PRIu64 " too young, %" PRIu64 " no goroutine, %" PRIu64 " unread, %" PRIu64
            " changed",
            c.labelled, c.none, c.late, c.young, c.not_g, c.unread, c.changed);
    if (c.labelled + c.none + c.late > 0)
        comment(p,
                "labels: read %" PRIu64 " us after the sample on average, %" PRIu64 " us at most",
                c.delay_sum_ns / (c.labelled + c.none + c.late) / 1000, c.delay_max_ns / 1000);
}

/* target.all: who is in it, and who is not. */
static void comment_parts(struct profile *p, const struct parts *parts)
{
    const struct wire_members *members = &parts->family->members;
    uint32_t shown = 0;

    comment(
        p,
        "processes: %u now, %u others seen to run, left out beyond %d: %u; samples of processes "
        "that were not looked at: %" PRIu64 " (%" PRIu64 " ms)",
        members->count, parts->count, WIRE_MEMBERS_MAX, members->missed, parts->stray_samples,
        parts->stray_ns / 1000000);
    if (parts->late)
        comment(p, "processes: %u that match started meanwhile and are sampled next time",
                parts->late);
    for (uint32_t i = 0; i < members->count && shown < PARTS_SHOWN_MAX; i++) {
        const struct wire_member *m = &members->row[i];

        if (m->rights & WIRE_RIGHT_PERF)
            continue;
        comment(p, "process %u (%s): not sampled: the kernel refuses it (user, capabilities)",
                m->pid, m->name);
        shown++;
    }
    for (uint32_t i = 0; i < parts->count && shown < PARTS_SHOWN_MAX; i++) {
        const struct part *part = parts->part[i];

        if (part->kin->scene.space)
            continue;
        comment(p, "process %u (%s): no stacks: %s", part->pid, part->name, part->kin->why.text);
        shown++;
    }
}

/*
 * CPU time that the events counted and no sample stands for: threads that ended before their first
 * period was over. Where kernel time is sampled too, the difference is theirs alone; below a tenth
 * it is within what the sampling itself scatters. It gets a stack of its own, so that a profile of
 * many short threads shows what it could not see, and its total is right.
 */
static int add_unsampled(struct builder *b, const struct session_counts *c)
{
    uint64_t location;
    int64_t values[2] = {0, 0};

    if (!c->kernel || c->counted_ns < c->weight_ns + c->counted_ns / BUILD_UNSAMPLED_FRACTION ||
        c->counted_ns - c->weight_ns < BUILD_UNSAMPLED_MIN_NS)
        return 0;
    values[1] = (int64_t)(c->counted_ns - c->weight_ns);
    location = marker(b, "[unsampled: threads shorter than a period]");
    return location ? profile_sample(b->profile, &location, 1, values, NULL, 0) : -ENOSPC;
}

/* How it was taken, where it was not by perf. */
static void comment_source(struct profile *p, const struct session_counts *c, uint32_t hz, bool all)
{
    if (all && c->source != WIRE_SOURCE_PERF)
        comment(p, "of several processes the first one alone: the others need perf");
    if (c->source == WIRE_SOURCE_STOPS) {
        comment(p,
                "sampled by ptrace: running threads stopped %u times a second at most (the limit "
                "is %d), samples weighed by their thread's CPU time",
                hz, WIRE_STOPS_HZ_MAX);
        if (c->waiting)
            comment(p,
                    "sampled by ptrace: %" PRIu64 " samples show where a thread waits that was "
                    "never met running",
                    c->waiting);
        if (c->refused)
            comment(p,
                    "sampled by ptrace: %" PRIu64 " stops were not allowed: somebody else traces "
                    "the target",
                    c->refused);
    } else if (c->source == WIRE_SOURCE_WAITS) {
        comment(p,
                "wall clock: all threads looked at %u times a second through /proc/PID/syscall, "
                "without stopping any; Go's frames by its tables, of other code the innermost one "
                "alone; running threads have no stack",
                hz);
        if (c->moved)
            comment(p, "wall clock: %" PRIu64 " times a thread ran on while it was read: dropped",
                    c->moved);
    }
}

/* What is missing is said, here and in the answer's headers. */
static void comment_all(struct builder *b, const struct build_facts *facts)
{
    static const char *const ends[] = {"time", "target-exit", "target-exec", "cancelled", "limit"};
    const struct recording *r = facts->recording;
    const struct session_counts *c = facts->counts;
    const struct wire_target *t = &r->target;
    struct profile *p = b->profile;

    comment(p, "pillion %s", PILLION_VERSION);
    comment(p, "target: %s %s", t->name, b->go ? go_image_version(b->go) : "native");
    comment(p, "mode: %s%s", codec_mode_name(t->mode),
            c->kernel || c->source == WIRE_SOURCE_WAITS ? "" : ", user space only");
    comment_source(p, c, r->want.hz, t->all);
    comment(p,
            "samples: %" PRIu64 ", lost: %" PRIu64 ", counted twice and dropped: %" PRIu64
            ", threads: %u, not covered: %u%s",
            c->samples, c->lost + r->dropped, c->duplicates, c->threads, c->threads_missed,
            c->shape == WIRE_PERF_PER_THREAD ? ", one event a thread (descriptor limit)" : "");
    if (c->source != WIRE_SOURCE_WAITS)
        comment(p, "cpu time: sampled %" PRIu64 " ms, counted %" PRIu64 " ms",
                c->weight_ns / 1000000, c->counted_ns / 1000000);
    comment(p,
            "stacks: %" PRIu64 " callers repaired, %" PRIu64 " [missing], %" PRIu64
            " [truncated]; addresses without a name: %" PRIu64,
            r->unwound.repaired, r->unwound.unrepaired, r->unwound.truncated, b->unnamed);
    if (r->ended != WIRE_ENDED_TIME)
        comment(p, "ended early: %s", ends[r->ended]);
    if (b->unlabelled)
        comment(p, "labels: %" PRIu64 " left out: a sample has at most %d", b->unlabelled,
                PROFILE_LABELS_MAX);
    if (b->unlooked)
        comment(p, "symbols: %" PRIu64 " addresses not looked up within %d s", b->unlooked,
                BUILD_SYMBOLS_MAX_MS / 1000);
    if (b->uncounted)
        comment(p,
                "stacks: more than %d addresses, %" PRIu64 " times [truncated] stands for others",
                BUILD_ADDRESSES_MAX, b->uncounted);
    if (space_note(b->space)[0])
        comment(p, "symbols: %s", space_note(b->space));
    if (r->parts)
        comment_parts(p, r->parts);
    else if (r->target.all)
        comment(p, "processes: the eldest alone; the others are sampled with perf only");
    if (c->source != WIRE_SOURCE_WAITS)
        comment_labels(p, r);
}

static int add_types(struct profile *p, const struct recording *r)
{
    const char *what = r->want.flags & WIRE_CPU_WALL ? "wall" : "cpu";
    int rc = profile_add_type(p, "samples", "count");

    if (rc == 0)
        rc = profile_add_type(p, what, "nanoseconds");
    if (rc == 0)
        rc = profile_set_period(p, what, "nanoseconds", (int64_t)(CLOCK_NS_PER_SEC / r->want.hz));
    return rc;
}

static int shape(struct builder *b, const struct recording *r)
{
    int rc = add_types(b->profile, r);

    /* readers take the program's name and build id from the first mapping */
    if (rc == 0 && space_main(b->space) != 0)
        (void)mapping_of(b, space_main(b->space));
    profile_set_time(b->profile, (int64_t)r->began_real_ns, (int64_t)(r->ends_ns - r->began_ns));
    return rc;
}

static struct builder *builder_new(struct space *space, uint64_t deadline_ns)
{
    struct builder *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->space = space;
    b->go = space ? space_go(space) : NULL;
    b->deadline_ns = deadline_ns;
    intern_init(&b->addresses, BUILD_ADDRESSES_MAX, BUILD_ADDRESSES_MAX * sizeof(uint64_t));
    b->profile = profile_new();
    return b;
}

static void builder_free(struct builder *b)
{
    if (!b)
        return;
    profile_free(b->profile);
    intern_release(&b->addresses);
    free(b->locations);
    free(b);
}

/* ---- target.all: the other processes */

/* A number, as perf_to_pprof has it: `-tagfocus pid=4711` compares numbers (google/pprof,
 * internal/driver/driver_focus.go). */
static void name_process(struct builder *b, uint32_t pid, const char *name)
{
    b->process[0] = (struct profile_label){.key = "pid", .num = pid};
    b->process[1] = (struct profile_label){.key = "process", .str = name};
    b->process_count = name[0] ? BUILD_PROCESS_LABELS : 1;
}

/* The same addresses mean other things in each process, so each has tables of its own. */
static int add_part(struct builder *b, const struct recording *r, const struct part *part,
                    struct err *e)
{
    struct builder *other = builder_new(part->kin->scene.space, b->deadline_ns);
    int rc = other && other->profile ? add_types(other->profile, r) : -ENOMEM;

    if (rc == 0) {
        name_process(other, part->pid, part->name);
        rc = add_rows(other, &part->stacks);
    }
    if (rc == 0)
        rc =
            profile_failed(other->profile) ? -ENOSPC : profile_merge(b->profile, other->profile, e);
    if (rc == 0) {
        b->unnamed += other->unnamed;
        b->unlooked += other->unlooked;
        b->uncounted += other->uncounted;
        b->unlabelled += other->unlabelled;
    }
    builder_free(other);
    return rc;
}

static int add_parts(struct builder *b, const struct recording *r, struct err *e)
{
    const struct parts *parts = r->parts;
    int64_t values[2];
    uint64_t location;
    int rc = 0;

    for (uint32_t i = 0; i < parts->count && rc == 0; i++) {
        if (parts->part[i]->samples > 0)
            rc = add_part(b, r, parts->part[i], e);
    }
    if (rc || parts->stray_samples == 0)
        return rc;
    values[0] = (int64_t)parts->stray_samples;
    values[1] = (int64_t)parts->stray_ns;
    location = marker(b, "[processes that were not looked at]");
    return location ? profile_sample(b->profile, &location, 1, values, NULL, 0) : -ENOSPC;
}

static const char *name_of_first(const struct recording *r)
{
    const struct wire_member *row = family_member(r->parts->family, r->target.pid);

    return row ? row->name : r->target.name;
}

/* ---- All of it */

static int add_all(struct builder *b, const struct build_facts *facts, struct err *e)
{
    const struct recording *r = facts->recording;
    int rc = b->profile ? shape(b, r) : -ENOMEM;

    if (rc == 0 && r->parts)
        name_process(b, r->target.pid, name_of_first(r));
    if (rc == 0)
        rc = add_rows(b, &r->stacks);
    if (rc == 0 && r->parts)
        rc = add_parts(b, r, e);
    if (rc == 0)
        rc = add_unsampled(b, facts->counts);
    return rc;
}

int build_profile(const struct build_facts *facts, int *ret_fd, struct err *e)
{
    struct builder *b = builder_new(facts->recording->scene->space,
                                    clock_mono_ns() + BUILD_SYMBOLS_MAX_MS * CLOCK_NS_PER_MS);
    struct buf out;
    int rc;

    buf_init(&out, WIRE_PROFILE_MAX_BYTES);
    if (!b)
        return err_set(e, -ENOMEM, "no memory for the profile");
    rc = add_all(b, facts, e);
    if (rc == 0) {
        comment_all(b, facts);
        rc = profile_failed(b->profile) ? -ENOSPC : profile_encode(b->profile, &out);
    }
    if (rc == 0) {
        rc = bulk_make(out.data, out.len);
        if (rc >= 0) {
            *ret_fd = rc;
            rc = 0;
        }
    }
    if (rc)
        (void)err_set(e, rc, "the profile could not be built: %s", strerror(-rc));
    buf_release(&out);
    builder_free(b);
    return rc;
}
