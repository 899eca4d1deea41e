#include "auth/issuers.h"

#include <errno.h>

#include "base/clock.h"
#include "config/slurp.h"

static const char unknown[] = "the token is not known here";

static int read_keys(const char *path, struct jwks **ret, struct err *e)
{
    struct buf text;
    int r;

    buf_init(&text, JWKS_MAX_BYTES);
    r = slurp_file(path, &text, e);
    if (r == 0) {
        r = jwks_parse(text.data, text.len, ret, e);
        if (r)
            err_prefix(e, "%s: ", path);
    }
    buf_release(&text);
    return r == -EFBIG || r == -EBADMSG ? -EINVAL : r;
}

int issuers_open(struct issuers *s, const struct config *c, struct err *e)
{
    for (size_t i = 0; i < c->auth.issuers_count; i++) {
        struct issuer *one = &s->list[i];
        int r;

        one->is = c->auth.issuers[i];
        one->remote = strstr(one->is.jwks, "://") != NULL;
        s->count = i + 1;
        r = one->remote ? 0 : read_keys(one->is.jwks, &one->keys, e);
        if (r)
            return r;
    }
    return 0;
}

void issuers_release(struct issuers *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        jwks_free(s->list[i].keys);
    s->count = 0;
}

static struct jwks *keys_of(const struct issuer *one, uint64_t now_ns)
{
    bool stale =
        one->remote && now_ns - one->fetched_ns > (uint64_t)ISSUERS_STALE_MS * CLOCK_NS_PER_MS;

    return stale ? NULL : one->keys;
}

/* "https://issuer.example/realm" becomes "issuer.example/realm". */
static const char *short_name(const char *issuer)
{
    const char *at = strstr(issuer, "://");

    return at ? at + 3 : issuer;
}

static void let_in(const struct issuer *one, const struct jwt *t, struct auth_verdict *ret)
{
    ret->known = true;
    ret->refused = 0;
    ret->why = ret->detail = NULL;
    ret->scopes = one->is.scopes;
    auth_identity(ret->name, "jwt", short_name(one->is.issuer), jwt_subject(t));
}

/*
 * The cheap questions first; whose signature it is comes last. NULL: it is this one's. A missing
 * key is its own case: ${ret_missing}.
 */
static const char *complain(const struct issuer *one, const struct jwt *t, int64_t now_s,
                            uint64_t now_ns, bool *ret_missing)
{
    const struct jwt_rules rules = {one->is.issuer, one->is.audience, one->is.subject};
    const char *why = jwt_header(t);
    struct jwks *keys = keys_of(one, now_ns);
    struct jwks_key *key;

    if (!why)
        why = jwt_claims(t, &rules, now_s);
    if (why)
        return why;
    key = keys ? jwks_find(keys, jwt_kid(t)) : NULL;
    if (!key) {
        *ret_missing = true;
        return keys ? "its kid names no key of the issuer" : "the issuer's keys are not there";
    }
    return jwt_signed(t, key);
}

static bool may_fetch(const struct issuer *one, const struct auth_request *request)
{
    return one->remote && !request->keys_came &&
           (one->tried_ns == 0 ||
            request->mono_ns - one->tried_ns >= ISSUERS_AGAIN_MS * CLOCK_NS_PER_MS);
}

static bool judge_all(const struct issuers *s, const struct jwt *t,
                      const struct auth_request *request, struct auth_verdict *ret,
                      size_t *ret_wanted)
{
    const char *claimed = jwt_issuer(t);
    bool ours = false;

    for (size_t i = 0; i < s->count && claimed; i++) {
        const struct issuer *one = &s->list[i];
        bool missing = false;
        const char *why;

        if (strcmp(one->is.issuer, claimed) != 0)
            continue;
        ours = true;
        why = complain(one, t, request->real_s, request->mono_ns, &missing);
        if (!why) {
            let_in(one, t, ret);
            return true;
        }
        ret->detail = why;
        if (missing && may_fetch(one, request))
            *ret_wanted = i;
        if (missing && !keys_of(one, request->mono_ns)) {
            ret->refused = 503;
            ret->why = "credentials cannot be checked right now: try again in a moment";
        }
    }
    return ours;
}

bool issuers_judge(struct issuers *s, const char *token, size_t bytes,
                   const struct auth_request *request, struct auth_verdict *ret,
                   struct auth_work **ret_work)
{
    struct auth_verdict v = {.method = AUTH_JWT, .refused = 401, .why = unknown};
    size_t wanted = SIZE_MAX;
    struct jwt t;
    bool ours;

    if (s->count == 0 || jwt_parse(token, bytes, &t) != 0)
        return false;
    ours = judge_all(s, &t, request, &v, &wanted);
    jwt_release(&t);
    if (!ours)
        return false;
    if (!v.known && wanted != SIZE_MAX) {
        struct auth_work *w = auth_work_new(AUTH_NEEDS_KEYS);

        if (w) {
            w->issuer = wanted;
            v.need = AUTH_NEEDS_KEYS;
            *ret_work = w;
        }
    }
    *ret = v;
    return true;
}

int issuers_state(const struct issuers *s, size_t i, uint64_t now_ns, struct auth_issuer *ret)
{
    const struct issuer *one = i < s->count ? &s->list[i] : NULL;
    const struct jwks *keys;

    if (!one || !one->remote)
        return -ENOENT;
    keys = keys_of(one, now_ns);
    *ret = (struct auth_issuer){.name = one->is.issuer,
                                .keys = keys ? jwks_count(keys) : 0,
                                .fetched_ns = one->fetched_ns,
                                .tries = one->tries,
                                .successes = one->successes};
    return 0;
}

void issuers_inherit(struct issuers *s, struct issuers *old)
{
    for (size_t i = 0; i < s->count; i++) {
        for (size_t j = 0; j < old->count && s->list[i].remote; j++) {
            struct issuer *to = &s->list[i], *from = &old->list[j];

            if (to->tries == 0 && from->remote && strcmp(to->is.jwks, from->is.jwks) == 0) {
                to->tries = from->tries;
                to->successes = from->successes;
            }
            /* the same place, believed for the same reason; each set of keys moves once */
            if (to->keys || !from->keys || !from->remote ||
                strcmp(to->is.jwks, from->is.jwks) != 0 || strcmp(to->is.ca, from->is.ca) != 0)
                continue;
            to->keys = from->keys;
            to->fetched_ns = from->fetched_ns;
            to->tried_ns = from->tried_ns;
            from->keys = NULL;
        }
    }
}
