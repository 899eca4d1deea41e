#include "config/weak.h"

#include "config/text.h"
#include "config/url.h"

enum {
    WEAK_BITS_V4 = 96 + 8, /* a range that is shorter than a /8 holds most of the internet */
    WEAK_BITS_V6 = 16,
    WEAK_GRACE_MS = 27000, /* Kubernetes kills after 30 s unless a Pod says otherwise */
};

struct weak {
    config_weak_fn fn;
    void *data;
};

static void say(const struct weak *w, const char *where, const char *what)
{
    w->fn(w->data, where, what);
}

static void look_at_callers(const struct config *c, const struct weak *w)
{
    if (c->auth.anonymous) {
        struct buf text;

        buf_init(&text, ERR_TEXT_BYTES);
        buf_puts(&text, "whoever reaches the endpoint may: ");
        config_scopes_print(c->auth.anonymous, &text);
        say(w, "auth.anonymous", buf_text(&text));
        buf_release(&text);
    }
    for (size_t i = 0; i < c->auth.issuers_count; i++) {
        if (!c->auth.issuers[i].subject[0] && c->auth.issuers[i].scopes)
            say(w, "auth.jwt",
                "without subject, everybody to whom the issuer gives this audience may come in");
    }
    /* RBAC of the path is not tied to a Pod: SubjectAccessReview, nonResourceAttributes */
    if (c->auth.kubernetes.non_resource)
        say(w, "auth.kubernetes.non_resource",
            "everybody whose role grants nonResourceURLs /debug/* may profile every Pod of the "
            "cluster that asks so; pods/pprof is granted by namespace");
}

static bool holds_most(const struct config_cidr *c)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    return c->bits <
           (memcmp(c->address, mapped, sizeof(mapped)) == 0 ? WEAK_BITS_V4 : WEAK_BITS_V6);
}

static void look_at_doors(const struct config *c, const struct weak *w)
{
    bool from_anywhere = false;

    if (c->admin.tls_off)
        say(w, "admin.tls: off", "tokens and profiles cross the socket in plain text");
    for (size_t i = 0; i < c->admin.trusted_proxies_count; i++)
        from_anywhere = from_anywhere || holds_most(&c->admin.trusted_proxies[i]);
    if (from_anywhere)
        say(w, "admin.trusted_proxies", "so wide a range lets callers choose their own address");
    if (c->admin.proxy_protocol && c->admin.trusted_proxies_count == 0)
        say(w, "admin.proxy_protocol",
            "without trusted_proxies, whoever connects says which address he comes from");
}

static void look_at_unsafe(const struct config *c, const struct weak *w)
{
    if (c->unsafe.heap_profile_rate >= 0 || c->unsafe.block_profile_rate >= 0 ||
        c->unsafe.mutex_profile_fraction >= 0)
        say(w, "target.unsafe", "writes into the memory of the target, which may crash by it");
    if (c->unsafe.ptrace_sampling)
        say(w, "target.unsafe.ptrace_sampling", "stops the target for each sample");
}

/* Loopback and sockets are left out: nobody is on that way. */
static void look_at_plain(const struct weak *w, const char *where, const char *name,
                          const char *url, const struct config_client_auth_data *auth, bool key)
{
    char text[CONFIG_NAME_BYTES + 80];

    if (!config_url_is_open(url) || !(auth->basic_user[0] || auth->bearer_file[0] || key))
        return;
    (void)snprintf(text, sizeof(text), "%s%scredentials cross the network in plain text: use https",
                   name, name[0] ? ": " : "");
    say(w, where, text);
}

static void look_at_pushes(const struct config *c, const struct weak *w)
{
    bool collects = c->collect.every_ms > 0;

    look_at_plain(w, "collect.scrape.url", "", c->collect.scrape.url, &c->collect.scrape.auth,
                  false);
    for (size_t i = 0; i < c->forward_count; i++) {
        const struct config_backend *b = &c->forward[i];

        look_at_plain(w, "forward", b->name, b->url, &b->auth,
                      b->api_key_file[0] || b->secret_access_key_file[0] ||
                          b->type == CONFIG_BACKEND_GOOGLE);
    }
    if (c->forward_count && !collects)
        say(w, "forward", "without collect, nothing is sent");
    if (collects && !c->forward_count && !c->history.dir[0])
        say(w, "collect", "without forward and history.dir, nobody gets what is collected");
    if (c->forward_count && !c->spool.dir[0])
        say(w, "spool", "without dir, what could not be sent yet is lost with a restart");
    if (c->drain_ms > WEAK_GRACE_MS)
        say(w, "drain", "Kubernetes kills after 30s: set terminationGracePeriodSeconds above it");
}

void config_weak(const struct config *c, config_weak_fn fn, void *data)
{
    const struct weak w = {fn, data};

    look_at_callers(c, &w);
    look_at_doors(c, &w);
    look_at_unsafe(c, &w);
    look_at_pushes(c, &w);
}
