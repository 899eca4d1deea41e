/*
 * Only what needs more than one key. What a single key may be is its row's business
 * (config/keys.c), so that the error stands at the value.
 */
#include "config/verify.h"

#include <errno.h>

#include "config/text.h"

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

int config_verify(const struct config *c, const char **ret_at, struct err *e)
{
    *ret_at = "admin.tls";
    if (c->admin.tls_off && plain_stays_local(c, e) != 0)
        return -EINVAL;
    /* half a pair would silently be the self-signed default */
    if ((c->admin.certificate[0] != '\0') != (c->admin.key[0] != '\0'))
        return err_set(e, -EINVAL, "tls needs both certificate and key, or neither");
    /* a default that the limit cuts would be a lie in the configuration */
    *ret_at = "limits.default_seconds";
    if (c->limits.default_seconds > c->limits.profile_seconds)
        return err_set(e, -EINVAL, "default_seconds (%u) is above profile_seconds (%u)",
                       c->limits.default_seconds, c->limits.profile_seconds);
    return 0;
}
