/*
 * One timer for all rows: it rings when the next one is due. Everything a row does ends in
 * rested(), which winds it up again.
 */
#include "sidecar/collect/collect.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/collect/row.h"

enum {
    COLLECT_MAGIC = 0x434f4c4c,
    COLLECT_LOOK_MS = 1000, /* at the latest: a target may have come meanwhile */
};

struct collect {
    unsigned magic;
    uv_timer_t *timer; /* on the heap: it outlives us until it is closed */
    struct row_room room;
    struct row rows[COLLECT_ROWS_MAX];
    size_t count;
    __typeof__(((struct config *)NULL)->collect) made_of; /* what the rows come from */
};

static void wind(struct collect *c);

static void look(struct collect *c)
{
    uint64_t now = clock_mono_ns();

    for (size_t i = 0; i < c->count && !c->room.draining; i++) {
        struct row *r = &c->rows[i];

        if (r->state == ROW_RESTS && r->due_ns <= now && row_may(r))
            row_take(r);
    }
    wind(c);
}

static void on_timer(uv_timer_t *t)
{
    struct collect *c = t->data;

    MAGIC_CHECK(c, COLLECT_MAGIC);
    look(c);
}

static void wind(struct collect *c)
{
    uint64_t now = clock_mono_ns();
    uint64_t ms = COLLECT_LOOK_MS;

    if (c->room.draining || c->count == 0)
        return;
    for (size_t i = 0; i < c->count; i++) {
        const struct row *r = &c->rows[i];

        if (r->state == ROW_RESTS && r->due_ns > now && (r->due_ns - now) / CLOCK_NS_PER_MS < ms)
            ms = (r->due_ns - now) / CLOCK_NS_PER_MS;
    }
    (void)uv_timer_start(c->timer, on_timer, ms + 1, 0);
}

static void rested(void *ctx)
{
    struct collect *c = ctx;

    MAGIC_CHECK(c, COLLECT_MAGIC);
    wind(c);
}

/* --- from the configuration --- */

static int make_policy(const struct config *c, struct refine_policy **ret, struct err *e)
{
    const char *keep[CONFIG_SAMPLE_LABELS_MAX], *drop[CONFIG_SAMPLE_LABELS_MAX];
    struct policy_rule rules[CONFIG_REDACT_MAX];
    struct policy_want want = {
        .keep = keep,
        .keep_count = c->sample_labels.keep_count,
        .drop = drop,
        .drop_count = c->sample_labels.drop_count,
        .max_values = c->sample_labels.max_values,
        .rules = rules,
        .rules_count = c->redact_count,
    };
    struct policy *policy;
    int r;

    for (size_t i = 0; i < want.keep_count; i++)
        keep[i] = c->sample_labels.keep[i];
    for (size_t i = 0; i < want.drop_count; i++)
        drop[i] = c->sample_labels.drop[i];
    for (size_t i = 0; i < want.rules_count; i++)
        rules[i] = (struct policy_rule){c->redact[i].match, c->redact[i].replace, c->redact[i].in};
    r = policy_new(&want, &policy, e);
    if (r)
        return r;
    *ret = refine_policy_new(policy);
    if (*ret)
        return 0;
    policy_free(policy);
    return err_set(e, -ENOMEM, "out of memory");
}

static void drop_rows(struct collect *c)
{
    for (size_t i = 0; i < c->count; i++)
        row_release(&c->rows[i]);
    c->count = 0;
}

static int make_rows(struct collect *c, struct err *e)
{
    const struct config *config = c->room.st->config;

    for (size_t i = 0; i < config->collect.profiles_count; i++) {
        const struct config_collect *p = &config->collect.profiles[i];

        if (row_init(&c->rows[c->count], &c->room, p->type, false, p))
            return err_set(e, -EINVAL, "collect: no profile is called \"%s\"", p->type);
        c->count++;
    }
    for (size_t i = 0; i < config->collect.scrape.types_count; i++) {
        const char *type = config->collect.scrape.types[i];

        if (!scrape_name_ok(type) || row_init(&c->rows[c->count], &c->room, type, true, NULL))
            return err_set(e, -EINVAL, "collect.scrape: \"%s\" cannot be a profile's name", type);
        c->count++;
    }
    return 0;
}

/* New rows have no base yet, so they are made anew only when the schedule has changed. */
static int renew_rows(struct collect *c, struct err *e)
{
    struct row_room *room = &c->room;
    const struct config *config = room->st->config;
    struct scrape *scrape;
    int r;

    if (memcmp(&c->made_of, &config->collect, sizeof(c->made_of)) == 0) {
        scrape_secrets(room->scrape);
        return 0;
    }
    r = scrape_new(room->loop, config, &scrape, e);
    if (r)
        return r;
    drop_rows(c);
    scrape_free(room->scrape);
    room->scrape = scrape;
    /* without a store there is nowhere to put them: the scrape is then for the routes alone */
    if (config->collect.every_ms && room->st->store)
        r = make_rows(c, e);
    if (r == 0)
        memcpy(&c->made_of, &config->collect, sizeof(c->made_of));
    wind(c);
    return r;
}

int collect_reload(struct collect *c, struct err *e)
{
    struct refine_policy *policy;
    int r = make_policy(c->room.st->config, &policy, e);

    if (r)
        return r;
    refine_policy_put(c->room.policy);
    c->room.policy = policy;
    return renew_rows(c, e);
}

/* --- life --- */

static void on_timer_closed(uv_handle_t *h)
{
    free(h);
}

int collect_new(uv_loop_t *loop, struct state *st, struct collect **ret, struct err *e)
{
    struct collect *c = calloc(1, sizeof(*c));
    int r;

    if (c)
        c->timer = calloc(1, sizeof(*c->timer));
    if (!c || !c->timer) {
        free(c);
        return err_set(e, -ENOMEM, "out of memory");
    }
    c->magic = COLLECT_MAGIC;
    c->room = (struct row_room){.loop = loop, .st = st, .rested = rested, .ctx = c};
    (void)uv_timer_init(loop, c->timer); /* always 0 */
    c->timer->data = c;
    r = collect_reload(c, e);
    if (r) {
        collect_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void collect_free(struct collect *c)
{
    if (!c)
        return;
    MAGIC_CHECK(c, COLLECT_MAGIC);
    drop_rows(c);
    scrape_free(c->room.scrape);
    refine_policy_put(c->room.policy);
    uv_close((uv_handle_t *)c->timer, on_timer_closed);
    c->magic = 0;
    free(c);
}

void collect_news(struct collect *c)
{
    if (!c)
        return;
    MAGIC_CHECK(c, COLLECT_MAGIC);
    if (c->room.st->status.target.state == WIRE_TARGET_UP &&
        origin_renew(&c->room.origin, c->room.st)) {
        for (size_t i = 0; i < c->count; i++) {
            /* one under way is the old target's: its item says so already, and it renews itself */
            if (c->rows[i].state == ROW_RESTS)
                row_renew(&c->rows[i]);
        }
    }
    look(c);
}

/* The running CPU window is ended by peers_finish(); what can be read at once is read once more. */
void collect_drain(struct collect *c)
{
    if (!c || c->room.draining)
        return;
    c->room.draining = true;
    (void)uv_timer_stop(c->timer);
    for (size_t i = 0; i < c->count; i++) {
        struct row *r = &c->rows[i];

        if (r->state == ROW_RESTS && r->seconds == 0 && row_may(r))
            row_take(r);
    }
}

bool collect_idle(const struct collect *c)
{
    for (size_t i = 0; c && i < c->count; i++) {
        if (c->rows[i].state != ROW_RESTS)
            return false;
    }
    return true;
}

void collect_secrets(struct collect *c)
{
    if (c)
        scrape_secrets(c->room.scrape);
}

struct scrape *collect_scrape(struct collect *c)
{
    return c ? c->room.scrape : NULL;
}

size_t collect_count(const struct collect *c)
{
    return c ? c->count : 0;
}

void collect_look(const struct collect *c, size_t i, struct collect_status *ret)
{
    const struct row *r = &c->rows[i];
    uint64_t now = clock_mono_ns();

    *ret = r->status;
    ret->next_ms = r->due_ns > now ? (r->due_ns - now) / CLOCK_NS_PER_MS : 0;
}
