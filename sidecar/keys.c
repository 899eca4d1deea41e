#include "sidecar/keys.h"

#include <errno.h>
#include <inttypes.h>

#include "auth/jwks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/client/client.h"
#include "sidecar/credentials.h"
#include "sidecar/metrics.h"

enum {
    KEYS_MAGIC = 0x4b455953,
    LOOK_MS = 5000, /* between two looks at whether a fetch is due */
};

struct issuer_keys {
    struct keys *keys;
    size_t i;
    struct client *client; /* NULL: from a file */
    uint32_t ticket;       /* of a fetch under way */
    uint64_t due_ns;
    bool failed; /* the last fetch: said once */
};

struct keys {
    unsigned magic;
    struct auth *auth;
    uv_timer_t *timer; /* closed on its own, after us */
    keys_came came;
    void *data;
    struct issuer_keys of[CONFIG_ISSUERS_MAX];
};

/* The reason is ours or mbedTLS's; the body is never shown. */
static void note(struct issuer_keys *k, const char *why)
{
    const char *url = auth_issuer_url(k->keys->auth, k->i);

    if (why && !k->failed)
        log_warn(
            "the keys of a token issuer cannot be fetched; those that are known stay for a day",
            LOG_STR("url", url), LOG_STR("reason", why));
    else if (!why && k->failed)
        log_info("the keys of a token issuer are here again", LOG_STR("url", url));
    k->failed = why != NULL;
}

static void answered(void *data, const struct client_answer *a)
{
    struct issuer_keys *k = data;
    struct keys *all = k->keys;
    uint64_t now = clock_mono_ns();
    struct err e = {0};
    char why[64];
    int r = -EIO;

    MAGIC_CHECK(all, KEYS_MAGIC);
    k->ticket = 0;
    auth_keys_tried(all->auth, k->i, now);
    if (a->fate != CLIENT_ANSWERED) {
        (void)err_set(&e, r, "%s", a->why);
    } else if (a->status != 200) {
        (void)snprintf(why, sizeof(why), "HTTP %u", a->status);
        (void)err_set(&e, r, "%s", why);
    } else {
        r = auth_keys_put(all->auth, k->i, a->body, a->bytes, now, &e);
    }
    note(k, r ? e.text : NULL);
    k->due_ns = now + (r ? CREDENTIALS_KEYS_RETRY_MS : CREDENTIALS_KEYS_EVERY_MS) * CLOCK_NS_PER_MS;
    all->came(all->data, k->i);
}

int keys_fetch(struct keys *k, size_t i)
{
    const struct client_request request = {
        .method = "GET",
        .path = "",
        .headers = {{"Accept", "application/json"}},
        .headers_count = 1,
        .total_ms = CREDENTIALS_KEYS_MS,
        .body_max_bytes = JWKS_MAX_BYTES,
    };
    struct issuer_keys *one = &k->of[i];
    uint64_t now = clock_mono_ns();
    int r;

    if (i >= CONFIG_ISSUERS_MAX || !one->client)
        return -EINVAL;
    if (one->ticket)
        return 0;
    one->due_ns = now + CREDENTIALS_KEYS_RETRY_MS * CLOCK_NS_PER_MS;
    r = client_ask(one->client, &request, NULL, answered, one, &one->ticket);
    if (r)
        note(one, "it cannot be asked");
    return r;
}

static void sample(struct buf *out, const char *name, const char *issuer, const char *rest,
                   uint64_t value)
{
    buf_printf(out, "pillion_jwks_%s{issuer=", name);
    metrics_label(issuer, out);
    buf_printf(out, "%s} %" PRIu64 "\n", rest, value);
}

void keys_metrics(const struct auth *a, uint64_t now_ns, uint64_t real_s, struct buf *out)
{
    static const struct {
        const char *name, *type, *help;
    } FAMILIES[] = {
        {"keys", "gauge", "Keys of a token issuer that can be used now."},
        {"last_success_timestamp_seconds", "gauge", "When the keys were fetched last."},
        {"fetches_total", "counter", "Fetches of an issuer's keys."},
    };
    struct auth_issuer one;

    for (size_t f = 0; f < sizeof(FAMILIES) / sizeof(FAMILIES[0]); f++) {
        buf_printf(out, "# HELP pillion_jwks_%s %s\n# TYPE pillion_jwks_%s %s\n", FAMILIES[f].name,
                   FAMILIES[f].help, FAMILIES[f].name, FAMILIES[f].type);
        for (size_t i = 0; i < CONFIG_ISSUERS_MAX; i++) {
            if (auth_issuer_state(a, i, now_ns, &one))
                continue;
            if (f == 0) {
                sample(out, FAMILIES[f].name, one.name, "", one.keys);
            } else if (f == 1 && one.fetched_ns) {
                sample(out, FAMILIES[f].name, one.name, "",
                       real_s - (now_ns - one.fetched_ns) / CLOCK_NS_PER_SEC);
            } else if (f == 2) {
                sample(out, FAMILIES[f].name, one.name, ",result=\"success\"", one.successes);
                sample(out, FAMILIES[f].name, one.name, ",result=\"failure\"",
                       one.tries - one.successes);
            }
        }
    }
}

static void on_timer(uv_timer_t *t)
{
    struct keys *k = t->data;
    uint64_t now = clock_mono_ns();

    MAGIC_CHECK(k, KEYS_MAGIC);
    for (size_t i = 0; i < CONFIG_ISSUERS_MAX; i++) {
        if (k->of[i].client && now >= k->of[i].due_ns)
            (void)keys_fetch(k, i);
    }
}

static int open_one(struct issuer_keys *k, uv_loop_t *loop, const struct config_issuer *c,
                    struct err *e)
{
    struct config_client_tls tls = {.ca = ""};
    struct client_want want = {.tls = &tls};
    int r = client_url_parse(c->jwks, &want.url, e);

    memcpy(tls.ca, c->ca, sizeof(tls.ca));
    return r ? r : client_new(loop, &want, &k->client, e);
}

static void closed(uv_handle_t *h)
{
    free(h);
}

static int start_timer(struct keys *k, uv_loop_t *loop)
{
    uv_timer_t *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    (void)uv_timer_init(loop, t); /* always 0 */
    t->data = k;
    k->timer = t;
    return uv_timer_start(t, on_timer, 0, LOOK_MS);
}

int keys_new(uv_loop_t *loop, const struct config *config, struct auth *auth, keys_came came,
             void *data, struct keys **ret, struct err *e)
{
    struct keys *k = calloc(1, sizeof(*k));
    bool any = false;
    int r = 0;

    if (!k)
        return err_set(e, -ENOMEM, "out of memory");
    k->magic = KEYS_MAGIC;
    k->auth = auth;
    k->came = came;
    k->data = data;
    for (size_t i = 0; i < config->auth.issuers_count && r == 0; i++) {
        k->of[i].keys = k;
        k->of[i].i = i;
        if (!auth_issuer_url(auth, i))
            continue;
        any = true;
        r = open_one(&k->of[i], loop, &config->auth.issuers[i], e);
    }
    if (r == 0 && any && start_timer(k, loop))
        r = err_set(e, -ENOMEM, "out of memory");
    if (r) {
        keys_free(k);
        return r;
    }
    *ret = k;
    return 0;
}

void keys_free(struct keys *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < CONFIG_ISSUERS_MAX; i++)
        client_free(k->of[i].client);
    if (k->timer)
        uv_close((uv_handle_t *)k->timer, closed);
    k->magic = 0;
    free(k);
}
