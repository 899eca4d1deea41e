/*
 * How the parts hang together: struct state is what the routes see; struct app owns it and the
 * handles that change it. Everything happens in callbacks of one loop, so nothing is ever locked
 * and no callback sees a half-changed state: a reload, a new target, a dead sampler are each one
 * callback. What outlives a callback (a waiting request, an open question) is cancelled by its
 * owner before the state goes.
 */
#include "sidecar/app.h"

#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/banner.h"
#include "sidecar/collect/collect.h"
#include "sidecar/expiry.h"
#include "sidecar/keep.h"
#include "sidecar/reload.h"
#include "sidecar/routes/dispatch.h"
#include "sidecar/routes/table.h"
#include "wire/codec.h"

enum {
    APP_MAGIC = 0x41505021,
    DRAIN_LOOK_MS = 50,
    SECOND_TERM_MS = 1000, /* one that comes earlier may be the first one's echo */
    ADDRESS_BYTES = 160,
};

enum app_timer { TIMER_WATCH, TIMER_POLL, TIMER_READY, TIMER_DRAIN, TIMERS };
enum app_signal { SIGNAL_HUP, SIGNAL_TERM, SIGNALS };

/* Handles live apart from the app: libuv closes them after it is gone. */
struct app_handles {
    uv_timer_t timer[TIMERS];
    uv_signal_t signal[SIGNALS];
    unsigned open;
};

struct app {
    unsigned magic;
    uv_loop_t *loop;
    struct app_handles *handles;
    struct state st;
    struct reload reload;
    struct expiry expiry;
    char health[STATE_ADDRESSES_BYTES];
    bool begun; /* confined and listening: app_begin() is through */
    bool ready_said;
    bool about_open; /* a question about the target is on its way */
    uint64_t drain_began_ns, drain_ends_ns;
    int exit_code;
};

const struct config *app_config(const struct app *a)
{
    return a->st.config;
}

static void stop(struct app *a, int exit_code)
{
    a->exit_code = exit_code;
    uv_stop(a->loop);
}

/* --- the `ready` line --- */

/*
 * Once, and late enough to be useful: the first news of the guard often comes before it has found
 * the target, and a line that says "no target" a moment before there is one misleads. When nothing
 * is found within APP_READY_MS the line goes out without: we do serve.
 */
static void say_ready(struct app *a)
{
    const struct wire_target *t = &a->st.status.target;
    const char *health = a->health[0] ? "health" : NULL;

    if (a->ready_said)
        return;
    a->ready_said = true;
    (void)uv_timer_stop(&a->handles->timer[TIMER_READY]);
    banner_print(a->st.config, a->st.admin, reload_token(&a->reload));
    if (t->state == WIRE_TARGET_UP)
        log_info("ready", LOG_STR("admin", a->st.admin), LOG_STR(health, a->health),
                 LOG_STR("target", t->name), LOG_U64("target_pid", t->pid),
                 LOG_STR("mode", codec_mode_name(t->mode)),
                 LOG_STR(t->reason[0] ? "reason" : NULL, t->reason));
    else
        log_info("ready", LOG_STR("admin", a->st.admin), LOG_STR(health, a->health),
                 LOG_STR("target", ""), LOG_STR("mode", "none"), LOG_STR("reason", t->reason));
}

static void on_ready_time(uv_timer_t *t)
{
    say_ready(t->data);
}

/* --- news of the other programs --- */

static void ask_about(struct app *a);

static void about_came(void *data, const struct peers_answer *answer)
{
    struct app *a = data;

    MAGIC_CHECK(a, APP_MAGIC);
    a->about_open = false;
    if (answer->fate == PEERS_ANSWERED && answer->answer->body.about.result == 0)
        a->st.about = answer->answer->body.about;
}

/* Learn what the target is, unless it is known; the poll asks again while it is not. */
static void ask_about(struct app *a)
{
    const struct wire_target *t = &a->st.status.target;
    uint32_t ticket;

    if (a->about_open || t->state != WIRE_TARGET_UP || !a->st.sampler_up)
        return;
    if (a->st.about.generation == t->generation && a->st.about.language[0])
        return;
    a->about_open = peers_about(a->st.peers, about_came, a, &ticket) == 0;
}

/* What is known of the target is of one generation: with the next it is another program. */
static void on_status(void *ctx, const struct wire_status *s)
{
    struct app *a = ctx;

    MAGIC_CHECK(a, APP_MAGIC);
    if (s->target.generation != a->st.about.generation)
        memset(&a->st.about, 0, sizeof(a->st.about));
    a->st.status = *s;
    a->st.heard = true;
    if (s->target.state == WIRE_TARGET_UP && a->begun)
        say_ready(a);
    ask_about(a);
    collect_news(a->st.collect);
}

static void on_facts(void *ctx, const struct wire_facts *f)
{
    struct app *a = ctx;

    MAGIC_CHECK(a, APP_MAGIC);
    a->st.facts = *f;
}

static void on_sampler(void *ctx, bool up)
{
    struct app *a = ctx;

    MAGIC_CHECK(a, APP_MAGIC);
    a->st.sampler_up = up;
    ask_about(a);
    collect_news(a->st.collect);
}

/*
 * Without the guard nobody restarts a sampler or holds the target: there is no point in going on,
 * and it may be gone because it was told to end. No draining: what runs cannot finish.
 */
static void on_guard_gone(void *ctx, const char *why)
{
    struct app *a = ctx;

    MAGIC_CHECK(a, APP_MAGIC);
    if (why[0])
        log_error("the guard broke the rules: ending", LOG_STR("why", why));
    else if (!a->st.draining)
        log_error("the guard is gone: ending");
    stop(a, a->st.draining && !why[0] ? 0 : 1);
}

/* --- reload and drain --- */

static void on_hup(uv_signal_t *h, int signum)
{
    struct app *a = h->data;

    (void)signum;
    log_info("reload asked for by SIGHUP");
    reload_now(&a->reload, &a->st);
    leak_watch_news(a->st.leak_watch);
}

static void on_watch(uv_timer_t *t)
{
    struct app *a = t->data;

    MAGIC_CHECK(a, APP_MAGIC);
    if (reload_if_changed(&a->reload, &a->st))
        leak_watch_news(a->st.leak_watch);
}

static void on_poll(uv_timer_t *t)
{
    struct app *a = t->data;

    MAGIC_CHECK(a, APP_MAGIC);
    reload_if_refused(&a->reload, &a->st);
    leak_watch_news(a->st.leak_watch);
    expiry_log(&a->expiry, (int64_t)(clock_real_ns() / CLOCK_NS_PER_SEC),
               server_cert_expiry(a->st.server), server_crl_expiry(a->st.server));
    ask_about(a);
}

/* Polled, since the server has no word for "all closed" and draining happens once in a life. */
static void on_drain(uv_timer_t *t)
{
    struct app *a = t->data;
    struct server_counts counts;

    server_counts(a->st.server, &counts);
    if ((counts.connections == 0 && keep_idle(&a->st)) || clock_mono_ns() >= a->drain_ends_ns)
        stop(a, 0);
}

/* The first SIGTERM lets answers finish, a second one does not wait. */
static void on_term(uv_signal_t *h, int signum)
{
    struct app *a = h->data;

    (void)signum;
    MAGIC_CHECK(a, APP_MAGIC);
    if (a->st.draining) {
        /* a service manager sends it to all of a group, and the guard sends it on */
        if (clock_mono_ns() - a->drain_began_ns > SECOND_TERM_MS * CLOCK_NS_PER_MS)
            stop(a, 0);
        return;
    }
    a->st.draining = true;
    a->drain_began_ns = clock_mono_ns();
    a->drain_ends_ns = clock_mono_ns() + a->st.config->drain_ms * CLOCK_NS_PER_MS;
    log_info("draining", LOG_U64("profiles_running", session_count(&a->st.session)));
    server_drain(a->st.server);
    peers_finish(a->st.peers); /* each running profile is served or kept with what it has */
    keep_drain(&a->st);
    (void)uv_timer_start(&a->handles->timer[TIMER_DRAIN], on_drain, 0, DRAIN_LOOK_MS);
}

/* --- life --- */

static void on_handle_closed(uv_handle_t *h)
{
    struct app_handles *handles = h->data;

    if (--handles->open == 0)
        free(handles);
}

/* All of them at once, so that closing need not know which were started. */
static int open_handles(struct app *a)
{
    struct app_handles *h = calloc(1, sizeof(*h));
    int r = 0;

    if (!h)
        return -ENOMEM;
    for (size_t i = 0; i < TIMERS; i++) {
        (void)uv_timer_init(a->loop, &h->timer[i]); /* always 0 */
        h->timer[i].data = a;
        h->open++;
    }
    for (size_t i = 0; i < SIGNALS; i++) {
        int s = uv_signal_init(a->loop, &h->signal[i]);

        r = r ? r : s;
        h->signal[i].data = a;
        h->open += s == 0;
    }
    a->handles = h;
    return r;
}

static void close_handles(struct app *a)
{
    struct app_handles *h = a->handles;

    if (!h)
        return;
    a->handles = NULL;
    for (size_t i = 0; i < TIMERS; i++) {
        h->timer[i].data = h;
        uv_close((uv_handle_t *)&h->timer[i], on_handle_closed);
    }
    for (size_t i = 0; i < SIGNALS; i++) {
        if (h->signal[i].type != UV_SIGNAL)
            continue; /* its init failed */
        h->signal[i].data = h;
        uv_close((uv_handle_t *)&h->signal[i], on_handle_closed);
    }
}

/* Bind all of one kind; their real addresses go into ${text}, separated by commas. */
static int listen_all(struct app *a, const struct config_address *addresses, size_t n,
                      unsigned flags, int listener, char text[static STATE_ADDRESSES_BYTES],
                      struct err *e)
{
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        char one[ADDRESS_BYTES];
        int r = server_listen(a->st.server, &addresses[i], flags, listener, one, e);

        if (r)
            return r;
        r = snprintf(text + used, STATE_ADDRESSES_BYTES - used, "%s%s", i ? "," : "", one);
        if (r > 0 && used + (size_t)r < STATE_ADDRESSES_BYTES)
            used += (size_t)r;
    }
    return 0;
}

/*
 * Both kinds of listener are bound before the sandbox closes: it allows no bind(2). A reload can
 * therefore not add any, which reload.c says.
 */
static int listen_everywhere(struct app *a, struct err *e)
{
    const struct config *c = a->st.config;
    int r = server_new(a->loop, c, dispatch_request, dispatch_done, &a->st, &a->st.server, e);

    if (r == 0)
        r = listen_all(a, c->admin.listen, c->admin.listens, c->admin.tls_off ? 0 : SERVER_TLS,
                       STATE_LISTENER_ADMIN, a->st.admin, e);
    if (r == 0)
        r = listen_all(a, c->health.listen, c->health.listens, SERVER_OPEN, STATE_LISTENER_HEALTH,
                       a->health, e);
    return r;
}

/* What asks the peers by itself, and needs the configuration for it. */
static int open_runtime(struct app *a, struct err *e)
{
    int r = readings_new(a->loop, &a->st, &a->st.readings);

    if (r == 0)
        r = leak_watch_new(a->loop, &a->st, &a->st.leak_watch);
    return r ? err_set(e, r, "cannot set up the event loop: %s", uv_strerror(r)) : 0;
}

int app_new(uv_loop_t *loop, int guard_fd, int argc, char **argv, struct app **ret, struct err *e)
{
    struct app *a = calloc(1, sizeof(*a));
    struct peers_hooks hooks = {a, on_status, on_sampler, on_guard_gone, on_facts};
    int r;

    if (!a) {
        (void)close(guard_fd);
        return err_set(e, -ENOMEM, "out of memory");
    }
    a->magic = APP_MAGIC;
    a->loop = a->st.loop = loop;
    a->st.began_real_ns = clock_real_ns();
    /* only hashes of texts that are not to be shown hang on it; does not fail after boot */
    (void)!getrandom(a->st.trail_key, sizeof(a->st.trail_key), GRND_NONBLOCK);
    a->st.routes = table_rows(&a->st.routes_count);
    r = open_handles(a);
    if (r == 0)
        r = peers_new(loop, guard_fd, &hooks, &a->st.peers);
    else
        (void)close(guard_fd);
    if (r)
        (void)err_set(e, r, "cannot set up the event loop: %s", uv_strerror(r));
    if (r == 0)
        r = reload_first(&a->reload, &a->st, argc, argv, e);
    if (r == 0)
        r = credentials_new(loop, a->st.config, a->st.auth, &a->st.credentials, e);
    if (r == 0)
        r = open_runtime(a, e);
    if (r == 0)
        r = keep_open(&a->st, e);
    if (r == 0)
        r = listen_everywhere(a, e);
    if (r) {
        (void)app_end(a);
        return r;
    }
    *ret = a;
    return 0;
}

int app_begin(struct app *a, struct err *e)
{
    struct app_handles *h = a->handles;
    int r = uv_signal_start(&h->signal[SIGNAL_HUP], on_hup, SIGHUP);

    if (r == 0)
        r = uv_signal_start(&h->signal[SIGNAL_TERM], on_term, SIGTERM);
    if (r == 0)
        r = uv_timer_start(&h->timer[TIMER_WATCH], on_watch, APP_WATCH_MS, APP_WATCH_MS);
    if (r == 0)
        r = uv_timer_start(&h->timer[TIMER_POLL], on_poll, APP_POLL_MS, APP_POLL_MS);
    if (r == 0)
        r = uv_timer_start(&h->timer[TIMER_READY], on_ready_time, APP_READY_MS, 0);
    if (r == 0)
        r = peers_say_ready(a->st.peers);
    if (r)
        return err_set(e, r, "cannot begin: %s", uv_strerror(r));
    a->begun = true;
    return keep_begin(&a->st, e);
}

int app_end(struct app *a)
{
    int exit_code;

    if (!a)
        return 0;
    exit_code = a->exit_code;
    if (a->st.server)
        server_free(a->st.server); /* first: what it drops asks the peers to cancel */
    credentials_free(a->st.credentials);
    leak_watch_free(a->st.leak_watch);
    keep_close(&a->st);      /* what collects asks the peers too */
    peers_free(a->st.peers); /* before the readings: it has their rows as its callbacks' data */
    readings_free(a->st.readings);
    delta_store_release(&a->st.deltas);
    close_handles(a);
    reload_release(&a->reload, &a->st);
    a->magic = 0;
    free(a);
    return exit_code;
}
