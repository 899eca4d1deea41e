/*
 * Alive is not ready: a missing target must not get the sidecar restarted (it would come back to
 * the same emptiness), while a Service or a rollout may well wait for readiness.
 */
#include "sidecar/routes/health.h"

#include "base/clock.h"
#include "base/magic.h"
#include "sidecar/forward/report.h"
#include "sidecar/keys.h"
#include "sidecar/store/show.h"

static void text(struct visit *v, const char *what)
{
    struct buf body;

    buf_init(&body, STATE_WHY_BYTES);
    buf_puts(&body, what);
    buf_putc(&body, '\n');
    visit_answer(v, 200, "text/plain; charset=utf-8", &body);
}

void health_live(struct visit *v)
{
    text(v, "ok");
}

/* The reason goes to whoever may reach the health listener: it names the target, nothing inside. */
void health_ready(struct visit *v)
{
    char why[STATE_WHY_BYTES];

    if (state_ready(v->state, why))
        text(v, "ok");
    else
        visit_refuse(v, 503, why);
}

/* Names come from the tables that the counters are indexed by: they cannot drift apart. */
static void answer_metrics(struct visit *v, const struct wire_stats *stats)
{
    const struct state *st = v->state;
    const char *handlers[METRICS_HANDLERS_MAX] = {NULL};
    const char *methods[METRICS_AUTH_METHODS];
    const char *types[METRICS_TYPES];
    const char *refusals[SERVER_REFUSALS];
    struct server_counts counts;
    struct metrics_now now = {
        .version = PILLION_VERSION,
        .status = &st->status,
        .about = &st->about,
        .stats = stats,
        .leak = leak_watch_leak(st->leak_watch),
        .in_flight = session_count(&st->session),
        .cert_expiry = server_cert_expiry(st->server),
        .crl_expiry = server_crl_expiry(st->server),
        .reload_ok = st->reload_ok,
        .handlers = handlers,
        .methods = methods,
        .types = types,
        .refusals = refusals,
        .refusals_count = SERVER_REFUSALS,
    };
    struct buf body;

    for (size_t i = 0; i < st->routes_count && i < METRICS_HANDLERS_MAX - 1; i++)
        handlers[i] = st->routes[i].name;
    for (unsigned i = 0; i < METRICS_AUTH_METHODS; i++)
        methods[i] = auth_method_name((enum auth_method)i);
    for (unsigned i = 0; i < METRICS_TYPES; i++)
        types[i] = session_kind_name((enum session_kind)i);
    for (unsigned i = 0; i < SERVER_REFUSALS; i++)
        refusals[i] = server_refusal_name(i);
    server_counts(st->server, &counts);
    now.refused = counts.refused_for;
    now.evicted = counts.evicted;
    now.certificates_refused = counts.certificates_refused;
    buf_init(&body, METRICS_TEXT_MAX_BYTES);
    metrics_print(&st->metrics, &now, &body);
    report_metrics(st->forward, st->collect, &body);
    show_metrics(st->store, st->history, &body);
    if (st->auth)
        keys_metrics(st->auth, clock_mono_ns(), clock_real_ns() / CLOCK_NS_PER_SEC, &body);
    visit_answer(v, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static void scraper_left(struct visit *v)
{
    peers_forget(v->state->peers, v->question);
}

/* Without them when they do not come in time, or cannot be had: the rest is worth as much. */
static void stats_came(void *data, const struct peers_answer *a)
{
    struct visit *v = data;

    MAGIC_CHECK(v, VISIT_MAGIC);
    v->left = NULL;
    v->question = 0;
    answer_metrics(v, a->fate == PEERS_ANSWERED ? &a->answer->body.stats : NULL);
}

/* Read at each scrape: a few microseconds of the target's memory, and nothing of its time. */
void health_metrics(struct visit *v)
{
    const struct state *st = v->state;
    char why[STATE_WHY_BYTES];
    bool go = strcmp(st->about.language, "go") == 0 &&
              state_refuses_runtime(st, WIRE_RUNTIME_GOROUTINE, why) == 0;

    if (v->request->method == SERVER_HEAD || !go ||
        peers_stats(st->peers, stats_came, v, &v->question))
        answer_metrics(v, NULL);
    else
        v->left = scraper_left;
}
