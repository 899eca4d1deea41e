/*
 * One function a kind of entry. A key that was named is told by the tree: an empty list of scopes,
 * or an empty text, is a decision and no key that was forgotten. What must be there at all is said
 * by the rows (config/table.c).
 */
#include "config/entries.h"

#include "config/backends.h"
#include "config/values.h"

typedef int (*entry_check)(struct config_bind *b, const struct config_node *n, void *list,
                           size_t i);

/* These two are what the log calls callers that no entry names. */
static int check_name(struct config_bind *b, const struct config_node *n, const char *name)
{
    if (strcmp(name, "anonymous") == 0 || strcmp(name, "start") == 0)
        return config_value_fail(b, n, "the name \"%s\" is taken; choose another", name);
    return 0;
}

static int check_token(struct config_bind *b, const struct config_node *n, void *list, size_t i)
{
    struct config_token *tokens = list;
    struct config_token *t = &tokens[i];

    t->has_hash = config_value_child(b, n, "sha256") != NULL;
    if (t->has_hash == (config_value_child(b, n, "file") != NULL))
        return config_value_fail(b, n, "a token needs either sha256 or file");
    /* the log names callers; two with one name could not be told apart */
    for (size_t j = 0; j < i; j++) {
        if (strcmp(tokens[j].name, t->name) == 0)
            return config_value_fail(b, n, "two tokens are named \"%s\"", t->name);
    }
    return check_name(b, n, t->name);
}

/* "spiffe://domain/ns/x/" and a star: whole path segments, never a part of a host or a name. */
static bool is_uri(const char *uri)
{
    const char *star = strchr(uri, '*');
    const char *host = strstr(uri, "://");

    if (!star)
        return true;
    return host && star[1] == '\0' && star[-1] == '/' && star - 1 > host + 2;
}

static int check_certificate(struct config_bind *b, const struct config_node *n, void *list,
                             size_t i)
{
    struct config_certificate *certificates = list;
    struct config_certificate *c = &certificates[i];
    int ways =
        (c->uri[0] != '\0') + (c->dns[0] != '\0') + (c->email[0] != '\0') + (c->cn[0] != '\0');

    if (ways != 1)
        return config_value_fail(b, n, "a certificate needs one of uri, dns, email, cn");
    if (!is_uri(c->uri))
        return config_value_fail(b, config_value_child(b, n, "uri"),
                                 "a star stands only for whole segments at the end of a uri, like "
                                 "spiffe://cluster.local/ns/monitoring/*");
    for (size_t j = 0; j < i; j++) {
        if (strcmp(certificates[j].name, c->name) == 0)
            return config_value_fail(b, n, "two certificates are named \"%s\"", c->name);
    }
    return check_name(b, n, c->name);
}

/* The same issuer may stand there twice, with another audience or subject. */
static int check_issuer(struct config_bind *b, const struct config_node *n, void *list, size_t i)
{
    const struct config_issuer *issuers = list;
    const struct config_issuer *own = &issuers[i];

    for (size_t j = 0; j < i; j++) {
        if (strcmp(issuers[j].issuer, own->issuer) == 0 &&
            strcmp(issuers[j].audience, own->audience) == 0 &&
            strcmp(issuers[j].subject, own->subject) == 0)
            return config_value_fail(b, n, "this issuer, audience and subject are here twice");
    }
    if (own->ca[0] && !strstr(own->jwks, "://"))
        return config_value_fail(b, config_value_child(b, n, "ca"),
                                 "ca is for a jwks that is a URL");
    return 0;
}

static int check_collected(struct config_bind *b, const struct config_node *n, void *list, size_t i)
{
    const struct config_collect *profiles = list;
    const struct config_collect *p = &profiles[i];
    bool cpu = strcmp(p->type, "cpu") == 0 || strcmp(p->type, "wall") == 0;

    for (size_t j = 0; j < i; j++) {
        if (strcmp(profiles[j].type, p->type) == 0)
            return config_value_fail(b, n, "type \"%s\" is here twice", p->type);
    }
    if (p->seconds && !cpu)
        return config_value_fail(b, config_value_child(b, n, "seconds"),
                                 "seconds are for cpu and wall; others are taken at once");
    if (p->hz && !cpu)
        return config_value_fail(b, config_value_child(b, n, "hz"), "hz is for cpu and wall");
    return 0;
}

static int check_redaction(struct config_bind *b, const struct config_node *n, void *list, size_t i)
{
    struct config_redact *redactions = list;

    if (redactions[i].in == 0)
        return config_value_fail(b, n, "\"in\" names nothing: leave the redaction out");
    return 0;
}

static int check_backend(struct config_bind *b, const struct config_node *n, void *list, size_t i)
{
    return config_backend_check(b, n, list, i);
}

static const struct {
    const char *path;
    entry_check check;
} entries[] = {
    {"auth.tokens", check_token}, {"auth.certificates", check_certificate},
    {"auth.jwt", check_issuer},   {"collect.profiles", check_collected},
    {"redact", check_redaction},  {"forward", check_backend},
};

void config_entry_defaults(const struct config_key *k, void *entry)
{
    if (strcmp(k->path, "redact") == 0)
        ((struct config_redact *)entry)->in =
            CONFIG_REDACT_NAMES | CONFIG_REDACT_FILES | CONFIG_REDACT_LABELS;
    else if (strcmp(k->path, "forward") == 0)
        ((struct config_backend *)entry)->timeout_ms = CONFIG_BACKEND_TIMEOUT_MS;
}

int config_entry_check(struct config_bind *b, const struct config_key *k,
                       const struct config_node *n, void *list, size_t i)
{
    for (size_t j = 0; j < sizeof(entries) / sizeof(entries[0]); j++) {
        if (strcmp(entries[j].path, k->path) == 0)
            return entries[j].check(b, n, list, i);
    }
    return 0;
}
