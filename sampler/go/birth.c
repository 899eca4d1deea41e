#include "sampler/go/birth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sampler/go/layout.h"
#include "sampler/go/locate.h"

enum {
    GOID_BATCH = 16, /* _GoidCacheBatch, runtime/proc.go */
    WORD_BYTES = 8,
};

/* Goroutine ids and addresses beyond these are no ids and no addresses of a Go program. */
#define GOID_MAX    (UINT64_C(1) << 48)
#define ADDRESS_MIN UINT64_C(4096)
#define ADDRESS_END (UINT64_C(1) << 47)

/* A slice header, as Go has it in memory. */
struct slice {
    uint64_t data, len, cap;
};

/* p.goidcache and p.goidcacheend: the ids a P has still to give out. */
struct cache {
    uint64_t next, end;
};

struct reading {
    uint64_t over_ns; /* 0: none */
    uint64_t goidgen;
};

struct seen {
    uint64_t g, goid, over_ns;
};

/* The P's of a program. */
struct list {
    struct slice allp; /* as it was when they were listed */
    size_t count;
    uint64_t ps[BIRTH_P_MAX];
};

struct birth {
    const struct target *target;
    const struct go_layout *layout;
    uint64_t sched, allp; /* addresses of the variables */
    struct list list;
    bool stale;  /* allp is another one by now */
    size_t last; /* the newest reading */
    struct reading readings[BIRTH_READINGS];
    struct cache *caches; /* BIRTH_READINGS times list.count */
    struct cache *now;    /* list.count: being read */
    struct slice allp_now;
    uint64_t goidgen_now;
    struct seen seen[BIRTH_SEEN_SLOTS];
};

static bool address_is_sane(uint64_t a)
{
    return a >= ADDRESS_MIN && a < ADDRESS_END && a % WORD_BYTES == 0;
}

static int read_all(const struct birth *b, uint64_t address, void *out, size_t bytes)
{
    return b->target->ops->read(b->target->ctx, address, out, bytes);
}

/* runtime.allp, a []*p. Before schedinit() it is empty: no labels of a program that starts. */
static bool slice_is_sane(const struct slice *s)
{
    return s->len >= 1 && s->len <= s->cap && s->cap <= BIRTH_P_MAX && address_is_sane(s->data);
}

/*
 * The addresses of all P's up to the slice's capacity: procresize() keeps those it takes out of use
 * there, together with the ids they have not given out, and may use them again.
 */
static int list_ps(const struct birth *b, uint64_t allp, struct list *ret)
{
    uint64_t all[BIRTH_P_MAX];
    int r = read_all(b, allp, &ret->allp, sizeof(ret->allp));

    ret->count = 0;
    if (r != 0)
        return r;
    if (!slice_is_sane(&ret->allp))
        return -EBADMSG;
    r = read_all(b, ret->allp.data, all, ret->allp.cap * WORD_BYTES);
    if (r != 0)
        return r;
    for (size_t i = 0; i < ret->allp.cap; i++) {
        if (all[i] == 0 && i >= ret->allp.len)
            continue; /* never used */
        if (!address_is_sane(all[i]))
            return -EBADMSG;
        ret->ps[ret->count++] = all[i];
    }
    return 0;
}

/* At rest: up to a batch of ids, or none (end reached, or a P that never started a goroutine). */
static bool cache_is_sane(const struct cache *c)
{
    return c->end <= GOID_MAX && c->next <= c->end && c->end - c->next <= GOID_BATCH;
}

/* Is this address runtime.allp? Every P knows its own index. */
static int valid_allp(void *ctx, uint64_t address)
{
    const struct birth *b = ctx;
    struct list list;
    struct cache c;

    if (list_ps(b, address, &list) != 0)
        return 0;
    for (size_t i = 0; i < list.allp.len; i++) {
        int32_t id;

        if (read_all(b, list.ps[i] + (uint64_t)b->layout->p_id, &id, sizeof(id)) != 0 ||
            id != (int32_t)i ||
            read_all(b, list.ps[i] + (uint64_t)b->layout->p_goidcache, &c, sizeof(c)) != 0 ||
            !(cache_is_sane(&c) || c.next > c.end)) /* the latter: a batch is just being taken */
            return 0;
    }
    return 1;
}

/* Is this address runtime.sched? No P has ids that were not handed out. */
static int valid_sched(void *ctx, uint64_t address)
{
    struct birth *b = ctx;
    uint64_t goidgen;

    /* The caches first: goidgen may grow meanwhile, but only in the harmless direction. */
    for (size_t i = 0; i < b->list.count; i++) {
        if (read_all(b, b->list.ps[i] + (uint64_t)b->layout->p_goidcache, &b->now[i],
                     sizeof(b->now[i])) != 0)
            return 0;
    }
    if (read_all(b, address + (uint64_t)b->layout->sched_goidgen, &goidgen, sizeof(goidgen)) != 0 ||
        goidgen == 0 || goidgen > GOID_MAX)
        return 0;
    for (size_t i = 0; i < b->list.count; i++) {
        if (b->now[i].end > goidgen + 1)
            return 0;
    }
    return 1;
}

/* Take a list over with room for its readings. The old readings are of other P's: forgotten. */
static int take_list(struct birth *b, const struct list *list)
{
    struct cache *caches = calloc(list->count * BIRTH_READINGS, sizeof(*caches));
    struct cache *now = calloc(list->count, sizeof(*now));

    if (!caches || !now) {
        free(caches);
        free(now);
        return -ENOMEM;
    }
    free(b->caches);
    free(b->now);
    b->caches = caches;
    b->now = now;
    b->list = *list;
    memset(b->readings, 0, sizeof(b->readings));
    b->last = 0;
    return 0;
}

/* A failed look at the target, as the caller of birth_new() is to see it. */
static int not_found(struct err *e, int r, const char *version, const char *var)
{
    if (r == -ENOMEM || r == -ESRCH || r == -EPERM)
        return r;
    return err_set(e, -ENOTSUP, "%s: runtime.%s was not found in this program", version, var);
}

static int find_variables(struct birth *b, struct go_image *image, struct err *e)
{
    const char *version = go_image_version(image);
    struct list list;
    int r = go_locate(image, b->target, "allp", valid_allp, b, &b->allp);

    if (r == 0)
        r = list_ps(b, b->allp, &list);
    if (r == 0)
        r = take_list(b, &list);
    if (r != 0)
        return not_found(e, r, version, "allp");
    r = go_locate(image, b->target, "sched", valid_sched, b, &b->sched);
    if (r != 0)
        return not_found(e, r, version, "sched");
    return 0;
}

int birth_new(struct go_image *image, const struct target *target, struct birth **ret,
              struct err *e)
{
    struct birth *b;
    int r;

    if (!go_image_layout(image))
        return err_set(e, -ENOTSUP, "%s: its structures are not known", go_image_version(image));
    b = calloc(1, sizeof(*b));
    if (!b)
        return -ENOMEM;
    b->target = target;
    b->layout = go_image_layout(image);
    if (b->layout->p_goidcacheend != b->layout->p_goidcache + WORD_BYTES)
        r = err_set(e, -ENOTSUP, "%s: the ids of a P are not side by side", b->layout->made_with);
    else
        r = find_variables(b, image, e);
    if (r != 0) {
        birth_free(b);
        return r;
    }
    *ret = b;
    return 0;
}

void birth_free(struct birth *b)
{
    if (!b)
        return;
    free(b->caches);
    free(b->now);
    free(b);
}

bool birth_due(const struct birth *b, uint64_t now_ns)
{
    uint64_t gap = BIRTH_GAP_NS + (uint64_t)BIRTH_GAP_P_NS * b->list.count;

    return now_ns >= b->readings[b->last].over_ns + gap;
}

size_t birth_ranges(struct birth *b, struct target_range *out)
{
    size_t n = 0;

    /* The order is the proof: process_vm_readv(2) copies range after range, and x86 keeps the order
     * of loads and of the target's stores. goidgen before the caches: a batch that it includes was
     * taken before, so its P's cache shows it. goidgen before the list: a P that appears later can
     * only have ids that came after this goidgen. */
    out[n++] = (struct target_range){.address = b->sched + (uint64_t)b->layout->sched_goidgen,
                                     .out = &b->goidgen_now,
                                     .bytes = sizeof(b->goidgen_now)};
    out[n++] = (struct target_range){
        .address = b->allp, .out = &b->allp_now, .bytes = sizeof(b->allp_now)};
    for (size_t i = 0; i < b->list.count; i++)
        out[n++] =
            (struct target_range){.address = b->list.ps[i] + (uint64_t)b->layout->p_goidcache,
                                  .out = &b->now[i],
                                  .bytes = sizeof(b->now[i])};
    return n;
}

void birth_take(struct birth *b, const struct target_range *ranges, size_t count, uint64_t over_ns)
{
    size_t next;

    /* A reading with a hole proves nothing: an unread P may be the one that has the id. */
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].got != ranges[i].bytes)
            return;
    }
    if (count != b->list.count + 2)
        return;
    /* GOMAXPROCS was changed: there may be P's that were not asked. */
    if (memcmp(&b->list.allp, &b->allp_now, sizeof(b->allp_now)) != 0) {
        b->stale = true;
        return;
    }
    next = (b->last + 1) % BIRTH_READINGS;
    b->readings[next] = (struct reading){.over_ns = over_ns, .goidgen = b->goidgen_now};
    memcpy(&b->caches[next * b->list.count], b->now, b->list.count * sizeof(*b->now));
    b->last = next;
}

void birth_follow(struct birth *b)
{
    struct list list;

    if (b->stale && list_ps(b, b->allp, &list) == 0 && take_list(b, &list) == 0)
        b->stale = false;
}

/* Structures of 392 bytes and more: spread them by a multiplication (2^64 / golden ratio). */
static size_t seen_slot(uint64_t g)
{
    return (size_t)((g * UINT64_C(0x9E3779B97F4A7C15)) >> 40) % BIRTH_SEEN_SLOTS;
}

void birth_seen(struct birth *b, uint64_t g, uint64_t goid, uint64_t over_ns)
{
    struct seen *s = &b->seen[seen_slot(g)];

    /* The first time counts: ids are not used twice, so it stays true. */
    if (s->g != g || s->goid != goid)
        *s = (struct seen){.g = g, .goid = goid, .over_ns = over_ns};
}

/*
 * Is this id one that a P has still to give out? next > end: a batch is just being taken, and next
 * may be its first id or (Go 1.18 to 1.26 compute it in two steps) its last.
 */
static bool is_to_come(const struct cache *c, uint64_t goid)
{
    if (c->next > c->end)
        return goid + GOID_BATCH > c->next && goid < c->next + GOID_BATCH;
    return goid >= c->next && goid < c->end;
}

/* (b) of birth.h, by one reading. */
static bool given_out(const struct birth *b, size_t reading, uint64_t goid)
{
    const struct cache *caches = &b->caches[reading * b->list.count];

    if (goid > b->readings[reading].goidgen)
        return false;
    for (size_t i = 0; i < b->list.count; i++) {
        if (is_to_come(&caches[i], goid))
            return false;
    }
    return true;
}

bool birth_proven(const struct birth *b, uint64_t g, uint64_t goid, uint64_t moment_ns)
{
    const struct seen *s = &b->seen[seen_slot(g)];
    uint64_t newest_ns = 0;
    size_t newest = 0;

    if (s->g == g && s->goid == goid && s->over_ns <= moment_ns)
        return true;
    /* The newest reading before the moment knows the most ids. Readings come in order, but the
     * samples of several rings do not, so all are looked at. */
    for (size_t i = 0; i < BIRTH_READINGS; i++) {
        uint64_t over_ns = b->readings[i].over_ns;

        if (over_ns != 0 && over_ns <= moment_ns && over_ns > newest_ns) {
            newest_ns = over_ns;
            newest = i;
        }
    }
    return newest_ns != 0 && given_out(b, newest, goid);
}
