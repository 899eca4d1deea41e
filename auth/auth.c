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
    free(a);
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

/* user:password where the user may be anything and the password is the token. */
/* RFC 7617: the first colon divides; a user has none, a password may. go tool pprof sends this. */
static void judge_basic(const struct auth *a, const char *text, size_t bytes,
                        struct auth_verdict *ret)
{
    /* room for the longest token and as long a user; more is refused by the decoder */
    unsigned char pair[2 * AUTH_TOKEN_MAX_BYTES];
    const unsigned char *colon;
    size_t used;

    ret->method = AUTH_BASIC;
    ret->why = "the Basic credentials are not base64 of user:token";
    if (auth_base64_decode(text, bytes, pair, sizeof(pair), &used) != 0)
        return;
    colon = memchr(pair, ':', used);
    if (colon)
        look_up(a, colon + 1, used - (size_t)(colon + 1 - pair), ret);
    explicit_bzero(pair, sizeof(pair));
}

static void judge_authorization(const struct auth *a, const char *value, size_t bytes,
                                struct auth_verdict *ret)
{
    size_t rest;
    const char *text = after_scheme(value, bytes, "Bearer", &rest);

    if (text) {
        ret->method = AUTH_BEARER;
        look_up(a, text, rest, ret);
        return;
    }
    text = after_scheme(value, bytes, "Basic", &rest);
    if (text)
        judge_basic(a, text, rest, ret);
    else
        ret->why = "Authorization must be Bearer TOKEN, or Basic with the token as the password";
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

void auth_judge(const struct auth *a, const struct auth_request *request, struct auth_verdict *ret)
{
    /* not known, no scopes: what every way out below starts from */
    *ret = (struct auth_verdict){.method = AUTH_NONE};
    /* two credentials could be two people: which of them would the audit line name? */
    if (request->authorization && request->token) {
        ret->why = "more than one credential; send either Authorization or X-Pprof-Token";
    } else if (request->authorization) {
        judge_authorization(a, request->authorization, request->authorization_bytes, ret);
    } else if (request->token) {
        ret->method = AUTH_HEADER;
        look_up(a, request->token, request->token_bytes, ret);
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
        [AUTH_NONE] = "none",     [AUTH_BEARER] = "token",     [AUTH_BASIC] = "basic",
        [AUTH_HEADER] = "header", [AUTH_CERTIFICATE] = "mtls",
    };

    return (unsigned)m < sizeof(names) / sizeof(names[0]) ? names[m] : "?";
}
