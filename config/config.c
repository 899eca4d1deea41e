/*
 * Defaults, the way of a file into the struct, and the part of it that the guard gets. The struct
 * is made new for each parse and never patched: a reload parses into another one and swaps, so a
 * bad new file leaves the old configuration as it was.
 */
#include "config/config.h"

#include <errno.h>

#include "config/bind.h"
#include "config/files.h"
#include "config/slurp.h"
#include "config/text.h"
#include "config/verify.h"

enum {
    COLLECT_EVERY_MS = 60000, /* what holds when `collect` is there without it */
    COLLECT_CPU_SECONDS = 10,
    COLLECT_CPU_HZ = 100,
    COLLECT_WALL_HZ = 20,
};

#define MS_PER_DAY UINT64_C(86400000)

_Static_assert(CONFIG_DRAIN_MAX_MS + CONFIG_DRAIN_GRACE_MS <= PLAN_DRAIN_MAX_MS,
               "what the file may say, the guard takes");

void config_defaults(struct config *c)
{
    memset(c, 0, sizeof(*c)); /* padding too: structs are compared whole */
    c->select = PLAN_SELECT_AUTO;
    (void)config_address_parse("127.0.0.1:6060", &c->admin.listen[0], NULL);
    c->admin.listens = 1;
    /* Go's own default for /debug/pprof/profile without seconds (net/http/pprof, Profile) */
    c->limits.default_seconds = 30;
    c->limits.profile_seconds = 60;
    c->limits.trace_seconds = 10;
    c->limits.hz = 1000;
    c->limits.min_interval_ms = 10000;
    c->limits.concurrent = 1;
    c->limits.connections = 64;
    c->limits.per_address = 8;
    c->limits.unauthenticated = 16;
    c->limits.handshakes = 20;
    c->leak_watch.every_ms = 60000;
    c->leak_watch.window = 30;
    c->leak_watch.minimum = 100;
    c->unsafe.heap_profile_rate = -1;
    c->unsafe.block_profile_rate = -1;
    c->unsafe.mutex_profile_fraction = -1;
    c->collect.scrape.timeout_ms = 10000;
    c->sample_labels.read = true; /* best effort and cheap */
    c->sample_labels.max_values = 100;
    c->spool.max_bytes = UINT64_C(256) << 20;
    c->spool.max_age_ms = MS_PER_DAY;
    c->history.minutely_ms = MS_PER_DAY;
    c->history.hourly_ms = 7 * MS_PER_DAY;
    c->history.daily_ms = 30 * MS_PER_DAY;
    c->history.max_bytes = UINT64_C(1) << 30;
    c->drain_ms = 20000; /* below the 30 s that Kubernetes waits by default */
    c->log.level = LOG_LEVEL_INFO;
    c->log.format = LOG_FORMAT_AUTO;
}

static bool was_set(const struct config_bind *b, const char *path)
{
    uint32_t line, column;

    return config_bind_was_set(b, path, &line, &column);
}

/* `collect:` alone is enough: the profiles that cost little, and CPU a sixth of the time. */
static void settle_schedule(const struct config_bind *b)
{
    static const char *const types[] = {"cpu", "heap", "goroutine"};
    struct config *c = b->config;

    if (!was_set(b, "collect"))
        return;
    if (!was_set(b, "collect.every"))
        c->collect.every_ms = COLLECT_EVERY_MS;
    if (!was_set(b, "collect.profiles")) {
        c->collect.profiles_count = sizeof(types) / sizeof(types[0]);
        for (size_t i = 0; i < c->collect.profiles_count; i++)
            memcpy(c->collect.profiles[i].type, types[i], strlen(types[i]));
    }
    for (size_t i = 0; i < c->collect.profiles_count; i++) {
        struct config_collect *p = &c->collect.profiles[i];
        uint64_t every_s = (p->every_ms ? p->every_ms : c->collect.every_ms) / 1000;

        bool wall = strcmp(p->type, "wall") == 0;
        uint32_t hz = wall ? COLLECT_WALL_HZ : COLLECT_CPU_HZ;

        if (!wall && strcmp(p->type, "cpu") != 0)
            continue;
        if (p->hz == 0)
            p->hz = c->limits.hz < hz ? c->limits.hz : hz;
        if (p->seconds == 0)
            p->seconds =
                every_s && every_s < COLLECT_CPU_SECONDS ? (uint32_t)every_s : COLLECT_CPU_SECONDS;
    }
}

/* What holds for keys that the file does not name follows from those it does. */
static void settle(const struct config_bind *b)
{
    struct config *c = b->config;

    /* a shorter limit takes its default along, but a default that someone wrote is checked */
    if (!was_set(b, "limits.default_seconds") &&
        c->limits.default_seconds > c->limits.profile_seconds)
        c->limits.default_seconds = c->limits.profile_seconds;
    if (c->admin.client_ca[0] && !was_set(b, "admin.tls.client_auth"))
        c->admin.client_auth = CONFIG_CLIENT_OPTIONAL;
    settle_schedule(b);
}

/* Default deny, but said: no scopes at all is a mistake, an empty list is a decision. */
static int scopes_said(const struct config_bind *b, const char **ret_at)
{
    const struct config *c = b->config;

    *ret_at = "auth.basic";
    if (c->auth.basic.htpasswd[0] && !was_set(b, "auth.basic.scopes"))
        return err_set(b->e, -EINVAL, "basic needs scopes, like [view]");
    *ret_at = "auth.kubernetes";
    if (c->auth.kubernetes.audiences_count && !was_set(b, "auth.kubernetes.scopes"))
        return err_set(b->e, -EINVAL, "kubernetes needs scopes, like [scrape]");
    return 0;
}

/* What no single key can tell; said at the key's place if the file names it. */
static int verify(const struct config_bind *b)
{
    uint32_t line, column;
    const char *at = "";
    int r = scopes_said(b, &at);

    if (r == 0)
        r = config_verify(b->config, &at, b->e);
    if (r == 0)
        return 0;
    if (config_bind_was_set(b, at, &line, &column))
        err_prefix(b->e, "%s:%u:%u", b->name, line, column);
    else
        err_prefix(b->e, "%s", b->name);
    return r;
}

int config_parse(struct config *c, const char *name, const char *text, size_t bytes, struct err *e)
{
    struct config_tree tree;
    struct err own = {0}; /* err_prefix() needs one */
    struct config_bind b = {.config = c, .tree = &tree, .name = name, .e = e ? e : &own};
    int r;

    /* also when it fails early: nobody reads a struct that was never set */
    config_defaults(c);
    if (bytes > CONFIG_FILE_MAX_BYTES)
        return err_set(e, -EINVAL, "%s: larger than %d bytes", name, CONFIG_FILE_MAX_BYTES);
    r = config_tree_parse(&tree, name, text, bytes, b.e);
    if (r == 0)
        r = config_bind(&b);
    if (r == 0) {
        settle(&b);
        r = verify(&b);
    }
    config_tree_release(&tree);
    return r;
}

int config_read(struct config *c, const char *path, struct err *e)
{
    struct buf text;
    int r;

    config_defaults(c);
    if (strlen(path) >= sizeof(c->path))
        return err_set(e, -ENAMETOOLONG, "the path of the configuration is too long");
    buf_init(&text, CONFIG_FILE_MAX_BYTES);
    r = slurp_text(path, &text, e);
    if (r == 0)
        r = config_parse(c, path, text.data ? (const char *)text.data : "", text.len, e);
    if (r == 0)
        memcpy(c->path, path, strlen(path) + 1);
    buf_release(&text);
    return r == -EFBIG ? -EINVAL : r;
}

static void note_file(void *data, const char *key, enum config_file use, const char *path)
{
    (void)key;
    (void)use;
    (void)path;
    *(bool *)data = true;
}

/* Can a sidecar that is nobody still re-read and re-create all it needs? */
static bool front_may_drop(const struct config *c)
{
    bool keeps = c->path[0] || strncmp(c->collect.scrape.url, "unix:", 5) == 0;

    config_files(c, note_file, &keeps);
    for (size_t i = 0; i < c->forward_count; i++)
        keeps = keeps || strncmp(c->forward[i].url, "unix:", 5) == 0;
    for (size_t i = 0; i < c->admin.listens; i++)
        keeps = keeps || c->admin.listen[i].is_unix;
    for (size_t i = 0; i < c->health.listens; i++)
        keeps = keeps || c->health.listen[i].is_unix;
    return !keeps;
}

/* Negative is off: no bit, so that a plan of zeros writes nothing. */
static void plan_rate(struct plan *p, enum wire_rate_kind kind, int64_t value)
{
    if (value < 0)
        return;
    p->rates |= 1u << kind;
    p->rate[kind] = (uint64_t)value;
}

void config_plan(const struct config *c, struct plan *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->magic = PLAN_MAGIC;
    ret->bytes = sizeof(*ret);
    ret->select = c->select;
    ret->all = c->all ? 1 : 0;
    ret->log_level = c->log.level;
    ret->log_format = c->log.format;
    ret->hz_max = c->limits.hz;
    ret->drain_ms = (uint32_t)(c->drain_ms + CONFIG_DRAIN_GRACE_MS);
    /* the sidecar runs as nobody where nothing it needs again belongs to us */
    ret->front_uid_drop = front_may_drop(c) ? 1 : 0;
    ret->stops = c->unsafe.ptrace_sampling ? 1 : 0;
    plan_rate(ret, WIRE_RATE_HEAP, c->unsafe.heap_profile_rate);
    plan_rate(ret, WIRE_RATE_BLOCK, c->unsafe.block_profile_rate);
    plan_rate(ret, WIRE_RATE_MUTEX, c->unsafe.mutex_profile_fraction);
    ret->number = c->select_number;
    /* the rest of the text is zero: config_target_set() cleared it, plan_check() insists */
    memcpy(ret->text, c->select_text, sizeof(ret->text));
}
