/*
 * Tables of fixed size that are walked from end to end once a minute. A group that falls out of the
 * largest ones loses its past: what comes back has to prove itself anew, and a target that makes up
 * groups can only push out others of the same size.
 */
#include "sidecar/leak.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sidecar/metrics.h"

void leak_init(struct leak *l, const struct leak_rules *rules)
{
    memset(l, 0, sizeof(*l));
    l->rules = *rules;
}

void leak_forget(struct leak *l)
{
    struct leak_rules rules = l->rules;

    leak_init(l, &rules);
}

/* Counts over one window cannot be judged by another: that one begins with nothing. */
void leak_set_rules(struct leak *l, const struct leak_rules *rules)
{
    if (rules->window != l->rules.window) {
        l->rules = *rules;
        leak_forget(l);
    }
    l->rules = *rules;
}

/* --- one sample --- */

static int larger_first(const void *a, const void *b)
{
    const struct leak_seen *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->key > y->key) - (x->key < y->key); /* the same ones whenever there is a tie */
}

/* Cut at a character's border: these texts go where only valid UTF-8 may. */
static void take_text(char out[static LEAK_TEXT_BYTES], const char *text)
{
    size_t n = strnlen(text, LEAK_TEXT_BYTES);

    if (n == LEAK_TEXT_BYTES) {
        n--;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(out, text, n);
    out[n] = '\0';
}

static struct leak_group *find(struct leak *l, uint64_t key)
{
    for (size_t i = 0; i < LEAK_GROUPS_MAX; i++) {
        if (l->groups[i].used && l->groups[i].key == key)
            return &l->groups[i];
    }
    return NULL;
}

/* Moved rather than turned in a ring: once a minute, and the judgement reads plainly. */
static void push(const struct leak *l, struct leak_group *g, uint64_t count)
{
    memmove(&g->count[1], &g->count[0], (LEAK_WINDOW_MAX - 1) * sizeof(g->count[0]));
    g->count[0] = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    if (g->samples < l->rules.window)
        g->samples++;
}

/* What is not among the largest any more, or not at all. */
static void drop_missing(struct leak *l, const struct leak_seen *seen, size_t n, leak_tell tell,
                         void *ctx)
{
    for (size_t i = 0; i < LEAK_GROUPS_MAX; i++) {
        struct leak_group *g = &l->groups[i];
        size_t k = 0;

        while (k < n && seen[k].key != g->key)
            k++;
        if (!g->used || k < n)
            continue;
        if (g->suspected)
            tell(ctx, LEAK_ENDS, l, g);
        *g = (struct leak_group){.used = false};
    }
}

/* There is a free row: what is not in this sample was dropped, and it has no more than rows. */
static void add(struct leak *l, const struct leak_seen *seen)
{
    for (size_t i = 0; i < LEAK_GROUPS_MAX; i++) {
        struct leak_group *g = &l->groups[i];

        if (g->used)
            continue;
        *g = (struct leak_group){.used = true, .key = seen->key};
        take_text(g->created_by, seen->created_by);
        take_text(g->function, seen->function);
        take_text(g->state, seen->state);
        push(l, g, seen->count);
        return;
    }
}

/* --- judgement --- */

static uint32_t least(const uint32_t *count, size_t n)
{
    uint32_t min = UINT32_MAX;

    for (size_t i = 0; i < n; i++)
        min = count[i] < min ? count[i] : min;
    return min;
}

/*
 * The share of growing steps alone would take every pool that fills slowly and empties at once for
 * a leak; what is left over at its lowest point is what is never given back.
 */
static bool grows(const struct leak *l, const struct leak_group *g)
{
    uint32_t window = l->rules.window;
    uint32_t half = window / 2;

    return g->samples == window && g->count[0] >= l->rules.minimum &&
           g->grew * 100 >= (window - 1) * LEAK_GROWS_PERCENT &&
           least(g->count, half) > least(g->count + half, window - half);
}

/* Far below what raised it: at one and the same border it would come and go all the time. */
static bool is_over(const struct leak *l, const struct leak_group *g)
{
    return g->count[0] < l->rules.minimum ||
           g->grew * 100 < (l->rules.window - 1) * LEAK_CLEARS_PERCENT;
}

static void judge(struct leak *l, struct leak_group *g, leak_tell tell, void *ctx)
{
    g->grew = 0;
    for (uint32_t i = 0; i + 1 < g->samples; i++)
        g->grew += g->count[i] > g->count[i + 1];
    if (!g->suspected && grows(l, g)) {
        g->suspected = true;
        g->since_ns = l->when_ns;
        tell(ctx, LEAK_BEGINS, l, g);
    } else if (g->suspected && is_over(l, g)) {
        g->suspected = false;
        tell(ctx, LEAK_ENDS, l, g);
    }
}

/* Apart from any group: ten thousand are worth a look even if each group is small. */
static void judge_total(struct leak *l, leak_tell tell, void *ctx)
{
    if (!l->many && l->total > LEAK_MANY) {
        l->many = true;
        tell(ctx, LEAK_TOO_MANY, l, NULL);
    } else if (l->many && l->total <= LEAK_FEW) {
        l->many = false;
        tell(ctx, LEAK_FEWER, l, NULL);
    }
}

void leak_sample(struct leak *l, uint64_t now_ns, struct leak_seen *seen, size_t n, leak_tell tell,
                 void *ctx)
{
    l->total = 0;
    for (size_t i = 0; i < n; i++)
        l->total += seen[i].count;
    l->when_ns = now_ns;
    l->samples++;
    if (n > 0) /* qsort(3) may not be given NULL */
        qsort(seen, n, sizeof(*seen), larger_first);
    if (n > LEAK_GROUPS_MAX)
        n = LEAK_GROUPS_MAX;
    drop_missing(l, seen, n, tell, ctx);
    for (size_t i = 0; i < n; i++) {
        struct leak_group *g = find(l, seen[i].key);

        if (g)
            push(l, g, seen[i].count);
        else
            add(l, &seen[i]);
    }
    for (size_t i = 0; i < LEAK_GROUPS_MAX; i++) {
        if (l->groups[i].used)
            judge(l, &l->groups[i], tell, ctx);
    }
    judge_total(l, tell, ctx);
}

/* --- told --- */

uint32_t leak_suspects(const struct leak *l)
{
    uint32_t n = 0;

    for (size_t i = 0; i < LEAK_GROUPS_MAX; i++)
        n += l->groups[i].suspected;
    return n;
}

void leak_json(const struct leak *l, struct json *j, const char *key)
{
    unsigned told = 0;

    json_object_begin(j, key);
    json_u64(j, "samples", l->samples);
    json_u64(j, "sampled_unix_ns", l->when_ns);
    json_u64(j, "total", l->total);
    json_bool(j, "too_many", l->many);
    json_u64(j, "leak_groups", leak_suspects(l));
    json_array_begin(j, "leak_suspected");
    for (size_t i = 0; i < LEAK_GROUPS_MAX && told < LEAK_TOLD_MAX; i++) {
        const struct leak_group *g = &l->groups[i];

        if (!g->suspected)
            continue;
        told++;
        json_object_begin(j, NULL);
        json_str(j, "created_by", g->created_by);
        json_str(j, "function", g->function);
        json_str(j, "state", g->state);
        json_u64(j, "goroutines", g->count[0]);
        json_u64(j, "goroutines_before", g->count[g->samples - 1]);
        json_u64(j, "grew", g->grew);
        json_u64(j, "steps", g->samples - 1);
        json_u64(j, "since_unix_ns", g->since_ns);
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
}

/* All goroutines of this creator that are under suspicion, at its first group; 0 at its others. */
static uint64_t of_creator(const struct leak *l, size_t at)
{
    uint64_t n = 0;

    for (size_t i = 0; i < LEAK_GROUPS_MAX; i++) {
        const struct leak_group *g = &l->groups[i];

        if (!g->suspected || strcmp(g->created_by, l->groups[at].created_by) != 0)
            continue;
        if (i < at)
            return 0;
        n += g->count[0];
    }
    return n;
}

void leak_metrics(const struct leak *l, struct buf *out)
{
    unsigned series = 0;

    buf_puts(out, "# HELP pillion_goroutine_leak_suspected Goroutines in groups that keep "
                  "growing, by who creates them.\n"
                  "# TYPE pillion_goroutine_leak_suspected gauge\n");
    for (size_t i = 0; i < LEAK_GROUPS_MAX && series < LEAK_SERIES_MAX; i++) {
        uint64_t n = l->groups[i].suspected ? of_creator(l, i) : 0;

        if (n == 0)
            continue;
        buf_puts(out, "pillion_goroutine_leak_suspected{created_by=");
        metrics_label(l->groups[i].created_by, out);
        buf_printf(out, "} %" PRIu64 "\n", n);
        series++;
    }
    buf_printf(out,
               "# HELP pillion_goroutine_leak_groups Groups of goroutines under suspicion.\n"
               "# TYPE pillion_goroutine_leak_groups gauge\n"
               "pillion_goroutine_leak_groups %" PRIu32 "\n"
               "# HELP pillion_goroutine_too_many 1 while there are more than %d goroutines.\n"
               "# TYPE pillion_goroutine_too_many gauge\n"
               "pillion_goroutine_too_many %d\n",
               leak_suspects(l), LEAK_MANY, l->many);
}
