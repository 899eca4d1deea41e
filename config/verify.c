/*
 * Only what needs more than one key. What a single key may be is its row's business
 * (config/table.c), so that the error stands at the value; what an entry of a list may be is that
 * of config/entries.c.
 */
#include "config/verify.h"

#include <errno.h>

#include "config/text.h"
#include "config/url.h"

/* Without TLS the tokens would cross the network as they are. */
static int plain_stays_local(const struct config *c, struct err *e)
{
    for (size_t i = 0; i < c->admin.listens; i++) {
        struct buf text;
        int r;

        if (config_address_is_local(&c->admin.listen[i]))
            continue;
        buf_init(&text, CONFIG_TEXT_PRINTED_BYTES);
        config_address_print(&c->admin.listen[i], &text);
        r = err_set(e, -EINVAL,
                    "tls: off is only for loopback and unix addresses, and %s is neither",
                    buf_text(&text));
        buf_release(&text);
        return r;
    }
    return 0;
}

static int verify_tls(const struct config *c, const char **ret_at, struct err *e)
{
    *ret_at = "admin.tls";
    if (c->admin.tls_off && plain_stays_local(c, e) != 0)
        return -EINVAL;
    /* half a pair would silently be the self-signed default */
    if ((c->admin.certificate[0] != '\0') != (c->admin.key[0] != '\0'))
        return err_set(e, -EINVAL, "tls needs both certificate and key, or neither");
    *ret_at = "admin.tls.client_auth";
    if (c->admin.client_auth != CONFIG_CLIENT_OFF && !c->admin.client_ca[0])
        return err_set(e, -EINVAL, "client_auth needs client_ca: who signs the certificates?");
    *ret_at = "admin.tls.crl";
    if (c->admin.crls_count && !c->admin.client_ca[0])
        return err_set(e, -EINVAL, "crl needs client_ca, whose list it is");
    return 0;
}

/* Who writes how callers are known believes that they can come in. */
static int verify_auth(const struct config *c, const char **ret_at, struct err *e)
{
    *ret_at = "auth.certificates";
    if (c->auth.certificates_count && c->admin.client_auth == CONFIG_CLIENT_OFF)
        return err_set(e, -EINVAL, "certificates need admin.tls.client_ca, else none is asked for");
    *ret_at = "auth.basic";
    if (c->auth.basic.scopes && !c->auth.basic.htpasswd[0])
        return err_set(e, -EINVAL, "basic needs htpasswd, the file with its users");
    *ret_at = "auth.kubernetes";
    if (c->auth.kubernetes.scopes && c->auth.kubernetes.audiences_count == 0)
        return err_set(e, -EINVAL, "kubernetes needs audiences, like [pillion]");
    return 0;
}

static int verify_limits(const struct config *c, const char **ret_at, struct err *e)
{
    /* a default that the limit cuts would be a lie in the configuration */
    *ret_at = "limits.default_seconds";
    if (c->limits.default_seconds > c->limits.profile_seconds)
        return err_set(e, -EINVAL, "default_seconds (%u) is above profile_seconds (%u)",
                       c->limits.default_seconds, c->limits.profile_seconds);
    return 0;
}

static int verify_schedule(const struct config *c, const char **ret_at, struct err *e)
{
    *ret_at = "collect.every";
    if (c->collect.every_ms > 0 && c->collect.every_ms < 1000)
        return err_set(e, -EINVAL, "every is 0s (off) or at least 1s");
    *ret_at = "collect.profiles";
    for (size_t i = 0; i < c->collect.profiles_count; i++) {
        const struct config_collect *p = &c->collect.profiles[i];
        uint64_t every_ms = p->every_ms ? p->every_ms : c->collect.every_ms;

        if (every_ms && p->seconds * UINT64_C(1000) > every_ms)
            return err_set(e, -EINVAL, "%u seconds of %s do not fit into every %llu seconds",
                           p->seconds, p->type, (unsigned long long)every_ms / 1000);
        /* the guard grants no more than that to anybody */
        if (p->hz > c->limits.hz)
            return err_set(e, -EINVAL, "hz (%u) is above limits.hz (%u)", p->hz, c->limits.hz);
    }
    return 0;
}

static int verify_scrape(const struct config *c, const char **ret_at, struct err *e)
{
    const struct config_client_auth_data *auth = &c->collect.scrape.auth;
    const struct config_client_tls *tls = &c->collect.scrape.tls;

    *ret_at = "collect.scrape";
    if (c->collect.scrape.types_count && !c->collect.scrape.url[0])
        return err_set(e, -EINVAL, "scrape needs a url, like http://127.0.0.1:6065/debug/pprof");
    if ((auth->basic_user[0] != '\0') != (auth->password_file[0] != '\0'))
        return err_set(e, -EINVAL, "basic needs both user and password_file");
    if (auth->basic_user[0] && auth->bearer_file[0])
        return err_set(e, -EINVAL, "either basic or token_file: there is one Authorization");
    if ((tls->certificate[0] != '\0') != (tls->key[0] != '\0'))
        return err_set(e, -EINVAL, "tls needs both certificate and key, or neither");
    if ((tls->ca[0] || tls->certificate[0] || tls->server_name[0]) &&
        !config_url_is_https(c->collect.scrape.url))
        return err_set(e, -EINVAL, "tls: is given, but the url does not begin with https://");
    return 0;
}

int config_verify(const struct config *c, const char **ret_at, struct err *e)
{
    int r = verify_tls(c, ret_at, e);

    if (r == 0)
        r = verify_auth(c, ret_at, e);
    if (r == 0)
        r = verify_limits(c, ret_at, e);
    if (r == 0)
        r = verify_schedule(c, ret_at, e);
    return r ? r : verify_scrape(c, ret_at, e);
}
