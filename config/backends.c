/*
 * A key that its type never looks at is an error: who writes tenant at a Parca believes that it is
 * sent there.
 */
#include "config/backends.h"

#include <errno.h>

#include "config/url.h"
#include "config/values.h"

#define PYROSCOPE (1u << CONFIG_BACKEND_PYROSCOPE)
#define PARCA     (1u << CONFIG_BACKEND_PARCA)
#define DATADOG   (1u << CONFIG_BACKEND_DATADOG)
#define GOOGLE    (1u << CONFIG_BACKEND_GOOGLE)
#define OTLP      (1u << CONFIG_BACKEND_OTLP)
#define DIRECTORY (1u << CONFIG_BACKEND_DIRECTORY)
#define S3        (1u << CONFIG_BACKEND_S3)
#define ALL       ((1u << CONFIG_BACKEND_TYPES) - 1)

/* Keys that are not here are for all: name, type, labels, types, timeout, max_age. */
static const struct {
    const char *key;
    uint32_t of;   /* types that look at it */
    uint32_t need; /* types that cannot do without */
} keys[] = {
    {"format", PYROSCOPE | PARCA | OTLP | GOOGLE, 0},
    /* google: another endpoint, as behind Private Service Connect */
    {"url", ALL & ~DIRECTORY, PYROSCOPE | PARCA | DATADOG | OTLP | S3},
    {"path", DIRECTORY | OTLP | S3, DIRECTORY},
    {"tenant", PYROSCOPE, 0},
    {"basic", PYROSCOPE | PARCA | OTLP, 0},
    {"bearer_file", PYROSCOPE | PARCA | OTLP, 0},
    {"tls", ALL & ~DIRECTORY, 0},
    {"api_key_file", DATADOG, 0},
    {"family", DATADOG, 0},
    {"project", GOOGLE, 0},
    {"credentials_file", GOOGLE, 0},
    {"language", GOOGLE, 0},
    {"bucket", S3, S3},
    {"region", S3, S3},
    {"access_key_id", S3, S3},
    {"secret_access_key_file", S3, S3},
    {"session_token_file", S3, 0},
};

static const uint32_t format_of[CONFIG_FORMATS] = {
    [CONFIG_FORMAT_DEFAULT] = ALL,
    [CONFIG_FORMAT_JSON] = PYROSCOPE | PARCA, /* OTLP: protobuf alone */
    [CONFIG_FORMAT_INGEST] = PYROSCOPE,
    [CONFIG_FORMAT_ONLINE] = GOOGLE,
    [CONFIG_FORMAT_OFFLINE] = GOOGLE,
};

/* The word for the type as it was written (polarsignals is parca). */
static const char *type_word(const struct config_bind *b, const struct config_node *n)
{
    const struct config_node *type = config_value_child(b, n, "type");

    return type ? config_tree_text(b->tree, type) : "";
}

static int check_keys(struct config_bind *b, const struct config_node *n, uint32_t type)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct config_node *at = config_value_child(b, n, keys[i].key);

        if (at && !(keys[i].of & type))
            return err_set(b->e, -EINVAL, "%s:%u:%u: \"%s\" makes no sense for type %.40s", b->name,
                           at->key_line, at->key_column, keys[i].key, type_word(b, n));
        if (!at && (keys[i].need & type))
            return config_value_fail(b, n, "type %.40s needs %s", type_word(b, n), keys[i].key);
    }
    return 0;
}

/* What ${path} is depends on the type: a folder, the path of a URL, the beginning of a key. */
static int check_path(struct config_bind *b, const struct config_node *n, struct config_backend *c)
{
    const struct config_node *at = config_value_child(b, n, "path");
    const struct config_key *k = config_key_find("forward", "path");
    char text[CONFIG_PATH_BYTES];

    if (!at || !k)
        return 0;
    if (c->type == CONFIG_BACKEND_OTLP && c->path[0] != '/')
        return config_value_fail(b, at, "\"path\" of otlp begins with /, like /v1/profiles");
    if (c->type != CONFIG_BACKEND_DIRECTORY)
        return 0;
    memcpy(text, c->path, sizeof(text));
    return config_value_path(b, k, at, text, c->path);
}

static int check_auth(struct config_bind *b, const struct config_node *n,
                      const struct config_backend *c)
{
    if ((c->auth.basic_user[0] != '\0') != (c->auth.password_file[0] != '\0'))
        return config_value_fail(b, n, "basic needs both user and password_file");
    if (c->auth.basic_user[0] && c->auth.bearer_file[0])
        return config_value_fail(b, n, "either basic or bearer_file: there is one Authorization");
    if ((c->tls.certificate[0] != '\0') != (c->tls.key[0] != '\0'))
        return config_value_fail(b, n, "tls needs both certificate and key, or neither");
    return 0;
}

static int check_url(struct config_bind *b, const struct config_node *n,
                     const struct config_backend *c)
{
    const struct config_node *at = config_value_child(b, n, "url");

    if (!at)
        return 0;
    if (strncmp(c->url, "unix:", 5) == 0 && c->type != CONFIG_BACKEND_DATADOG)
        return config_value_fail(b, at, "unix: is for datadog's agent only");
    if (config_value_child(b, n, "tls") && !config_url_is_https(c->url))
        return config_value_fail(b, at, "tls: is given, but the URL does not begin with https://");
    return 0;
}

int config_backend_check(struct config_bind *b, const struct config_node *n,
                         struct config_backend *list, size_t i)
{
    struct config_backend *c = &list[i];
    uint32_t word, type;
    int r;

    /* the word behind the last type is another name of parca */
    memcpy(&word, &c->type, sizeof(word));
    if (word == CONFIG_BACKEND_TYPES)
        c->type = CONFIG_BACKEND_PARCA;
    type = 1u << c->type;
    r = check_keys(b, n, type);
    if (r)
        return r;
    if (!(format_of[c->format] & type))
        return config_value_fail(b, config_value_child(b, n, "format"),
                                 "this format makes no sense for type %.40s", type_word(b, n));
    /* a folder of the spool has this name */
    if (c->name[0] == '.')
        return config_value_fail(b, n, "a backend's name must not begin with a dot");
    for (size_t j = 0; j < i; j++) {
        if (strcmp(list[j].name, c->name) == 0)
            return config_value_fail(b, n, "two backends are named \"%s\"", c->name);
    }
    if (c->type == CONFIG_BACKEND_PYROSCOPE && c->max_age_ms == 0)
        c->max_age_ms = CONFIG_BACKEND_PYROSCOPE_MS;
    r = check_path(b, n, c);
    if (r == 0)
        r = check_url(b, n, c);
    return r ? r : check_auth(b, n, c);
}
