/*
 * The lists of profile buckets. Buckets are put in at the head, never taken out, and nothing of
 * them but the record at their end changes (runtime/mprof.go, stkbucket), so a list that was walked
 * once stays right; the numbers are what needs care. Three passes: walk, look at the numbers again
 * until they hold still, hand out. Between the passes a bucket is an address and its numbers, some
 * 60 bytes: a program with a hundred thousand of them costs us 6 MB.
 */
#include "sampler/go/buckets.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "sampler/go/window.h"

enum {
    FIRST_ROWS = 1024,
    HEADER_MAX_BYTES = 128, /* struct bucket has 48 */
    RECORD_MAX_BYTES = 256, /* struct memRecord has 128 */
    FUTURES = 3,            /* memRecord.future */
    SNAPSHOT_TRIES = 8,     /* collections that may come between */
    ALONE_TRIES = 8,        /* for one record */
    SETTLE_TRIES = 4,       /* for numbers that count all the time */
    VALUES = 4,
    WORD_BYTES = 8,
};

/* No program counts so far: 2^62 bytes, events or ticks are a broken record. */
#define VALUE_MAX (INT64_C(1) << 62)

/* Addresses outside are none of user space on amd64 and arm64 (47 and 48 bits). */
#define ADDRESS_MIN UINT64_C(4096)
#define ADDRESS_END (UINT64_C(1) << 48)

/* Which of a memory record's future cycles counts as published. */
enum pending {
    PENDING_NONE = -1, /* where the cycle is, is not known */
    PENDING_ALL = FUTURES,
};

struct row {
    uint64_t address;
    uint64_t size;
    uint32_t depth;
    bool moved;        /* another one at the last look than before */
    int64_t v[VALUES]; /* memory: allocs, frees and their bytes; else the count's bits, cycles */
};

struct reading {
    const struct go_runtime *rt;
    const struct go_layout *layout;
    struct go_budget *budget;
    struct window *window;
    struct err *e;
    enum buckets_kind kind;
    const char *name;
    uint64_t list;  /* address of the variable */
    uint32_t cycle; /* mProfCycle when the reading began */
    int pending;    /* enum pending, or the index of one future cycle */
    struct row *rows;
    size_t count, cap, mixed;
    uint64_t pcs[BUCKETS_DEPTH_MAX];
};

/* ---- Words */

static uint64_t word_at(const unsigned char *p, int32_t offset)
{
    uint64_t v;

    memcpy(&v, p + offset, sizeof(v));
    return v;
}

/* What the window said, for people: memory that is not there is a broken list. */
static int failed(struct reading *r, int code, uint64_t address)
{
    switch (code) {
    case -EFAULT:
        return err_set(r->e, -EBADMSG,
                       "the list of %s buckets leads to %#" PRIx64 ", where nothing is mapped",
                       r->name, address);
    case -ETIMEDOUT:
    case -ECANCELED:
        return err_set(r->e, code, "reading the %s buckets: %s", r->name,
                       r->budget->why ? r->budget->why : "cancelled");
    default:
        return err_set(r->e, code, "reading the %s buckets: the target's memory cannot be read",
                       r->name);
    }
}

static int read_bytes(struct reading *r, uint64_t address, void *out, size_t bytes)
{
    int code = window_read(r->window, address, out, bytes);

    return code == 0 ? 0 : failed(r, code, address);
}

static int impossible(struct reading *r, uint64_t address, const char *why)
{
    return err_set(r->e, -EBADMSG, "the %s bucket at %#" PRIx64 " is impossible: %s", r->name,
                   address, why);
}

/* ---- One bucket */

/* The header; *ret_next is the rest of the list. */
static int read_header(struct reading *r, uint64_t at, struct row *row, uint64_t *ret_next)
{
    const struct go_layout *l = r->layout;
    unsigned char b[HEADER_MAX_BYTES] = {0};
    uint64_t depth;
    int rc;

    if (at < ADDRESS_MIN || at >= ADDRESS_END || at % WORD_BYTES != 0)
        return impossible(r, at, "no address");
    rc = read_bytes(r, at, b, (size_t)l->bucket_size);
    if (rc != 0)
        return rc;
    depth = word_at(b, l->bucket_nstk);
    if (word_at(b, l->bucket_typ) != (uint64_t)r->kind)
        return impossible(r, at, "it is of another kind");
    if (depth > BUCKETS_DEPTH_MAX)
        return impossible(r, at, "its stack is deeper than any");
    *row = (struct row){
        .address = at, .size = word_at(b, l->bucket_alloc_size), .depth = (uint32_t)depth};
    *ret_next = word_at(b, l->bucket_allnext);
    return 0;
}

/* Unsigned sums, as the runtime makes them: nonsense shows afterwards. */
static void add_cycle(const struct go_layout *l, const unsigned char *p, uint64_t sum[VALUES])
{
    sum[0] += word_at(p, l->memcycle_allocs);
    sum[1] += word_at(p, l->memcycle_frees);
    sum[2] += word_at(p, l->memcycle_alloc_bytes);
    sum[3] += word_at(p, l->memcycle_free_bytes);
}

/*
 * What memProfileInternal shows of a record: the active cycle, and the one that is due to become
 * part of it but may not be yet (between mProf_NextCycle and mProf_Flush).
 */
static void sum_memory(const struct reading *r, const unsigned char *record, int64_t v[VALUES])
{
    const struct go_layout *l = r->layout;
    uint64_t sum[VALUES] = {0};

    add_cycle(l, record + l->memrecord_active, sum);
    for (int i = 0; i < FUTURES; i++) {
        if (r->pending == PENDING_ALL || r->pending == i)
            add_cycle(l, record + l->memrecord_future + (ptrdiff_t)i * l->memcycle_size, sum);
    }
    for (int i = 0; i < VALUES; i++)
        v[i] = (int64_t)sum[i];
}

static uint64_t record_of(const struct reading *r, const struct row *row)
{
    return row->address + (uint64_t)r->layout->bucket_size + (uint64_t)row->depth * WORD_BYTES;
}

static int read_values(struct reading *r, const struct row *row, int64_t v[VALUES])
{
    const struct go_layout *l = r->layout;
    unsigned char b[RECORD_MAX_BYTES] = {0};
    uint64_t at = record_of(r, row);
    bool memory = r->kind == BUCKETS_MEMORY;
    int rc = read_bytes(r, at, b, (size_t)(memory ? l->memrecord_size : l->blockrecord_size));

    memset(v, 0, VALUES * sizeof(*v));
    if (rc != 0)
        return rc;
    if (memory) {
        sum_memory(r, b, v);
    } else {
        v[0] = (int64_t)word_at(b, l->blockrecord_count);
        v[1] = (int64_t)word_at(b, l->blockrecord_cycles);
    }
    return 0;
}

static double count_of(const struct row *row)
{
    double count;

    memcpy(&count, &row->v[0], sizeof(count));
    return count;
}

/* Numbers that have settled and still cannot be are the target's lie, not our bad luck. */
static int check_values(struct reading *r, const struct row *row)
{
    if (r->kind != BUCKETS_MEMORY) {
        double count = count_of(row);

        if (!isfinite(count) || count < 0 || count > (double)VALUE_MAX)
            return impossible(r, row->address, "its count is no number of events");
        if (row->v[1] < 0 || row->v[1] > VALUE_MAX)
            return impossible(r, row->address, "its cycles are negative");
        return 0;
    }
    for (int i = 0; i < VALUES; i++) {
        if (row->v[i] < 0 || row->v[i] > VALUE_MAX)
            return impossible(r, row->address, "a counter is negative");
    }
    if (row->v[1] > row->v[0] || row->v[3] > row->v[2])
        return impossible(r, row->address, "more was freed than allocated");
    return 0;
}

/* ---- The list */

static int add_row(struct reading *r, const struct row *row)
{
    if (r->count == BUCKETS_MAX)
        return err_set(r->e, -E2BIG, "more than %d %s buckets", BUCKETS_MAX, r->name);
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : FIRST_ROWS;
        struct row *rows = realloc(r->rows, cap * sizeof(*rows));

        if (!rows)
            return err_set(r->e, -ENOMEM, "no memory for the %s buckets", r->name);
        r->rows = rows;
        r->cap = cap;
    }
    r->rows[r->count++] = *row;
    return 0;
}

/*
 * First pass. A circle is found by R. P. Brent's way (1980): compare with a bucket further back,
 * which moves up to the current one whenever the number of steps has doubled.
 */
static int walk(struct reading *r)
{
    uint64_t at, mark = 0, steps = 0, lap = 1;
    int rc = read_bytes(r, r->list, &at, sizeof(at));

    r->count = 0;
    while (rc == 0 && at != 0) {
        struct row row = {0};

        if (at == mark)
            return err_set(r->e, -EBADMSG, "the list of %s buckets goes round in a circle",
                           r->name);
        if (++steps == lap) {
            mark = at;
            lap *= 2;
        }
        rc = read_header(r, at, &row, &at);
        if (rc == 0)
            rc = read_values(r, &row, row.v);
        if (rc == 0)
            rc = add_row(r, &row);
    }
    return rc;
}

/* The number of the memory cycle as the runtime keeps it: in Go 1.18 a plain number at the start of
 * mProf, later shifted by one, over a flag that says whether it has been flushed. */
static int read_cycle(struct reading *r, uint32_t *ret)
{
    if (r->kind != BUCKETS_MEMORY || r->rt->mprof_cycle == 0) {
        *ret = 0;
        return 0;
    }
    return read_bytes(r, r->rt->mprof_cycle, ret, sizeof(*ret));
}

static int pending_of(const struct reading *r)
{
    if (r->rt->mprof_cycle == 0)
        return PENDING_NONE;
    return (int)((r->layout->minor < 19 ? r->cycle : r->cycle >> 1) % FUTURES);
}

/* No collection has ended yet: then memProfileInternal shows the cycles to come instead. */
static bool nothing_active(const struct reading *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->rows[i].v[0] != 0 || r->rows[i].v[1] != 0)
            return false;
    }
    return true;
}

/* One more look at every record: how many had changed, or -errno. */
static ssize_t look_again(struct reading *r)
{
    ssize_t changed = 0;

    window_forget(r->window);
    for (size_t i = 0; i < r->count; i++) {
        struct row *row = &r->rows[i];
        int64_t v[VALUES];
        int rc = read_values(r, row, v);

        if (rc != 0)
            return rc;
        row->moved = memcmp(v, row->v, sizeof(v)) != 0;
        memcpy(row->v, v, sizeof(v));
        changed += row->moved;
    }
    return changed;
}

/*
 * Second pass. What a memory record has published changes only while the runtime moves the next
 * cycle into it, bucket by bucket: any difference means that we saw half of that, -EAGAIN. Other
 * records count all the time; there a record read twice is at most one event apart in its two
 * words, and after some tries that has to do.
 */
static int settle(struct reading *r)
{
    bool moving = r->kind != BUCKETS_MEMORY || r->pending == PENDING_ALL;
    uint32_t cycle;
    int rc;

    for (int i = 0; i < SETTLE_TRIES; i++) {
        ssize_t changed = look_again(r);

        if (changed < 0)
            return (int)changed;
        rc = read_cycle(r, &cycle);
        if (rc != 0)
            return rc;
        if (cycle != r->cycle || (changed > 0 && !moving))
            return -EAGAIN;
        if (changed == 0)
            break;
    }
    return 0;
}

/* One memory record, twice in one call: when both are the same, it is whole. -EAGAIN: never. */
static int read_alone(struct reading *r, struct row *row)
{
    const uint32_t bytes = (uint32_t)r->layout->memrecord_size;
    const uint64_t at = record_of(r, row);
    unsigned char record[2][RECORD_MAX_BYTES] = {{0}};

    for (int i = 0; i < ALONE_TRIES; i++) {
        struct target_range ranges[] = {{at, record[0], bytes, 0}, {at, record[1], bytes, 0}};
        int rc;

        if (!budget_spend(r->budget, (uint64_t)bytes * 2))
            return failed(r, -ETIMEDOUT, at);
        rc = r->rt->target->ops->readv(r->rt->target->ctx, ranges, 2);
        if (rc != 0 || ranges[0].got != bytes || ranges[1].got != bytes)
            return failed(r, rc ? rc : -EFAULT, at);
        if (memcmp(record[0], record[1], bytes) == 0) {
            sum_memory(r, record[0], row->v);
            return 0;
        }
    }
    return -EAGAIN;
}

/*
 * A long list in a program that collects all the time is never read between two collections. Then
 * what is active is taken (always published, at most one collection older), and each record that
 * moved is read on its own: none of them is torn, but some are of one collection and some of the
 * next. How many is told, so that nobody takes it for one moment.
 */
static int read_mixed(struct reading *r)
{
    int rc;

    r->pending = PENDING_NONE;
    window_forget(r->window);
    rc = walk(r);
    if (rc == 0) {
        ssize_t changed = look_again(r);

        rc = changed < 0 ? (int)changed : 0;
    }
    for (size_t i = 0; rc == 0 && i < r->count; i++) {
        if (r->rows[i].moved) {
            rc = read_alone(r, &r->rows[i]);
            r->mixed++;
        }
    }
    return rc;
}

static int snapshot(struct reading *r)
{
    int rc = -EAGAIN;

    for (int i = 0; rc == -EAGAIN && i < SNAPSHOT_TRIES; i++) {
        window_forget(r->window);
        rc = read_cycle(r, &r->cycle);
        if (rc == 0) {
            r->pending = r->kind == BUCKETS_MEMORY ? pending_of(r) : PENDING_NONE;
            rc = walk(r);
        }
        if (rc == 0) {
            if (r->kind == BUCKETS_MEMORY && nothing_active(r))
                r->pending = PENDING_ALL;
            rc = settle(r);
        }
    }
    if (rc == -EAGAIN && r->kind == BUCKETS_MEMORY)
        rc = read_mixed(r);
    if (rc == -EAGAIN)
        return err_set(r->e, rc, "the %s buckets do not hold still: collections follow too fast",
                       r->name);
    for (size_t i = 0; rc == 0 && i < r->count; i++)
        rc = check_values(r, &r->rows[i]);
    return rc;
}

/* Third pass: the stacks, which do not change. That they are the same ones is checked. */
static int hand_out(struct reading *r, int (*each)(void *ctx, const struct bucket *b), void *ctx)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < r->count; i++) {
        const struct row *row = &r->rows[i];
        struct bucket b = {.size = row->size, .depth = row->depth, .pcs = r->pcs};
        struct row now = {0};
        uint64_t next;

        rc = read_header(r, row->address, &now, &next);
        if (rc == 0 && (now.depth != row->depth || now.size != row->size))
            rc = impossible(r, row->address, "it is another one than before");
        if (rc == 0)
            rc = read_bytes(r, row->address + (uint64_t)r->layout->bucket_size, r->pcs,
                            (size_t)row->depth * WORD_BYTES);
        if (rc != 0)
            break;
        if (r->kind == BUCKETS_MEMORY) {
            b.allocs = row->v[0];
            b.frees = row->v[1];
            b.alloc_bytes = row->v[2];
            b.free_bytes = row->v[3];
        } else {
            b.count = count_of(row);
            b.cycles = row->v[1];
        }
        rc = each(ctx, &b);
    }
    return rc;
}

static uint64_t list_of(const struct go_runtime *rt, enum buckets_kind kind, const char **ret_name)
{
    switch (kind) {
    case BUCKETS_BLOCK:
        *ret_name = "block";
        return rt->bbuckets;
    case BUCKETS_MUTEX:
        *ret_name = "mutex";
        return rt->xbuckets;
    case BUCKETS_MEMORY:
    default:
        *ret_name = "memory";
        return rt->mbuckets;
    }
}

/* The generated table is ours, but the sizes go into arrays here. */
static bool fits(const struct go_layout *l)
{
    return l->bucket_size > 0 && l->bucket_size <= HEADER_MAX_BYTES && l->memrecord_size > 0 &&
           l->memrecord_size <= RECORD_MAX_BYTES && l->blockrecord_size > 0 &&
           l->blockrecord_size <= RECORD_MAX_BYTES;
}

int buckets_read(struct go_runtime *rt, enum buckets_kind kind, struct go_budget *budget,
                 int (*each)(void *ctx, const struct bucket *b), void *ctx, uint64_t *ret_mixed,
                 struct err *e)
{
    struct reading *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return err_set(e, -ENOMEM, "no memory to read buckets");
    r->rt = rt;
    r->layout = rt->layout;
    r->budget = budget;
    r->e = e;
    r->kind = kind;
    r->list = list_of(rt, kind, &r->name);
    if (r->list == 0 || !r->layout || !fits(r->layout)) {
        rc = err_set(e, -ENOTSUP, "the runtime's list of %s buckets was not found in this program",
                     r->name);
        goto out;
    }
    rc = window_new(rt->target, budget, &r->window);
    if (rc != 0) {
        (void)err_set(e, rc, "no memory to read buckets");
        goto out;
    }
    rc = snapshot(r);
    if (rc == 0)
        rc = hand_out(r, each, ctx);
    if (rc == 0 && ret_mixed)
        *ret_mixed = r->mixed;
out:
    window_free(r->window);
    free(r->rows);
    free(r);
    return rc;
}
