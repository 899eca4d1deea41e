/*
 * The index of the history: a sorted array of what its folder holds, made anew by each pruning, so
 * that whatever happened to the folder meanwhile is known a minute later. The folder is opened by
 * its path in each job: it may have been replaced.
 */
#include "sidecar/store/history.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/store/history_priv.h"

/* --- the index --- */

static int add_row(struct rows *rows, const struct tiers_row *r)
{
    if (rows->count == rows->cap) {
        size_t cap = rows->cap ? rows->cap + rows->cap / 2 : 256;
        struct tiers_row *p = reallocarray(rows->row, cap, sizeof(*p));

        if (!p)
            return -ENOMEM;
        rows->row = p;
        rows->cap = cap;
    }
    rows->row[rows->count++] = *r;
    return 0;
}

/* At its place: almost always the last. One that is there already is not added. */
static void insert_row(struct rows *rows, const struct tiers_row *r)
{
    size_t at = rows->count;

    while (at && key_compare(&rows->row[at - 1], r) > 0)
        at--;
    if (at && key_compare(&rows->row[at - 1], r) == 0)
        return;
    if (add_row(rows, r))
        return; /* the next pruning finds it */
    memmove(&rows->row[at + 1], &rows->row[at], (rows->count - 1 - at) * sizeof(*r));
    rows->row[at] = *r;
}

static void rows_release(struct rows *rows)
{
    free(rows->row);
    memset(rows, 0, sizeof(*rows));
}

static uint64_t rows_bytes(const struct rows *rows)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < rows->count; i++)
        bytes += rows->row[i].bytes;
    return bytes;
}

/* --- pruning --- */

struct pruning {
    struct job job;
    struct history *history;
    char dir[CONFIG_PATH_BYTES];
    struct tiers_rules rules;
    int64_t now_ns;
    struct key_types types; /* its own: the history's belong to the loop's thread */
    struct rows rows;
    uint64_t pruned;
    int result;
};

static int look(void *ctx, const char *name, int64_t bytes)
{
    struct pruning *p = ctx;
    struct tiers_row row = {.bytes = 0};

    if (bytes <= FORMAT_HEAD_BYTES || bytes > FORMAT_FILE_MAX_BYTES ||
        key_parse(&p->types, name, true, &row.key))
        return 0; /* none of ours: left alone */
    row.bytes = (uint32_t)bytes;
    return add_row(&p->rows, &row);
}

static void remove_rows(struct pruning *p, int folder)
{
    size_t to = 0;

    for (size_t i = 0; i < p->rows.count; i++) {
        char name[KEY_NAME_BYTES];

        if (p->rows.row[i].stays) {
            p->rows.row[to++] = p->rows.row[i];
            continue;
        }
        key_print(&p->types, &p->rows.row[i].key, true, name);
        if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
            p->result = -errno;
        p->pruned++;
    }
    p->rows.count = to;
}

static void prune_work(struct job *j)
{
    struct pruning *p = (struct pruning *)j;
    int folder = openat(AT_FDCWD, p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0) {
        p->result = -errno;
        return;
    }
    p->result = disk_list(folder, look, p);
    if (p->rows.count)
        qsort(p->rows.row, p->rows.count, sizeof(*p->rows.row), key_compare);
    tiers_judge(p->rows.row, p->rows.count, &p->rules, p->now_ns);
    if (p->result == 0)
        remove_rows(p, folder);
    (void)close(folder);
}

static void take_over(struct history *h, struct pruning *p)
{
    struct rows late = h->late;

    for (size_t i = 0; i < p->rows.count; i++) {
        struct key *k = &p->rows.row[i].key;

        if (key_type(&h->types, p->types.name[k->type], &k->type))
            k->type = 0; /* more types than there can be */
    }
    rows_release(&h->rows);
    h->rows = p->rows;
    p->rows = (struct rows){NULL, 0, 0};
    h->late = (struct rows){NULL, 0, 0};
    for (size_t i = 0; i < late.count; i++)
        insert_row(&h->rows, &late.row[i]);
    rows_release(&late);
    h->bytes = rows_bytes(&h->rows);
    h->pruned += p->pruned;
}

static void prune_after(struct job *j, bool canceled)
{
    struct pruning *p = (struct pruning *)j;
    struct history *h = p->history;

    MAGIC_CHECK(h, HISTORY_MAGIC);
    h->pruning = false;
    if (!canceled && p->result == 0)
        take_over(h, p);
    else if (!canceled && p->result != h->trouble)
        log_warn("the history cannot be looked at", LOG_STR("dir", p->dir),
                 LOG_STR("why", strerror(-p->result)));
    if (!canceled)
        h->trouble = p->result;
    rows_release(&p->rows);
    free(p);
}

/* Real time as it went on from our start: a clock that is set drops nothing. */
static int64_t steady_ns(const struct history *h)
{
    return h->opened_real_ns + (int64_t)(clock_mono_ns() - h->opened_mono_ns);
}

static struct pruning *new_pruning(struct history *h)
{
    struct pruning *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->job = (struct job){NULL, prune_work, prune_after, NULL};
    p->history = h;
    memcpy(p->dir, h->dir, sizeof(p->dir));
    p->rules = h->rules;
    p->now_ns = steady_ns(h);
    return p;
}

static void prune(struct history *h)
{
    struct pruning *p = h->pruning ? NULL : new_pruning(h);

    if (!p)
        return; /* the next time */
    h->pruning = true;
    jobs_add(h->jobs, &p->job);
}

static void on_time(uv_timer_t *t)
{
    struct history *h = t->data;

    MAGIC_CHECK(h, HISTORY_MAGIC);
    prune(h);
}

/* The store has given one its name in our folder. */
static void on_kept(void *ctx, const struct key *k, const char *type, uint64_t bytes)
{
    struct history *h = ctx;
    struct tiers_row row = {.key = *k, .bytes = (uint32_t)bytes, .stays = true};

    MAGIC_CHECK(h, HISTORY_MAGIC);
    if (key_type(&h->types, type, &row.key.type))
        return;
    insert_row(&h->rows, &row);
    if (h->pruning)
        insert_row(&h->late, &row);
    h->bytes += bytes;
    if ((h->rules.max_bytes && h->bytes > h->rules.max_bytes) || h->rows.count > HISTORY_FILES_MAX)
        prune(h);
}

/* --- life --- */

void history_reload(struct history *h, const struct config *c)
{
    if (!h)
        return;
    MAGIC_CHECK(h, HISTORY_MAGIC);
    if (strcmp(h->dir, c->history.dir) != 0)
        log_warn("another history.dir needs a restart", LOG_STR("dir", h->dir));
    h->rules = (struct tiers_rules){
        .minutely_ms = c->history.minutely_ms,
        .hourly_ms = c->history.hourly_ms,
        .daily_ms = c->history.daily_ms,
        .max_bytes = c->history.max_bytes,
        .max_files = HISTORY_FILES_MAX,
    };
}

static int open_handles(struct history *h, uv_loop_t *loop)
{
    h->jobs = jobs_new(loop);
    h->format = format_new();
    h->timer = calloc(1, sizeof(*h->timer));
    if (!h->jobs || !h->format || !h->timer)
        return -ENOMEM;
    (void)uv_timer_init(loop, h->timer); /* always 0 */
    h->timer->data = h;
    (void)uv_timer_start(h->timer, on_time, 0, HISTORY_PRUNE_MS);
    uv_unref((uv_handle_t *)h->timer);
    return 0;
}

int history_open(struct store *s, const struct config *c, struct history **ret, struct err *e)
{
    struct history *h;

    *ret = NULL;
    if (!c->history.dir[0])
        return 0;
    h = calloc(1, sizeof(*h));
    if (!h)
        return err_set(e, -ENOMEM, "out of memory");
    h->magic = HISTORY_MAGIC;
    h->store = s;
    (void)snprintf(h->dir, sizeof(h->dir), "%s", c->history.dir);
    h->opened_real_ns = (int64_t)clock_real_ns();
    h->opened_mono_ns = clock_mono_ns();
    history_reload(h, c);
    if (open_handles(h, store_loop(s))) {
        history_close(h);
        return err_set(e, -ENOMEM, "out of memory");
    }
    store_on_kept(s, on_kept, h);
    *ret = h; /* the first pruning, when the loop turns, tells what there is */
    return 0;
}

static void free_handle(uv_handle_t *t)
{
    free(t);
}

void history_close(struct history *h)
{
    if (!h)
        return;
    MAGIC_CHECK(h, HISTORY_MAGIC);
    atomic_store(&h->stopping, true);
    store_on_kept(h->store, NULL, NULL);
    jobs_free(h->jobs);
    rows_release(&h->rows);
    rows_release(&h->late);
    format_free(h->format);
    if (h->timer) {
        (void)uv_timer_stop(h->timer);
        uv_close((uv_handle_t *)h->timer, free_handle);
    }
    h->magic = 0;
    free(h);
}

void history_counts(const struct history *h, struct history_counts *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (!h)
        return;
    ret->profiles = h->rows.count;
    ret->bytes = h->bytes;
    ret->pruned = h->pruned;
    ret->lost = store_history_lost(h->store);
    (void)snprintf(ret->state, sizeof(ret->state), "%s%s", h->trouble ? "degraded: " : "ok",
                   h->trouble ? strerror(-h->trouble) : "");
}
