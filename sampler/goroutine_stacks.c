#include "sampler/goroutine_stacks.h"

#include <errno.h>
#include <inttypes.h>

#include "base/intern.h"
#include "sampler/goroutine_text.h"

enum {
    LAST_LINE_BYTES = 64,         /* kept free for what is said of those left out */
    PART_MAX_BYTES = 1024 * 1024, /* 100 frames, each with a name and a file */
    DEPTH_WORDS = GOROUTINES_DEPTH_MAX + GOROUTINES_DEPTH_MAX / 64 + 1,
};

/* What a part's text depends on, as words: its kind and flags first, so that no two kinds meet. */
struct key {
    uint64_t words[2 + DEPTH_WORDS];
    size_t count;
};

enum { KEY_STACK = 1, KEY_CREATOR = 2 };

struct builder {
    struct gosyms syms;
    struct rope *out;
    struct intern keys;
    struct rope_piece *parts; /* by number of the key */
    uint32_t parts_cap;
    struct buf scratch;
    struct key key;
    bool system;
    uint64_t left_out;
};

/* ---- Parts that many goroutines share. */

/* The pcs, then which of them are meant exactly, a bit each. */
static void key_of_stack(struct key *k, const struct goroutine *g)
{
    size_t marks = 2 + g->depth, n = (g->depth + 63) / 64;

    k->words[0] = KEY_STACK;
    k->words[1] = g->flags & (GOROUTINE_RUNNING | GOROUTINE_TORN | GOROUTINE_TRUNCATED);
    memset(k->words + marks, 0, n * sizeof(k->words[0]));
    for (uint32_t i = 0; i < g->depth; i++) {
        k->words[2 + i] = g->pcs[i];
        k->words[marks + i / 64] |= (uint64_t)(g->exact[i] != 0) << i % 64;
    }
    k->count = marks + n;
}

static void key_of_creator(struct key *k, const struct goroutine *g)
{
    k->words[0] = KEY_CREATOR;
    k->words[1] = g->created_by;
    k->words[2] = g->parent_goid;
    k->count = 3;
}

static bool reserve_parts(struct builder *b, uint32_t i)
{
    uint32_t cap = b->parts_cap ? b->parts_cap * 2 : 256;
    struct rope_piece *p;

    if (i < b->parts_cap)
        return true;
    p = realloc(b->parts, cap * sizeof(*p));
    if (!p)
        return false;
    b->parts = p;
    b->parts_cap = cap;
    return true;
}

static int write_part(struct builder *b, const struct goroutine *g, struct rope_piece *ret)
{
    int r;

    buf_clear(&b->scratch);
    if (b->key.words[0] == KEY_STACK)
        r = goroutine_text_stack(&b->syms, g, &b->scratch);
    else
        r = goroutine_text_creator(&b->syms, g->created_by, g->parent_goid, &b->scratch);
    if (b->key.words[0] == KEY_CREATOR)
        buf_putc(&b->scratch, '\n'); /* the empty line, so that it is no piece of its own */
    if (r != 0)
        return r;
    *ret = rope_keep(b->out, b->scratch.data, b->scratch.len);
    return b->out->failed ? -E2BIG : 0;
}

/* The text that belongs to b->key: found, or written now. */
static int find_part(struct builder *b, const struct goroutine *g, struct rope_piece *ret)
{
    int is_new = 0;
    uint32_t i =
        intern_put(&b->keys, b->key.words, b->key.count * sizeof(b->key.words[0]), &is_new);
    int r;

    if (i == INTERN_NONE) /* the table is full: once more, and not remembered */
        return write_part(b, g, ret);
    if (!reserve_parts(b, i))
        return -ENOMEM;
    if (is_new) {
        r = write_part(b, g, &b->parts[i]);
        if (r != 0)
            return r;
    }
    *ret = b->parts[i];
    return 0;
}

/* ---- Every goroutine, as it comes. */

/* One does not fit whole, or not at all; those behind it neither, so that none is missing between.
 */
static int add_parts(struct builder *b, const struct goroutine *g, struct rope_piece stack,
                     struct rope_piece creator)
{
    buf_clear(&b->scratch);
    goroutine_text_head(g, &b->scratch);
    if (!rope_has_room(b->out, b->scratch.len + stack.bytes + creator.bytes + LAST_LINE_BYTES)) {
        b->left_out++;
        return 0;
    }
    rope_put(b->out, b->scratch.data, b->scratch.len);
    rope_show(b->out, stack);
    if (creator.bytes)
        rope_show(b->out, creator);
    else
        rope_put(b->out, "\n", 1);
    return b->out->failed ? -E2BIG : 0;
}

/* The main goroutine was made by the runtime's start: nobody created it. */
static int add(void *ctx, const struct goroutine *g)
{
    struct builder *b = ctx;
    struct rope_piece stack, creator = {0, 0};
    int r;

    if ((g->flags & GOROUTINE_SYSTEM) && !b->system)
        return 0;
    if (b->left_out) {
        b->left_out++;
        return 0;
    }
    key_of_stack(&b->key, g);
    r = find_part(b, g, &stack);
    if (r == 0 && g->created_by && g->goid != 1) {
        key_of_creator(&b->key, g);
        r = find_part(b, g, &creator);
    }
    return r != 0 ? r : add_parts(b, g, stack, creator);
}

static void say_left_out(struct builder *b)
{
    buf_clear(&b->scratch);
    buf_printf(&b->scratch, "...%" PRIu64 " goroutines left out...\n", b->left_out);
    rope_put(b->out, b->scratch.data, b->scratch.len);
}

int goroutine_stacks_build(struct go_runtime *rt, bool system, struct go_budget *budget,
                           struct rope *out, struct goroutines_counts *ret_counts, struct err *e)
{
    struct builder *b = calloc(1, sizeof(*b));
    struct goroutines_counts counts = {0};
    struct err why = {0};
    int r;

    if (!b)
        return err_set(e, -ENOMEM, "no memory for the goroutines");
    b->out = out;
    b->system = system;
    gosyms_init(&b->syms, rt->image);
    intern_init(&b->keys, GOROUTINE_STACKS_PARTS_MAX, GOROUTINE_STACKS_KEYS_MAX_BYTES);
    buf_init(&b->scratch, PART_MAX_BYTES);
    r = goroutines_read(rt, budget, add, b, &counts, &why);
    if (r == 0 && b->left_out)
        say_left_out(b);
    if (r == 0 && out->failed)
        r = -E2BIG;
    if (r == 0)
        *ret_counts = counts;
    else
        (void)err_set(e, r, "%s",
                      why.text[0] ? why.text : "the goroutines do not fit into a profile");
    gosyms_release(&b->syms);
    intern_release(&b->keys);
    buf_release(&b->scratch);
    free(b->parts);
    free(b);
    return r;
}
