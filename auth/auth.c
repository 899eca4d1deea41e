/*
 * The table of who may call. Two lists: identities (name and scopes) and entries (hash and whose it
 * is); a token file gives one identity many entries. Nothing here keeps a token: what is stored and
 * compared is SHA-256, so neither a core file nor a reader of our memory gets one that works.
 * A plain hash is enough because tokens are long random texts: there is nothing to guess, and the
 * hash costs the server 0.2 us and not the 50 ms of bcrypt, which a stranger could ask for at will.
 */
#include "auth/auth.h"

#include <errno.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/sha256.h>

#include "auth/base64.h"
#include "auth/certificate.h"
#include "auth/file.h"
#include "auth/issuers.h"
#include "auth/kubernetes.h"
#include "auth/passwords.h"
#include "base/clock.h"

enum {
    /* every file full, every hash, and the one made at start */
    AUTH_ENTRIES_MAX = CONFIG_TOKENS_MAX * AUTH_FILE_TOKENS_MAX + 1,
};

struct entry {
    uint8_t sha256[CONFIG_SHA256_BYTES];
    uint32_t identity;
};

struct identity {
    char name[CONFIG_NAME_BYTES];
    uint32_t scopes;
};

struct auth {
    struct identity identities[CONFIG_TOKENS_MAX + 1];
    size_t identities_count;
    struct entry *entries;
    size_t count, cap;
    struct config_certificate *certificates;
    size_t certificates_count;
    struct passwords passwords;
    struct issuers issuers;
    struct kubernetes kubernetes;
    uint32_t anonymous;
};

/* Fails only where a hardware driver does; then nobody is known. */
static int hash(const void *data, size_t bytes, uint8_t out[static CONFIG_SHA256_BYTES])
{
    return mbedtls_sha256(data, bytes, out, 0) == 0 ? 0 : -EIO;
}

/* One token more; the same token under two names would make the log lie about one of them. */
static int add_entry(struct auth *a, const uint8_t sha256[static CONFIG_SHA256_BYTES],
                     uint32_t identity, struct err *e)
{
    /* while loading, so the time tells nothing to a caller; and quadratic only in 4,097 */
    for (size_t i = 0; i < a->count; i++) {
        if (memcmp(a->entries[i].sha256, sha256, CONFIG_SHA256_BYTES) != 0)
            continue;
        if (a->entries[i].identity == identity)
            return 0;
        return err_set(e, -EINVAL, "auth.tokens: \"%s\" and \"%s\" have the same token",
                       a->identities[a->entries[i].identity].name, a->identities[identity].name);
    }
    if (a->count == AUTH_ENTRIES_MAX)
        return err_set(e, -E2BIG, "auth.tokens: more than %d tokens", AUTH_ENTRIES_MAX);
    if (a->count == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 8;
        struct entry *p = realloc(a->entries, cap * sizeof(*p));

        if (!p)
            return err_set(e, -ENOMEM, "no memory for the tokens");
        a->entries = p;
        a->cap = cap;
    }
    memcpy(a->entries[a->count].sha256, sha256, CONFIG_SHA256_BYTES);
    a->entries[a->count++].identity = identity;
    return 0;
}

/* The array has room for every configured token and the one made at start. */
static uint32_t add_identity(struct auth *a, const char *name, uint32_t scopes)
{
    struct identity *id = &a->identities[a->identities_count];

    (void)snprintf(id->name, sizeof(id->name), "%s", name);
    id->scopes = scopes;
    return (uint32_t)a->identities_count++;
}

struct filling {
    struct auth *auth;
    uint32_t identity;
};

/* Called by auth_file_tokens() for each line, and for the token made at start. */
static int add_from_file(void *ctx, const char *token, size_t bytes, struct err *e)
{
    struct filling *f = ctx;
    uint8_t sha256[CONFIG_SHA256_BYTES];
    int r = hash(token, bytes, sha256);

    return r ? err_set(e, r, "SHA-256 failed") : add_entry(f->auth, sha256, f->identity, e);
}

static int add_token(struct auth *a, const struct config_token *t, struct err *e)
{
    struct filling f = {a, add_identity(a, t->name, t->scopes)};

    if (t->has_hash)
        return add_entry(a, t->sha256, f.identity, e);
    return auth_file_tokens(t->file, add_from_file, &f, e);
}

/* A copy: the table may outlive the configuration it was made from. */
static int add_certificates(struct auth *a, const struct config *c, struct err *e)
{
    size_t n = c->auth.certificates_count;

    if (n == 0)
        return 0;
    a->certificates = malloc(n * sizeof(a->certificates[0]));
    if (!a->certificates)
        return err_set(e, -ENOMEM, "no memory for auth.certificates");
    memcpy(a->certificates, c->auth.certificates, n * sizeof(a->certificates[0]));
    a->certificates_count = n;
    return 0;
}

int auth_new(const struct config *c, const char *generated, struct auth **ret, struct err *e)
{
    struct auth *a = calloc(1, sizeof(*a));
    int r = 0;

    if (!a)
        return err_set(e, -ENOMEM, "no memory for the tokens");
    a->anonymous = c->auth.anonymous;
    /* all or nothing: a table that lacks an entry would lock somebody out in silence */
    for (size_t i = 0; i < c->auth.tokens_count && r == 0; i++)
        r = add_token(a, &c->auth.tokens[i], e);
    if (r == 0)
        r = add_certificates(a, c, e);
    if (r == 0 && c->auth.basic.htpasswd[0])
        r = passwords_open(&a->passwords, c->auth.basic.htpasswd, c->auth.basic.scopes, e);
    if (r == 0)
        r = issuers_open(&a->issuers, c, e);
    if (r == 0)
        r = kubernetes_open(&a->kubernetes, c, e);
    if (r == 0 && generated) {
        struct filling f = {a, add_identity(a, "start", CONFIG_SCOPE_ALL)};

        r = add_from_file(&f, generated, strlen(generated), e);
    }
    if (r) {
        auth_free(a);
        return r;
    }
    *ret = a;
    return 0;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    free(a->entries);
    free(a->certificates);
    passwords_release(&a->passwords);
    issuers_release(&a->issuers);
    kubernetes_release(&a->kubernetes);
    free(a);
}

void auth_inherit(struct auth *a, struct auth *old)
{
    passwords_inherit(&a->passwords, &old->passwords);
    issuers_inherit(&a->issuers, &old->issuers);
}

/*
 * Whose token is it? All entries are compared, each in constant time, and the match is taken by a
 * mask: neither the place of the entry nor how much of the hash agrees shows in the time.
 */
static void look_up(const struct auth *a, const void *token, size_t bytes, struct auth_verdict *ret)
{
    uint8_t sha256[CONFIG_SHA256_BYTES];
    uint32_t found = 0; /* identity + 1 */

    ret->why = "the token is not known here";
    if (bytes == 0 || bytes > AUTH_TOKEN_MAX_BYTES || hash(token, bytes, sha256) != 0)
        return;
    for (size_t i = 0; i < a->count; i++) {
        uint32_t differs = mbedtls_ct_memcmp(a->entries[i].sha256, sha256, sizeof(sha256)) != 0;

        /* differs is 1 or 0, so the mask is none or all ones: no branch */
        found |= (differs - 1) & (a->entries[i].identity + 1);
    }
    /* the second cannot be; hashes are unique, so ORing mixes no two identities */
    if (found == 0 || found > a->identities_count)
        return;
    ret->known = true;
    ret->refused = 0;
    ret->why = NULL;
    ret->scopes = a->identities[found - 1].scopes;
    memcpy(ret->name, a->identities[found - 1].name, sizeof(ret->name));
}

/* What stands behind the scheme's word and its spaces; NULL when it is another scheme. */
/* RFC 9110, 11.4: the scheme in any case, then at least one space. A tab is no separator there. */
static const char *after_scheme(const char *value, size_t bytes, const char *scheme,
                                size_t *ret_bytes)
{
    size_t i = strlen(scheme);

    if (bytes <= i || strncasecmp(value, scheme, i) != 0 || value[i] != ' ')
        return NULL;
    while (i < bytes && value[i] == ' ')
        i++;
    *ret_bytes = bytes - i;
    return value + i;
}

/* One judgement on its way through the kinds of credentials. */
struct judging {
    struct auth *auth;
    const struct auth_request *request;
    struct auth_verdict *ret;
    struct auth_work *work; /* when something is needed first */
};

/*
 * What came as a token. True: it is decided, or what is needed is known. An issuer's word is final:
 * a token of theirs that we refuse is not shown to another server. Kubernetes is asked about what
 * could be its token; of passwords only about those that look like a JSON Web Token, as a person's
 * password is nobody else's business.
 */
static bool judge_token(struct judging *j, const char *text, size_t bytes, bool is_password)
{
    struct auth *a = j->auth;
    bool jwt;

    look_up(a, text, bytes, j->ret);
    if (j->ret->known)
        return true;
    jwt = bytes <= JWT_MAX_BYTES && jwt_looks_like(text, bytes);
    if (jwt && issuers_judge(&a->issuers, text, bytes, j->request, j->ret, &j->work))
        return true;
    if (a->kubernetes.audiences_count == 0 || (is_password && !jwt))
        return false;
    kubernetes_judge(&a->kubernetes, text, bytes, j->request, j->ret, &j->work);
    return true;
}

/* Texts of their own; a NUL inside could end one early for who compares it. */
static void judge_password(struct judging *j, char *user, char *password, size_t bytes)
{
    struct passwords *p = &j->auth->passwords;

    if (p->users.count == 0 || strlen(user) + 1 + bytes != (size_t)(password - user) + bytes ||
        strlen(password) != bytes)
        return;
    passwords_judge(p, user, password, j->request->address ? j->request->address : "",
                    j->request->mono_ns, j->ret, &j->work);
}

/* user:password where the user may be anything and the password is the token. */
/* RFC 7617: the first colon divides; a user has none, a password may. go tool pprof sends this. */
static void judge_basic(struct judging *j, const char *text, size_t bytes)
{
    /* room for the longest token and as long a user, and a NUL; more is refused by the decoder */
    char pair[JWT_MAX_BYTES + AUTH_TOKEN_MAX_BYTES + 1];
    char *colon;
    size_t used;

    j->ret->method = AUTH_BASIC;
    j->ret->why = "the Basic credentials are not base64 of user:token";
    if (auth_base64_decode(text, bytes, (unsigned char *)pair, sizeof(pair) - 1, &used) != 0)
        return;
    pair[used] = '\0';
    colon = memchr(pair, ':', used);
    if (colon) {
        size_t rest = used - (size_t)(colon + 1 - pair);

        *colon = '\0';
        if (!judge_token(j, colon + 1, rest, true))
            judge_password(j, pair, colon + 1, rest);
    }
    explicit_bzero(pair, sizeof(pair));
}

static void judge_authorization(struct judging *j, const char *value, size_t bytes)
{
    size_t rest;
    const char *text = after_scheme(value, bytes, "Bearer", &rest);

    if (text) {
        j->ret->method = AUTH_BEARER;
        (void)judge_token(j, text, rest, false);
        return;
    }
    text = after_scheme(value, bytes, "Basic", &rest);
    if (text)
        judge_basic(j, text, rest);
    else
        j->ret->why = "Authorization must be Bearer TOKEN, or Basic with the token as the password";
}

/* No token came. The names of the certificate decide, or, where nobody is named by them, nothing.
 */
static void judge_peer(const struct auth *a, const struct auth_peer *peer, struct auth_verdict *ret)
{
    int i = auth_certificate_find(a->certificates, a->certificates_count, peer);

    ret->method = AUTH_CERTIFICATE;
    if (i < 0) {
        ret->why = peer->verified ? "the client certificate is valid, but auth.certificates names "
                                    "none of its names"
                                  : "the client certificate was not verified";
        return;
    }
    ret->known = true;
    ret->scopes = a->certificates[i].scopes;
    memcpy(ret->name, a->certificates[i].name, sizeof(ret->name));
}

static void judge(struct judging *j)
{
    const struct auth_request *request = j->request;
    struct auth_verdict *ret = j->ret;
    const struct auth *a = j->auth;

    /* two credentials could be two people: which of them would the audit line name? */
    if (request->authorization && request->token) {
        ret->why = "more than one credential; send either Authorization or X-Pprof-Token";
    } else if (request->authorization) {
        judge_authorization(j, request->authorization, request->authorization_bytes);
    } else if (request->token) {
        ret->method = AUTH_HEADER;
        (void)judge_token(j, request->token, request->token_bytes, false);
    } else if (request->peer && a->certificates_count) {
        judge_peer(a, request->peer, ret);
        /* only without any credential: a wrong one must show, or a typing error goes unseen */
    } else if (a->anonymous) {
        ret->known = true;
        ret->scopes = a->anonymous;
        memcpy(ret->name, "anonymous", sizeof("anonymous"));
    } else {
        ret->why = "credentials are needed";
    }
}

static void set_clocks(struct auth_request *r)
{
    if (r->mono_ns == 0)
        r->mono_ns = clock_mono_ns();
    if (r->real_s == 0)
        r->real_s = (int64_t)(clock_real_ns() / CLOCK_NS_PER_SEC);
}

void auth_judge(struct auth *a, const struct auth_request *request, struct auth_verdict *ret,
                struct auth_work **ret_work)
{
    struct auth_request now = *request;
    struct judging j = {.auth = a, .request = &now, .ret = ret};

    set_clocks(&now);
    /* not known, no scopes: what every way out starts from */
    *ret = (struct auth_verdict){.method = AUTH_NONE, .refused = 401};
    judge(&j);
    if (ret->known) {
        ret->refused = 0;
        ret->why = ret->detail = NULL;
    }
    if (j.work && ret_work) {
        *ret_work = j.work;
    } else if (j.work) {
        ret->need = AUTH_NEEDS_NOTHING;
        auth_work_free(j.work);
    }
}

void auth_finish(struct auth *a, struct auth_work *w, const struct auth_request *request,
                 struct auth_verdict *ret, struct auth_work **ret_work)
{
    struct auth_request now = *request;

    set_clocks(&now);
    *ret = (struct auth_verdict){.method = AUTH_NONE, .refused = 401};
    if (w->need == AUTH_NEEDS_KEYS) {
        now.keys_came = true;
        auth_judge(a, &now, ret, ret_work);
    } else if (w->need == AUTH_NEEDS_HASH) {
        passwords_finish(&a->passwords, w, now.mono_ns, ret);
    } else {
        kubernetes_finish(&a->kubernetes, w, now.mono_ns, ret);
    }
    if (ret->known)
        ret->why = ret->detail = NULL;
    auth_work_free(w);
}

int auth_work_question(const struct auth *a, const struct auth_work *w, const char **ret_path,
                       struct buf *body)
{
    return kubernetes_question(&a->kubernetes, w, ret_path, body);
}

bool auth_work_answer(struct auth *a, struct auth_work *w, unsigned status, const void *reply,
                      size_t bytes)
{
    return kubernetes_answer(&a->kubernetes, w, status, reply, bytes);
}

const char *auth_issuer_url(const struct auth *a, size_t i)
{
    return i < a->issuers.count && a->issuers.list[i].remote ? a->issuers.list[i].is.jwks : NULL;
}

void auth_keys_tried(struct auth *a, size_t i, uint64_t mono_ns)
{
    if (i >= a->issuers.count)
        return;
    a->issuers.list[i].tried_ns = mono_ns;
    a->issuers.list[i].tries++;
}

int auth_issuer_state(const struct auth *a, size_t i, uint64_t now_ns, struct auth_issuer *ret)
{
    return issuers_state(&a->issuers, i, now_ns, ret);
}

int auth_keys_put(struct auth *a, size_t i, const void *text, size_t bytes, uint64_t mono_ns,
                  struct err *e)
{
    struct issuer *one = &a->issuers.list[i];
    struct jwks *keys;
    int r;

    if (i >= a->issuers.count || !one->remote)
        return err_set(e, -EINVAL, "no such issuer");
    r = jwks_parse(text, bytes, &keys, e);
    if (r)
        return r;
    jwks_free(one->keys);
    one->keys = keys;
    one->fetched_ns = mono_ns;
    one->successes++;
    return 0;
}

const char *auth_peer_name(const struct auth_peer *peer, enum auth_name kind, size_t i)
{
    for (size_t n = 0; n < peer->count && n < AUTH_PEER_NAMES_MAX; n++) {
        if (peer->names[n].kind == (uint8_t)kind && i-- == 0)
            return peer->text + peer->names[n].at;
    }
    return NULL;
}

const char *auth_method_name(enum auth_method m)
{
    static const char *const names[] = {
        [AUTH_NONE] = "none",     [AUTH_BEARER] = "token",          [AUTH_BASIC] = "basic",
        [AUTH_HEADER] = "header", [AUTH_CERTIFICATE] = "mtls",      [AUTH_PASSWORD] = "htpasswd",
        [AUTH_JWT] = "jwt",       [AUTH_KUBERNETES] = "kubernetes",
    };

    return (unsigned)m < sizeof(names) / sizeof(names[0]) ? names[m] : "?";
}
