#include "sampler/stacks.h"

#include <errno.h>

struct key {
    uint32_t set, depth;
    uint64_t address[STACKS_DEPTH_MAX];
};

void stacks_init(struct stacks *s)
{
    memset(s, 0, sizeof(*s));
    intern_init(&s->keys, STACKS_MAX, STACKS_MAX_BYTES);
    intern_init(&s->sets, STACKS_SETS_MAX, STACKS_SETS_MAX_BYTES);
}

void stacks_release(struct stacks *s)
{
    if (!s)
        return;
    intern_release(&s->keys);
    intern_release(&s->sets);
    free(s->rows);
    s->rows = NULL;
    s->rows_cap = 0;
}

static int grow(struct stacks *s)
{
    uint32_t cap = s->rows_cap ? s->rows_cap * 2 : 256;
    struct stacks_row *p = realloc(s->rows, cap * sizeof(*p));

    if (!p)
        return -ENOMEM;
    s->rows = p;
    s->rows_cap = cap;
    return 0;
}

int stacks_add(struct stacks *s, uint32_t set, const uint64_t *addresses, uint32_t depth,
               uint64_t weight_ns, uint32_t *ret_row)
{
    struct key key;
    uint32_t id;
    int is_new;

    if (depth > STACKS_DEPTH_MAX)
        depth = STACKS_DEPTH_MAX;
    key.set = set;
    key.depth = depth;
    memcpy(key.address, addresses, depth * sizeof(addresses[0]));
    if (s->keys.count == s->rows_cap && grow(s) != 0)
        return -ENOSPC;
    id = intern_put(&s->keys, &key, offsetof(struct key, address) + depth * sizeof(addresses[0]),
                    &is_new);
    if (id == INTERN_NONE)
        return -ENOSPC;
    if (is_new)
        s->rows[id] = (struct stacks_row){0, 0};
    s->rows[id].count++;
    s->rows[id].weight_ns += weight_ns;
    *ret_row = id;
    return 0;
}

const uint64_t *stacks_get(const struct stacks *s, uint32_t i, uint32_t *ret_set,
                           uint32_t *ret_depth)
{
    size_t bytes;
    const struct key *key = intern_get(&s->keys, i, &bytes);

    *ret_set = key->set;
    *ret_depth = key->depth;
    return key->address;
}
