/*
 * Alive is not ready: a missing target must not get the sidecar restarted (it would come back to
 * the same emptiness), while a Service or a rollout may well wait for readiness.
 */
#include "sidecar/routes/health.h"

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
void health_metrics(struct visit *v)
{
    const struct state *st = v->state;
    const char *handlers[METRICS_HANDLERS_MAX] = {NULL};
    const char *methods[METRICS_AUTH_METHODS];
    const char *types[METRICS_TYPES];
    const struct metrics_now now = {
        .version = PILLION_VERSION,
        .status = &st->status,
        .about = &st->about,
        .in_flight = session_count(&st->session),
        .cert_expiry = server_cert_expiry(st->server),
        .reload_ok = st->reload_ok,
        .handlers = handlers,
        .methods = methods,
        .types = types,
    };
    struct buf body;

    for (size_t i = 0; i < st->routes_count && i < METRICS_HANDLERS_MAX - 1; i++)
        handlers[i] = st->routes[i].name;
    for (unsigned i = 0; i < METRICS_AUTH_METHODS; i++)
        methods[i] = auth_method_name((enum auth_method)i);
    for (unsigned i = 0; i < METRICS_TYPES; i++)
        types[i] = session_kind_name((enum session_kind)i);
    buf_init(&body, METRICS_TEXT_MAX_BYTES);
    metrics_print(&st->metrics, &now, &body);
    visit_answer(v, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}
