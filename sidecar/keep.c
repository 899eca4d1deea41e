#include "sidecar/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "sidecar/collect/collect.h"
#include "sidecar/forward/forward.h"
#include "sidecar/store/history.h"

static bool is_wanted(const struct config *c)
{
    return c->forward_count > 0 || c->history.dir[0] || c->spool.dir[0];
}

/* A backend that is a folder makes it too, but the sandbox opens only for what is there already. */
static void make_folders(const struct config *c)
{
    enum { MODE = 0750 };

    for (size_t i = 0; i < c->forward_count; i++) {
        const struct config_backend *b = &c->forward[i];

        if (b->type == CONFIG_BACKEND_DIRECTORY && mkdirat(AT_FDCWD, b->path, MODE) != 0 &&
            errno != EEXIST)
            log_warn("a backend's folder cannot be made", LOG_STR("backend", b->name),
                     LOG_STR("path", b->path), LOG_STR("why", strerror(errno)));
    }
}

int keep_open(struct state *st, struct err *e)
{
    const struct config *c = st->config;
    int r;

    if (!is_wanted(c))
        return 0;
    if (c->forward_count > 0 && !c->spool.dir[0])
        log_warn("spool.dir is not configured: profiles that wait are in memory only, and lost "
                 "with the process");
    make_folders(c);
    r = store_open(st->loop, c, &st->store, e);
    if (r)
        err_prefix(e, "spool and history");
    return r ? r : history_open(st->store, c, &st->history, e);
}

int keep_begin(struct state *st, struct err *e)
{
    int r = 0;

    if (st->store && st->config->forward_count > 0)
        r = forward_new(st->loop, st->config, st->store, &st->forward, e);
    if (r == 0)
        r = collect_new(st->loop, st, &st->collect, e);
    return r;
}

void keep_reload(struct state *st)
{
    const struct config *c = st->config;
    struct err e = {0};
    int r = 0;

    if (!st->store && is_wanted(c))
        log_warn("spool, history and forward begin to exist: this needs a restart");
    if (st->store)
        store_reload(st->store, c);
    history_reload(st->history, c);
    if (st->forward)
        r = forward_reload(st->forward, c, &e);
    else if (st->store && c->forward_count > 0)
        r = forward_new(st->loop, c, st->store, &st->forward, &e);
    if (r)
        log_error("not all backends can be used", LOG_STR("why", e.text));
    if (st->forward)
        forward_secrets(st->forward);
    if (st->collect && collect_reload(st->collect, &e))
        log_error("the schedule cannot be renewed", LOG_STR("why", e.text));
    collect_news(st->collect);
}

void keep_drain(struct state *st)
{
    collect_drain(st->collect);
    if (st->forward)
        forward_drain(st->forward);
}

bool keep_idle(const struct state *st)
{
    return collect_idle(st->collect) && forward_idle(st->forward);
}

void keep_close(struct state *st)
{
    collect_free(st->collect);
    forward_free(st->forward);
    history_close(st->history); /* it hears from the store */
    store_close(st->store);
    st->history = NULL;
    st->collect = NULL;
    st->forward = NULL;
    st->store = NULL;
}
