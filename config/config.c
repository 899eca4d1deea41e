/*
 * Defaults, the way of a file into the struct, and the part of it that the guard gets. The struct
 * is made new for each parse and never patched: a reload parses into another one and swaps, so a
 * bad new file leaves the old configuration as it was.
 */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/bind.h"
#include "config/text.h"
#include "config/verify.h"

enum {
    CONFIG_DRAIN_MS = 10000, /* below the 30 s that Kubernetes waits by default */
};

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
    c->leak_watch.every_ms = 60000;
    c->leak_watch.window = 30;
    c->leak_watch.minimum = 100;
    c->log.level = LOG_LEVEL_INFO;
    c->log.format = LOG_FORMAT_AUTO;
    /* best effort and cheap; sample_labels: in the file comes with its own issue */
    c->sample_labels.read = true;
}

/* What no single key can tell; said at the key's place if the file names it. */
static int verify(const struct config_bind *b)
{
    struct config *c = b->config;
    uint32_t line, column;
    const char *at;
    int r;

    /* a shorter limit takes its default along, but a default that someone wrote is checked */
    if (!config_bind_was_set(b, "limits.default_seconds", &line, &column) &&
        c->limits.default_seconds > c->limits.profile_seconds)
        c->limits.default_seconds = c->limits.profile_seconds;
    r = config_verify(c, &at, b->e);
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
    if (r == 0)
        r = verify(&b);
    config_tree_release(&tree);
    return r;
}

/* The whole file; one byte more than allowed is read to see that it is too long. */
/* Read to the end rather than fstat(2) the size: the file may grow, and pipes have none. */
static int slurp(int fd, struct buf *out)
{
    for (;;) {
        unsigned char *p = buf_reserve(out, 65536);
        ssize_t n;

        if (!p)
            return -EFBIG;
        n = read(fd, p, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        out->len += (size_t)n;
        if (out->len > CONFIG_FILE_MAX_BYTES)
            return -EFBIG;
    }
}

int config_read(struct config *c, const char *path, struct err *e)
{
    int fd = -1;
    struct stat st;
    struct buf text;
    int r;

    config_defaults(c);
    buf_init(&text, CONFIG_FILE_MAX_BYTES + 2 * 65536);
    if (strlen(path) >= sizeof(c->path)) {
        r = err_set(e, -ENAMETOOLONG, "the path of the configuration is too long");
        goto out;
    }
    /* O_NONBLOCK and O_NOCTTY: a path to a FIFO or a terminal must neither hang nor be adopted */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        r = err_set(e, -errno, "%s: cannot be read: %m", path);
        goto out;
    }
    /* process substitution and systemd's credentials hand over pipes */
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) {
        r = err_set(e, -EISDIR, "%s: is no file", path);
        goto out;
    }
    (void)fcntl(fd, F_SETFL, 0);
    r = slurp(fd, &text);
    if (r == -EFBIG)
        r = err_set(e, -EINVAL, "%s: larger than %d bytes", path, CONFIG_FILE_MAX_BYTES);
    else if (r)
        r = err_set(e, r, "%s: cannot be read: %s", path, strerror(-r));
    else
        r = config_parse(c, path, (const char *)text.data, text.len, e);
    if (r == 0)
        memcpy(c->path, path, strlen(path) + 1);
out:
    if (fd >= 0)
        (void)close(fd);
    buf_release(&text);
    return r;
}

/* Can a sidecar that is nobody still re-read and re-create all it needs? */
static bool front_may_drop(const struct config *c)
{
    bool keeps = c->path[0] || c->admin.certificate[0] || c->admin.key[0];

    for (size_t i = 0; i < c->auth.tokens_count; i++)
        keeps = keeps || c->auth.tokens[i].file[0];
    for (size_t i = 0; i < c->admin.listens; i++)
        keeps = keeps || c->admin.listen[i].is_unix;
    for (size_t i = 0; i < c->health.listens; i++)
        keeps = keeps || c->health.listen[i].is_unix;
    return !keeps;
}

void config_plan(const struct config *c, struct plan *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->magic = PLAN_MAGIC;
    ret->bytes = sizeof(*ret);
    ret->select = c->select;
    ret->log_level = c->log.level;
    ret->log_format = c->log.format;
    ret->hz_max = c->limits.hz;
    ret->drain_ms = CONFIG_DRAIN_MS;
    /* the sidecar runs as nobody where nothing it needs again belongs to us */
    ret->front_uid_drop = front_may_drop(c) ? 1 : 0;
    ret->number = c->select_number;
    /* the rest of the text is zero: config_target_set() cleared it, plan_check() insists */
    memcpy(ret->text, c->select_text, sizeof(ret->text));
}
