/*
 * A visit is made for each request the server hands over and freed exactly once: after the answer
 * is out (server_done), or when the client has gone before it was answered (on_gone, after which
 * there is no server_done). The server clears `user` before each request, so that what it refuses
 * by itself has none.
 */
#include "sidecar/routes/dispatch.h"

#include "base/clock.h"
#include "base/magic.h"
#include "sidecar/audit.h"
#include "sidecar/http/query.h"
#include "sidecar/routes/table.h"
#include "sidecar/routes/through.h"
#include "sidecar/routes/trail.h"
#include "sidecar/routes/visit.h"

enum {
    STATUS_LEFT = 499, /* nginx's number for a client that closed before the answer */
};

static const char *method_name(enum server_method m)
{
    static const char *const names[] = {
        [SERVER_GET] = "GET",
        [SERVER_HEAD] = "HEAD",
        [SERVER_POST] = "POST",
        [SERVER_OTHER] = "OTHER",
    };

    return m <= SERVER_OTHER ? names[m] : "OTHER";
}

/* --- after the answer --- */

static size_t handler_index(const struct visit *v)
{
    return v && v->route ? (size_t)(v->route - v->state->routes) : SIZE_MAX;
}

/* The only place that counts and audits: no handler can forget to. */
static void account(struct state *st, const struct server_request *r, const struct visit *v,
                    unsigned status, uint64_t bytes)
{
    uint64_t now = clock_mono_ns();
    uint64_t took_ns = r->began_ns && now > r->began_ns ? now - r->began_ns : 0;
    const struct trail trail = {.path = r->path ? r->path : "",
                                .route = v ? v->route : NULL,
                                .known = v && v->who.known && v->who.method != AUTH_NONE,
                                .status = status,
                                .key = st->trail_key};
    char path[TRAIL_BYTES];

    metrics_request(&st->metrics, handler_index(v), status, (double)took_ns / CLOCK_NS_PER_SEC);
    if (r->listener != STATE_LISTENER_ADMIN || !audit_wants(st->config->log.audit, status))
        return; /* probes come every few seconds and say nothing about anybody */
    audit_write(&(struct audit){
        .identity = v ? v->who.name : "",
        .with = v ? auth_method_name(v->who.method) : "",
        .method = method_name(r->method),
        .address = r->peer,
        .via = r->via,
        .path = trail_path(&trail, path),
        .id = r->id,
        .asked_seconds = v ? v->asked_seconds : 0,
        .granted_seconds = v ? v->granted_seconds : 0,
        .status = status,
        .bytes = bytes,
        .duration_ms = took_ns / CLOCK_NS_PER_MS,
        .reason = v && !v->who.known ? v->who.detail : NULL,
    });
}

void dispatch_done(void *state, const struct server_request *r, unsigned status, uint64_t bytes)
{
    struct visit *v = r->user;

    if (v)
        MAGIC_CHECK(v, VISIT_MAGIC);
    account(state, r, v, status, bytes);
    if (v)
        v->magic = 0;
    free(v);
}

/* The client has gone before it was answered: server_done is not called for it. */
static void gone(struct server_request *r)
{
    struct visit *v = r->user;

    MAGIC_CHECK(v, VISIT_MAGIC);
    if (v->left)
        v->left(v);
    account(v->state, r, v, STATUS_LEFT, server_sent(r));
    r->user = NULL;
    v->magic = 0;
    free(v);
}

/* --- before it --- */

static void refuse(struct visit *v)
{
    static const char schemes[] = "send a token: Authorization: Bearer TOKEN, Basic any:TOKEN, or "
                                  "X-Pprof-Token: TOKEN";
    const struct auth_verdict *who = &v->who;
    struct server_request *r = v->request;

    metrics_auth(&v->state->metrics, who->method,
                 who->refused == 403 ? METRICS_FORBIDDEN : METRICS_UNKNOWN);
    if (who->refused == 429 || who->refused == 503) {
        visit_retry(v, who->refused, who->retry_ms, who->why);
    } else if (who->refused == 403) {
        server_error(r, 403, "%s", who->why);
    } else {
        server_header(r, "WWW-Authenticate", "Bearer realm=\"pillion\", Basic realm=\"pillion\"");
        server_error(r, 401, "%s: %s", who->why ? who->why : "no valid credentials", schemes);
    }
}

enum {
    PEER_BYTES = sizeof(((struct server_request *)0)->peer),
};

/*
 * "127.0.0.1:51234" and "[::1]:51234" without the port, "unix:pid 12 uid 0" without the pid: new
 * ones cost nothing. An IPv6 address that a proxy named has colons and neither brackets nor a port.
 */
static void address_of(const char *peer, char out[static PEER_BYTES])
{
    const char *uid = strncmp(peer, "unix:", 5) == 0 ? strstr(peer, "uid ") : NULL;
    char *last;

    (void)snprintf(out, PEER_BYTES, "%s", uid ? uid : peer);
    last = strrchr(out, ':');
    if (last && !uid && (out[0] == '[' || strchr(out, ':') == last))
        *last = '\0';
}

static void go_on(struct visit *v);

static void judged(void *data, const struct auth_verdict *verdict)
{
    struct visit *v = data;

    MAGIC_CHECK(v, VISIT_MAGIC);
    v->judgement = 0;
    v->left = NULL;
    v->who = *verdict;
    go_on(v);
}

static void left_unjudged(struct visit *v)
{
    credentials_forget(v->state->credentials, v->judgement);
}

/*
 * The same words for every path, so that the answer tells nothing but what to send. The verdict's
 * reason is about the form of the credentials, never about which of them exist. It may take a
 * while; the request is kept until then.
 */
static void judge(struct visit *v)
{
    struct server_request *r = v->request;
    char address[PEER_BYTES];
    const struct auth_request credentials = {
        .authorization = r->authorization,
        .authorization_bytes = r->authorization ? strlen(r->authorization) : 0,
        .token = r->token,
        .token_bytes = r->token ? strlen(r->token) : 0,
        .peer = r->certificate,
        .address = address,
        .path = r->path,
    };

    address_of(r->peer, address);
    if (v->state->credentials)
        v->judgement = credentials_judge(v->state->credentials, &credentials, &v->who, judged, v);
    else
        auth_judge(v->state->auth, &credentials, &v->who, NULL);
    if (v->judgement)
        v->left = left_unjudged;
    else
        go_on(v);
}

/* RFC 9110, 15.5.6: a 405 has to name what is allowed. */
static bool method_fits(struct visit *v)
{
    const struct route *row = v->route;
    enum server_method m = v->request->method;

    if ((m == SERVER_GET || m == SERVER_HEAD) && (row->methods & ROUTE_GET))
        return true;
    if (m == SERVER_POST && (row->methods & ROUTE_POST))
        return true;
    server_header(v->request, "Allow", row->methods & ROUTE_POST ? "GET, HEAD, POST" : "GET, HEAD");
    visit_refuse(v, 405,
                 row->methods & ROUTE_POST ? "method not allowed: use GET, HEAD or POST"
                                           : "method not allowed: use GET or HEAD");
    return false;
}

/* Where the scopes of such a caller stand. */
static const char *scopes_key(enum auth_method m)
{
    static const char *const keys[AUTH_METHODS] = {
        [AUTH_NONE] = "auth.anonymous.scopes",
        [AUTH_BEARER] = "auth.tokens[].scopes",
        [AUTH_BASIC] = "auth.tokens[].scopes",
        [AUTH_HEADER] = "auth.tokens[].scopes",
        [AUTH_CERTIFICATE] = "auth.certificates[].scopes",
        [AUTH_PASSWORD] = "auth.basic.scopes",
        [AUTH_JWT] = "auth.jwt[].scopes",
        [AUTH_KUBERNETES] = "auth.kubernetes.scopes",
    };

    return (unsigned)m < AUTH_METHODS ? keys[m] : "auth";
}

/* Counted here and not before: by now it is known whether the caller gets in. */
static bool scope_fits(struct visit *v)
{
    struct buf missing;
    uint32_t lacks = v->route->scope & ~v->who.scopes;

    metrics_auth(&v->state->metrics, v->who.method, lacks ? METRICS_FORBIDDEN : METRICS_ALLOWED);
    if (!lacks)
        return true;
    buf_init(&missing, STATE_WHY_BYTES);
    config_scopes_print(lacks, &missing);
    server_error(v->request, 403, "missing scope: %s (%s in the configuration)", buf_text(&missing),
                 scopes_key(v->who.method));
    buf_release(&missing);
    return false;
}

/* The order is the contract's: who, what, how, may they, is it there. */
static void go_on(struct visit *v)
{
    if (!v->who.known) {
        refuse(v);
        return;
    }
    if (v->who.method != AUTH_NONE) /* the anonymous have shown nothing */
        server_authenticated(v->request);
    v->route = table_find(v->request->path, ROUTE_ADMIN);
    if (!v->route && through_serves(v->state, v->request->path))
        v->route = table_custom();
    if (!v->route) {
        metrics_auth(&v->state->metrics, v->who.method, METRICS_ALLOWED);
        visit_refuse(v, 404, "Unknown profile: /debug/pprof/ lists what there is");
        return;
    }
    if (!method_fits(v) || !scope_fits(v))
        return;
    if (v->route->absent)
        visit_refuse(v, 501, v->route->absent);
    else
        v->route->handle(v);
}

/* Kubelets and scrapers have no credentials; there is nothing here that needs any. */
static void health(struct visit *v)
{
    v->route = table_find(v->request->path, ROUTE_HEALTH);
    if (!v->route)
        visit_refuse(v, 404, "only /livez, /readyz and /metrics are here");
    else if (method_fits(v))
        v->route->handle(v);
}

void dispatch_request(void *state, struct server_request *r)
{
    struct state *st = state;
    struct visit *v = calloc(1, sizeof(*v));

    if (!v) {
        r->user = NULL;
        server_error(r, 503, "out of memory");
        return;
    }
    v->magic = VISIT_MAGIC;
    v->state = st;
    v->request = r;
    r->user = v;
    r->on_gone = gone;
    if (r->listener == STATE_LISTENER_HEALTH)
        health(v);
    else if (query_has_token(r->query))
        visit_refuse(v, 400,
                     "a credential in the query is refused, it would end up in logs: send "
                     "it in the Authorization header");
    else
        judge(v);
}
