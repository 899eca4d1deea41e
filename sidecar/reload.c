/*
 * A new configuration is made whole beside the old: read, its tokens read, its certificate taken by
 * the server (which refuses or takes it as one step). Only then are the pointers changed, between
 * two requests: whoever holds a request across it looks at st->config anew, never at a copy.
 */
#include "sidecar/reload.h"

#include <errno.h>

#include "config/weak.h"
#include "sidecar/keep.h"

static struct session_rules rules_of(const struct config *c)
{
    return (struct session_rules){
        .min_interval_ms = c->limits.min_interval_ms,
        .concurrent = c->limits.concurrent,
        .share = c->limits.share,
    };
}

/* Nobody could call: no credential of any kind, nor a right without one. */
static bool locked(const struct config *c)
{
    return c->auth.tokens_count == 0 && c->auth.certificates_count == 0 && c->auth.anonymous == 0 &&
           !c->auth.basic.htpasswd[0] && c->auth.issuers_count == 0 &&
           c->auth.kubernetes.audiences_count == 0;
}

static void say_weak(void *data, const char *where, const char *what)
{
    (void)data;
    log_warn("weak setting", LOG_STR("key", where), LOG_STR("what", what));
}

static int read_config(const struct reload *r, struct config **ret, struct err *e)
{
    struct config *c = calloc(1, sizeof(*c));
    int x;

    if (!c) {
        (void)err_set(e, -ENOMEM, "out of memory for the configuration");
        return -ENOMEM;
    }
    x = config_from_args(c, r->argc, r->argv, e);
    if (x) {
        free(c);
        return x;
    }
    *ret = c;
    return 0;
}

int reload_first(struct reload *r, struct state *st, int argc, char **argv, struct err *e)
{
    struct session_rules rules;
    int x;

    r->argc = argc;
    r->argv = argv;
    x = read_config(r, &st->config, e);
    if (x)
        return x;
    log_setup("sidecar", st->config->log.level, st->config->log.format);
    config_weak(st->config, say_weak, NULL);
    if (locked(st->config)) {
        x = auth_token_make(r->token, sizeof(r->token));
        if (x)
            return err_set(e, x, "cannot make a token: no random numbers");
    }
    x = auth_new(st->config, r->token[0] ? r->token : NULL, &st->auth, e);
    if (x)
        return x;
    rules = rules_of(st->config);
    session_init(&st->session, &rules);
    st->reload_ok = true;
    r->hz_max = st->config->limits.hz;
    if (outgoing_of(st->config, &r->outgoing)) /* confine_enter() refuses it with the reason */
        r->outgoing = (struct outgoing){.tcp = false};
    r->drain_max_ms = st->config->drain_ms;
    (void)watch_look(&r->watch, st->config);
    return 0;
}

static bool same_addresses(const struct config_address *a, size_t na,
                           const struct config_address *b, size_t nb)
{
    if (na != nb)
        return false;
    for (size_t i = 0; i < na; i++) {
        if (a[i].is_unix != b[i].is_unix || a[i].port != b[i].port ||
            strcmp(a[i].host, b[i].host) != 0)
            return false;
    }
    return true;
}

/*
 * What cannot change while we run keeps its old value, and somebody should know. The guard refuses
 * more than the hz that it was started with; less is for us to see to.
 */
static void keep_fixed(const struct reload *r, const struct config *old, struct config *new)
{
    if (new->limits.hz > r->hz_max) {
        log_warn("limits.hz is above what it was at the start: this needs a restart",
                 LOG_U64("hz", r->hz_max));
        new->limits.hz = r->hz_max;
    }
    if (new->drain_ms > r->drain_max_ms) {
        log_warn("drain is longer than it was at the start: this needs a restart",
                 LOG_U64("drain_ms", r->drain_max_ms));
        new->drain_ms = r->drain_max_ms; /* the guard kills when its own time is over */
    }
    if (old->select != new->select || old->select_number != new->select_number ||
        strcmp(old->select_text, new->select_text) != 0)
        log_warn("the target has changed in the configuration: this needs a restart");
    if (old->unsafe.heap_profile_rate != new->unsafe.heap_profile_rate ||
        old->unsafe.block_profile_rate != new->unsafe.block_profile_rate ||
        old->unsafe.mutex_profile_fraction != new->unsafe.mutex_profile_fraction)
        log_warn("target.unsafe has changed in the configuration: its rates are taken on SIGHUP "
                 "alone");
    if (!same_addresses(old->admin.listen, old->admin.listens, new->admin.listen,
                        new->admin.listens) ||
        !same_addresses(old->health.listen, old->health.listens, new->health.listen,
                        new->health.listens) ||
        old->admin.tls_off != new->admin.tls_off)
        log_warn("listening addresses have changed in the configuration: this needs a restart");
    new->select = old->select;
    new->select_number = old->select_number;
    memcpy(new->select_text, old->select_text, sizeof(new->select_text));
    new->admin.tls_off = old->admin.tls_off;
    memcpy(new->admin.listen, old->admin.listen, sizeof(new->admin.listen));
    new->admin.listens = old->admin.listens;
    memcpy(new->health.listen, old->health.listen, sizeof(new->health.listen));
    new->health.listens = old->health.listens;
}

/* The sandbox was closed around what there was at the start: who connects elsewhere is ended. */
static int reachable(const struct reload *r, const struct config *new, struct err *e)
{
    struct outgoing out;

    if (outgoing_of(new, &out) == 0 && outgoing_within(&r->outgoing, &out))
        return 0;
    return err_set(e, -EPERM,
                   "it connects to a port that the one of the start did not name: this needs a "
                   "restart");
}

static int swap(struct reload *r, struct state *st, struct err *e)
{
    struct session_rules rules;
    struct credentials_next *credentials = NULL;
    struct config *config = NULL;
    struct auth *auth = NULL;
    struct watch looks;
    int x;

    /* before each is read: what changes meanwhile looks other than this the next time */
    watch_config(&looks, st->config);
    x = read_config(r, &config, e);
    if (x)
        return x;
    watch_others(&looks, config);
    keep_fixed(r, st->config, config);
    x = reachable(r, config, e);
    if (x == 0) /* a token made at start goes on as long as the configuration names no other */
        x = auth_new(config, locked(config) && r->token[0] ? r->token : NULL, &auth, e);
    if (x == 0)
        x = credentials_prepare(st->credentials, config, auth, &credentials, e);
    if (x == 0)
        x = server_reload(st->server, config, e); /* last: it cannot be taken back */
    if (x) {
        credentials_drop(credentials);
        auth_free(auth);
        free(config);
        return x;
    }
    auth_inherit(auth, st->auth);
    credentials_take(st->credentials, credentials);
    auth_free(st->auth);
    free(st->config);
    st->auth = auth;
    st->config = config;
    rules = rules_of(config);
    session_set_rules(&st->session, &rules);
    r->watch = looks;
    log_setup("sidecar", config->log.level, config->log.format);
    keep_reload(st);
    return 0;
}

void reload_now(struct reload *r, struct state *st)
{
    struct err e = {0};
    bool again;
    int x;

    (void)watch_look(&r->watch, st->config); /* a refused one is not refused for it twice */
    x = swap(r, st, &e);
    again = !st->reload_ok && strcmp(e.text, r->refused.text) == 0;
    st->reload_ok = x == 0;
    r->refused = e;
    if (x == 0)
        log_info("configuration reloaded", LOG_STR("file", st->config->path));
    else if (!again)
        log_error("the new configuration is refused, the old one stays", LOG_STR("reason", e.text));
}

bool reload_if_changed(struct reload *r, struct state *st)
{
    bool changed = watch_look(&r->watch, st->config);

    if (changed)
        reload_now(r, st);
    return changed;
}

/* Rarer than a look: reading it again may cost the check of an RSA key (100 ms). */
void reload_if_refused(struct reload *r, struct state *st)
{
    if (!st->reload_ok)
        reload_now(r, st);
}

const char *reload_token(const struct reload *r)
{
    return r->token;
}

void reload_release(struct reload *r, struct state *st)
{
    memset(r->token, 0, sizeof(r->token));
    auth_free(st->auth);
    free(st->config);
    st->auth = NULL;
    st->config = NULL;
}
