#include "config/files.h"

/* The list of maps whose entries ${k} is a key of, or NULL. */
static const struct config_key *list_of(const struct config_key *k)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (keys[i].stride && keys[i].type == CONFIG_KEY_SECTION &&
            config_key_below(k, keys[i].path))
            return &keys[i];
    }
    return NULL;
}

/* The row's files of one base: one text, or a list of them. */
static void each_of(const struct config_key *k, const void *base, config_file_fn fn, void *data)
{
    const char *text = (const char *)base + k->offset;
    size_t count = k->stride ? config_key_entries(k, base) : 1;

    for (size_t i = 0; i < count; i++, text += k->stride) {
        if (text[0] && !(k->type == CONFIG_KEY_JWKS && strstr(text, "://")))
            fn(data, k->path, k->file, text);
    }
}

/* Keys whose meaning depends on others: no row can tell. */
static void each_other(const struct config *c, config_file_fn fn, void *data)
{
    for (size_t i = 0; i < c->forward_count; i++) {
        if (c->forward[i].type == CONFIG_BACKEND_DIRECTORY)
            fn(data, "forward.path", CONFIG_FILE_FOLDER, c->forward[i].path);
    }
    if (c->auth.kubernetes.audiences_count == 0)
        return;
    if (!c->auth.kubernetes.ca[0])
        fn(data, "auth.kubernetes.ca", CONFIG_FILE_PUBLIC, CONFIG_SERVICE_ACCOUNT "/ca.crt");
    if (!c->auth.kubernetes.token_file[0])
        fn(data, "auth.kubernetes.token_file", CONFIG_FILE_SECRET, CONFIG_SERVICE_ACCOUNT "/token");
}

void config_files(const struct config *c, config_file_fn fn, void *data)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        const struct config_key *list = keys[i].file ? list_of(&keys[i]) : NULL;
        size_t entries = list ? config_key_entries(list, c) : 1;
        const char *base = (const char *)c + (list ? list->offset : 0);

        for (size_t j = 0; keys[i].file && j < entries; j++)
            each_of(&keys[i], base + j * (list ? list->stride : 0), fn, data);
    }
    each_other(c, fn, data);
}

bool config_connects(const struct config *c)
{
    bool connects = c->collect.scrape.url[0] || c->auth.kubernetes.audiences_count > 0;

    for (size_t i = 0; i < c->forward_count; i++)
        connects = connects || c->forward[i].type != CONFIG_BACKEND_DIRECTORY;
    for (size_t i = 0; i < c->auth.issuers_count; i++)
        connects = connects || strstr(c->auth.issuers[i].jwks, "://");
    return connects;
}
