/*
 * What leaves the index leaves the folders in the pool, all that has come together at a time. What
 * cannot be removed (a read-only disk) is kept in mind and tried again.
 */
#include "sidecar/store/store_priv.h"

static void remove_work(struct job *j);
static void remove_after(struct job *j, bool canceled);

struct removing {
    struct job job;
    struct store *store;
    struct store_removal *list;
    size_t count;
    int result; /* the first failure */
};

/* All that have come together by now. */
static void remove_begin(struct job *j)
{
    struct removing *r = (struct removing *)j;
    struct store *s = r->store;

    r->list = s->removal;
    r->count = s->removals;
    s->removal = NULL;
    s->removals = s->removals_cap = 0;
    s->removal_queued = false;
}

void store_remove_queue(struct store *s)
{
    struct removing *r;

    if (!s->started || s->removal_queued || s->removals == 0 || !s->spool)
        return;
    r = calloc(1, sizeof(*r));
    if (!r)
        return; /* the next tick tries again */
    r->job = (struct job){remove_begin, remove_work, remove_after, NULL};
    r->store = s;
    s->removal_queued = true;
    jobs_add(s->jobs, &r->job);
}

static void add_removal(struct store *s, const struct store_removal *r)
{
    if (s->removals == s->removals_cap) {
        size_t cap = s->removals_cap ? s->removals_cap * 2 : 64;
        struct store_removal *p = reallocarray(s->removal, cap, sizeof(*p));

        if (!p) {
            s->write_errors++; /* it stays on the disk, and is sent again after a restart */
            return;
        }
        s->removal = p;
        s->removals_cap = cap;
    }
    s->removal[s->removals++] = *r;
}

void store_remove_later(struct store *s, const struct key *k, uint32_t mask)
{
    struct store_removal r = {*k, mask};

    if (!mask || !s->spool)
        return;
    add_removal(s, &r);
    store_remove_queue(s);
}

/* What could not be removed moves to the front of the list and stays. */
static void remove_work(struct job *j)
{
    struct removing *r = (struct removing *)j;
    size_t left = 0;

    for (size_t i = 0; i < r->count; i++) {
        char name[KEY_NAME_BYTES];
        int result;

        key_print(&r->store->types, &r->list[i].key, false, name);
        result = disk_remove(&r->store->disk, name, r->list[i].mask);
        if (result == 0)
            continue;
        r->result = r->result ? r->result : result;
        r->list[left++] = r->list[i];
    }
    r->count = left;
}

static void remove_after(struct job *j, bool canceled)
{
    struct removing *r = (struct removing *)j;
    struct store *s = r->store;

    (void)canceled; /* then all of them are left */
    for (size_t i = 0; i < r->count; i++)
        add_removal(s, &r->list[i]);
    if (r->result) {
        s->write_errors++;
        store_troubled(s, "cannot remove what was sent", r->result);
    }
    free(r->list);
    free(r);
}

void store_let_go(struct store *s, struct index_entry *e, uint32_t mask, enum store_reason reason)
{
    mask &= e->mask;
    if (reason < STORE_REASONS)
        s->dropped[reason] += (unsigned)__builtin_popcount(mask);
    if (e->on_disk)
        store_remove_later(s, &e->key, mask);
    if (e->memory && e->mask == mask && !e->keep) {
        s->memory_bytes -= e->memory->bytes;
        store_packed_unref(e->memory);
        e->memory = NULL;
    }
    index_clear(&s->index, e, mask);
}

/* What is done but not removed yet would be sent again: it goes now, the loop has ended. */
void store_remove_last(struct store *s)
{
    for (size_t i = 0; i < s->removals; i++) {
        char name[KEY_NAME_BYTES];

        key_print(&s->types, &s->removal[i].key, false, name);
        (void)disk_remove(&s->disk, name, s->removal[i].mask);
    }
    free(s->removal);
}
