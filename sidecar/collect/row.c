#include "sidecar/collect/row.h"

#include <errno.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "base/log.h"
#include "sidecar/collect/beat.h"
#include "sidecar/store/store.h"

enum {
    ROW_CPU_SECONDS = 10,
    ROW_CPU_HZ = 100,
    ROW_NAME_BYTES = 256,
};

/* --- the ends of a taking --- */

static void rest(struct row *r)
{
    r->state = ROW_RESTS;
    r->ticket = 0;
    r->job = NULL;
    row_schedule(r);
    r->room->rested(r->room->ctx);
}

static void failed(struct row *r, const char *why)
{
    size_t kept = sizeof(r->status.last_error) - 1;

    r->status.failed++;
    if (strncmp(r->status.last_error, why, kept) != 0) /* said once, not once a minute */
        log_warn("a profile could not be collected", LOG_STR("type", r->type),
                 LOG_STR("source", r->status.source), LOG_STR("why", why));
    (void)snprintf(r->status.last_error, kept + 1, "%s", why);
    rest(r);
}

/* The sampler or our own queue has no room at the moment: not a failure, and not a beat later. */
static void later(struct row *r)
{
    r->state = ROW_RESTS;
    r->due_ns = clock_mono_ns() + COLLECT_RETRY_MS * CLOCK_NS_PER_MS;
    r->room->rested(r->room->ctx);
}

static void stored(void *data, int result, const char *why)
{
    struct row *r = data;

    if (result) {
        failed(r, why ? why : strerror(-result));
        return;
    }
    r->seq++;
    r->status.taken++;
    r->status.last_ns = (int64_t)clock_real_ns();
    r->status.last_error[0] = '\0';
    r->again = true;
    rest(r);
}

static void say_dropped(const struct row *r, const struct policy_report *report)
{
    if (report->keys_count > 0)
        log_debug("a sample label with too many values was dropped", LOG_STR("type", r->type),
                  LOG_STR("label", report->keys[0]), LOG_U64("labels", report->keys_count));
}

static void refined(void *data, const struct refine_done *done)
{
    struct row *r = data;
    int rc;

    r->job = NULL;
    if (done->base->len > 0) {
        buf_release(&r->base);
        r->base = *done->base;
        buf_init(done->base, r->base.max_bytes);
        if (done->renewed)
            r->base_ns = r->read_ns;
    }
    if (done->result == -ENODATA) {
        rest(r); /* the first of this target: the next one has something to differ from */
        return;
    }
    if (done->result) {
        failed(r, done->why);
        return;
    }
    say_dropped(r, &done->report);
    r->item.time_ns = done->time_ns > 0 ? done->time_ns : 0;
    r->item.duration_ns = done->duration_ns;
    r->item.seq = r->seq;
    r->state = ROW_STORES;
    rc = store_put(r->room->st->store, &r->item, done->raw->data, done->raw->len, r->backends, true,
                   stored, r);
    if (rc)
        failed(r, rc == -EBUSY ? "the spool has too much to write" : strerror(-rc));
}

static void refine(struct row *r, struct buf *input)
{
    struct refine_want want = {
        .policy = r->room->policy,
        .growth = r->growth,
        .now_ns = (int64_t)clock_real_ns(),
        .input = input,
        .base = &r->base,
    };
    int rc;

    /* of another target by now: then it is the first of its own */
    if (r->growth && r->generation != r->room->origin.generation)
        row_renew(r);
    r->read_ns = clock_mono_ns();
    want.since_base_ns = r->read_ns - r->base_ns;
    r->state = ROW_REFINES;
    rc = refine_start(r->room->loop, &want, refined, r, &r->job);
    if (rc) {
        buf_release(input);
        failed(r, strerror(-rc));
    }
}

static void take_bulk(struct row *r, int fd)
{
    struct bulk bulk = {0};
    struct buf input;
    int rc = bulk_map(fd, ITEM_RAW_MAX_BYTES, &bulk);

    buf_init(&input, ITEM_RAW_MAX_BYTES);
    if (rc == 0)
        buf_put(&input, bulk.data, bulk.bytes);
    bulk_release(&bulk);
    if (rc || input.failed) {
        buf_release(&input);
        failed(r, rc == -EFBIG ? "the profile is too large" : "out of memory");
        return;
    }
    refine(r, &input);
}

/* --- answers --- */

/* A sampler that died of this profile: counted as a client's would be, so that three in a row end
 * it for everybody until the target changes. */
static bool unanswered(struct row *r, const struct peers_answer *a)
{
    struct state *st = r->room->st;

    if (a->fate == PEERS_ANSWERED)
        return false;
    if (a->fate == PEERS_DIED && a->incident)
        session_crashed(&st->session, r->kind, a->incident, r->generation);
    metrics_profile(&st->metrics, r->kind,
                    a->fate == PEERS_DIED ? METRICS_CRASHED : METRICS_FAILED);
    failed(r, a->why);
    return true;
}

static void came(void *data, const struct peers_answer *a)
{
    struct row *r = data;
    struct state *st = r->room->st;
    const char *text;
    int result;

    r->ticket = 0;
    if (unanswered(r, a))
        return;
    result = session_samples(r->kind) ? a->answer->body.cpu.result : a->answer->body.runtime.result;
    text = session_samples(r->kind) ? a->answer->body.cpu.text : a->answer->body.runtime.text;
    if (result == -EBUSY) {
        later(r);
        return;
    }
    metrics_profile(&st->metrics, r->kind, result ? METRICS_FAILED : METRICS_OK);
    if (result) {
        failed(r, text[0] ? text : strerror(-result));
        return;
    }
    session_survived(&st->session, r->kind);
    if (session_samples(r->kind)) {
        st->metrics.samples += a->answer->body.cpu.samples;
        st->metrics.samples_lost += a->answer->body.cpu.lost;
    }
    take_bulk(r, a->answer->fd);
}

static void scraped(void *data, const struct scrape_answer *a)
{
    struct row *r = data;
    struct buf input;

    r->ticket = 0;
    if (a->result == -EBUSY && !r->room->draining) {
        later(r); /* somebody else profiles there now */
        return;
    }
    if (a->result) {
        failed(r, a->why);
        return;
    }
    buf_init(&input, ITEM_RAW_MAX_BYTES);
    buf_put(&input, a->body, a->bytes);
    if (input.failed) {
        buf_release(&input);
        failed(r, "out of memory");
        return;
    }
    refine(r, &input);
}

/* --- asking --- */

static int ask_cpu(struct row *r)
{
    struct wire_cpu cpu = {
        .duration_ms = r->seconds * 1000,
        .hz = r->hz,
        .flags = WIRE_CPU_KERNEL |
                 (r->room->st->config->sample_labels.read ? (uint32_t)WIRE_CPU_LABELS : 0) |
                 (r->kind == SESSION_WALL ? (uint32_t)WIRE_CPU_WALL : 0),
    };

    return peers_cpu(r->room->st->peers, &cpu, came, r, &r->ticket);
}

static int ask_runtime(struct row *r)
{
    struct wire_runtime want = {
        .kind = (uint32_t)r->kind - (uint32_t)SESSION_GOROUTINE, /* the same order: session.h */
        .form = WIRE_RUNTIME_PPROF,
    };

    return readings_ask(r->room->st->readings, &want, came, r, &r->ticket);
}

bool row_may(const struct row *r)
{
    const struct state *st = r->room->st;

    if (r->scraped)
        return r->room->scrape != NULL;
    return st->status.target.state == WIRE_TARGET_UP && st->sampler_up &&
           !session_broken(&st->session, r->kind, st->status.target.generation) &&
           (session_samples(r->kind) || state_is_go(st));
}

void row_take(struct row *r)
{
    struct row_room *room = r->room;
    int rc = origin_item(&room->origin, room->st, r->type, r->status.source, &r->item);

    r->backends = origin_backends(room->st->config, r->type);
    r->generation = room->origin.generation;
    r->again = false;
    r->state = ROW_ASKS;
    if (rc == 0 && r->scraped)
        /* what we call cpu is called profile there */
        rc = scrape_get(room->scrape, strcmp(r->type, "cpu") == 0 ? "profile" : r->type, r->seconds,
                        scraped, r, &r->ticket);
    else if (rc == 0 && session_samples(r->kind))
        rc = ask_cpu(r);
    else if (rc == 0)
        rc = ask_runtime(r);
    if (rc == -EBUSY || rc == -EAGAIN || rc == -EPIPE)
        later(r);
    else if (rc)
        failed(r, strerror(-rc));
}

/* --- life --- */

void row_schedule(struct row *r)
{
    uint64_t wait = beat_wait_ms(clock_real_ns(), r->every_ms, r->phase_ms);

    /* what is cumulative needs a base as early as can be; one that failed waits for the beat */
    if (r->growth && r->base.len == 0 && r->status.last_error[0] == '\0')
        wait = 0;
    /* windows as long as their beat: one after the other, since each ends a little after the beat
     */
    if (r->again && r->seconds * CLOCK_NS_PER_SEC >= r->every_ms * CLOCK_NS_PER_MS)
        wait = 0;
    r->due_ns = clock_mono_ns() + wait * CLOCK_NS_PER_MS;
}

static bool is_cumulative(const char *type)
{
    static const char *const types[] = {"heap", "allocs", "block", "mutex"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0)
            return true;
    }
    return false;
}

static int find_kind(struct row *r)
{
    if (strcmp(r->type, "wall") == 0) {
        r->kind = SESSION_WALL;
        return 0;
    }
    for (int k = 0; k <= SESSION_THREADCREATE; k++) {
        if (strcmp(session_kind_name((enum session_kind)k), r->type) == 0) {
            r->kind = (enum session_kind)k;
            return 0;
        }
    }
    return -EINVAL;
}

int row_init(struct row *r, struct row_room *room, const char *type, bool from_scrape,
             const struct config_collect *c)
{
    const struct config *config = room->st->config;
    char seed[ROW_NAME_BYTES];
    bool cpu = strcmp(type, "cpu") == 0 || strcmp(type, "profile") == 0;

    memset(r, 0, sizeof(*r));
    r->room = room;
    r->scraped = from_scrape;
    (void)snprintf(r->type, sizeof(r->type), "%s", cpu ? "cpu" : type);
    (void)snprintf(r->status.type, sizeof(r->status.type), "%s", r->type);
    r->status.source = from_scrape ? "scrape" : "sampler";
    r->growth = is_cumulative(type);
    r->every_ms = c && c->every_ms ? c->every_ms : config->collect.every_ms;
    if (cpu || strcmp(type, "wall") == 0) {
        r->seconds = c && c->seconds ? c->seconds : ROW_CPU_SECONDS;
        r->hz = c && c->hz ? c->hz : cpu ? (uint32_t)ROW_CPU_HZ : (uint32_t)STATE_WALL_HZ;
    }
    buf_init(&r->base, REFINE_BASE_MAX_BYTES);
    if (gethostname(seed, sizeof(seed) / 2) != 0)
        seed[0] = '\0';
    seed[sizeof(seed) / 2 - 1] = '\0';
    r->phase_ms = beat_phase_ms(seed, r->every_ms);
    row_schedule(r);
    return from_scrape ? 0 : find_kind(r);
}

void row_renew(struct row *r)
{
    buf_release(&r->base);
    buf_init(&r->base, REFINE_BASE_MAX_BYTES);
    r->generation = r->room->origin.generation;
    r->seq = 0;
    r->status.last_error[0] = '\0';
    if (r->state == ROW_RESTS)
        row_schedule(r);
}

void row_release(struct row *r)
{
    struct row_room *room = r->room;

    if (!room)
        return;
    if (r->state == ROW_ASKS && r->scraped)
        scrape_drop(room->scrape, r->ticket);
    else if (r->state == ROW_ASKS && session_samples(r->kind))
        peers_forget(room->st->peers, r->ticket);
    else if (r->state == ROW_ASKS)
        readings_forget(room->st->readings, r->ticket);
    refine_forget(r->job);
    if (r->state == ROW_STORES)
        store_forget(room->st->store, r);
    buf_release(&r->base);
    memset(r, 0, sizeof(*r));
}
