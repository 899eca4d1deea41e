#include "sidecar/collect/origin.h"

#include <string.h>

bool origin_renew(struct origin *o, const struct state *st)
{
    if (o->generation == st->status.target.generation && o->runtime_id[0])
        return false;
    o->generation = st->status.target.generation;
    if (item_new_id(o->runtime_id) != 0)
        o->runtime_id[0] = '\0'; /* asked for again with the next item */
    return true;
}

static void put(char *to, size_t bytes, const char *text)
{
    (void)snprintf(to, bytes, "%s", text ? text : "");
}

static const char *label(const struct config *c, const char *key)
{
    for (size_t i = 0; i < c->labels_count; i++) {
        if (strcmp(c->labels[i].key, key) == 0)
            return c->labels[i].value;
    }
    return NULL;
}

int origin_item(const struct origin *o, const struct state *st, const char *type,
                const char *source, struct item *ret)
{
    const struct wire_target *t = &st->status.target;
    bool about = st->about.generation == t->generation;
    int r;

    memset(ret, 0, sizeof(*ret));
    r = item_new_id(ret->id);
    if (r)
        return r;
    put(ret->type, sizeof(ret->type), type);
    put(ret->source, sizeof(ret->source), source);
    put(ret->target, sizeof(ret->target), t->name);
    put(ret->runtime_id, sizeof(ret->runtime_id), o->runtime_id);
    put(ret->container, sizeof(ret->container), t->container);
    put(ret->language, sizeof(ret->language), about ? st->about.language : "");
    put(ret->go_version, sizeof(ret->go_version), about ? st->about.version : "");
    put(ret->version, sizeof(ret->version), label(st->config, "version"));
    ret->pid = t->pid;
    return 0;
}

uint32_t origin_backends(const struct config *c, const char *type)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < c->forward_count; i++) {
        const struct config_backend *b = &c->forward[i];
        bool wanted = b->types_count == 0;

        for (size_t k = 0; k < b->types_count && !wanted; k++)
            wanted = strcmp(b->types[k], type) == 0;
        if (wanted)
            bits |= UINT32_C(1) << i;
    }
    return bits;
}
