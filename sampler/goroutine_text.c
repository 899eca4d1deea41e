#include "sampler/goroutine_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

enum {
    SHOWN_MAX = GOROUTINE_TEXT_INNER + GOROUTINE_TEXT_OUTER,
};

#define MINUTE_NS (60 * CLOCK_NS_PER_SEC)

/* One frame that is shown, with what its line needs. */
struct shown {
    uint32_t name, file;
    int64_t line;
    uint64_t offset; /* from the entry, of the return address; 0: not shown */
};

/* A stack being shown: the first ones, and the last ones in a ring. */
struct view {
    struct shown inner[GOROUTINE_TEXT_INNER], outer[GOROUTINE_TEXT_OUTER];
    uint64_t total;
};

/* ---- Which frames, and how they are called: runtime/traceback.go. */

/* isExportedRuntime: runtime.GC, runtime.(*Func).Entry. */
static bool is_exported(const char *name)
{
    const char *rest = name + strlen("runtime."), *dot = strrchr(rest, '.');
    const char *last = dot ? dot + 1 : rest;

    if (*last < 'A' || *last > 'Z')
        return false;
    if (!dot)
        return true;
    if (strncmp(rest, "(*", 2) == 0 && dot[-1] == ')')
        rest += 2;
    return *rest >= 'A' && *rest <= 'Z';
}

/* showfuncinfo, at the usual level. */
static bool is_shown(const char *name, bool first)
{
    if (strcmp(name, "runtime.runFinalizers") == 0 || strcmp(name, "runtime.runCleanups") == 0)
        return true;
    if (strcmp(name, "runtime.gopanic") == 0 && !first)
        return true;
    return strchr(name, '.') && (strncmp(name, "runtime.", 8) != 0 || is_exported(name));
}

/* printFuncName: type arguments are left out, and gopanic is what people wrote. */
static void put_name(struct buf *out, const char *name)
{
    const char *open = strchr(name, '['), *close = strrchr(name, ']');

    if (strcmp(name, "runtime.gopanic") == 0) {
        buf_puts(out, "panic");
    } else if (open && close && close > open) {
        buf_put(out, name, (size_t)(open - name));
        buf_puts(out, "[...]");
        buf_puts(out, close + 1);
    } else {
        buf_puts(out, name);
    }
}

static void put_shown(struct buf *out, const struct gosyms *syms, const struct shown *s)
{
    const char *file = gosyms_text(syms, s->file);

    put_name(out, gosyms_text(syms, s->name));
    buf_printf(out, "(...)\n\t%s:%" PRId64, *file ? file : "?", s->line);
    if (s->offset)
        buf_printf(out, " +%#" PRIx64, s->offset);
    buf_putc(out, '\n');
}

/* The last ones overwrite each other: which they are is known at the end only. */
static void view_add(struct view *v, const struct shown *s)
{
    if (v->total < GOROUTINE_TEXT_INNER)
        v->inner[v->total] = *s;
    else
        v->outer[v->total % GOROUTINE_TEXT_OUTER] = *s;
    v->total++;
}

/* All frames of one address; ${back}: it was moved back into the call. */
static void view_address(struct view *v, struct gosyms *syms, const struct gosyms_sym *sym,
                         uint64_t address, bool back)
{
    for (uint32_t i = 0; i < sym->count; i++) {
        const struct gosyms_frame *f = gosyms_frame(syms, sym, i);
        struct shown s = {f->name, f->file, f->line, 0};

        if (!is_shown(gosyms_text(syms, f->name), v->total == 0))
            continue;
        if (!f->inlined && sym->entry)
            s.offset = address + back - sym->entry;
        view_add(v, &s);
    }
}

/* traceback1: the innermost, how many are left out, the outermost. */
static void put_view(struct buf *out, const struct gosyms *syms, const struct view *v)
{
    uint64_t first = v->total < GOROUTINE_TEXT_INNER ? v->total : GOROUTINE_TEXT_INNER;
    uint64_t from = first;

    for (uint64_t i = 0; i < first; i++)
        put_shown(out, syms, &v->inner[i]);
    if (v->total > SHOWN_MAX) {
        from = v->total - GOROUTINE_TEXT_OUTER;
        buf_printf(out, "...%" PRIu64 " frames elided...\n", from - first);
    }
    for (uint64_t i = from; i < v->total; i++)
        put_shown(out, syms, &v->outer[i % GOROUTINE_TEXT_OUTER]);
}

/* printcreatedby1. */
int goroutine_text_creator(struct gosyms *syms, uint64_t pc, uint64_t parent, struct buf *out)
{
    uint32_t i;
    const struct gosyms_sym *sym = gosyms_get(syms, pc - 1, &i);

    if (!sym)
        return -ENOMEM;
    if (sym->count == 0 || !is_shown(gosyms_text(syms, sym->outer), false))
        return 0;
    buf_puts(out, "created by ");
    put_name(out, gosyms_text(syms, sym->outer));
    if (parent)
        buf_printf(out, " in goroutine %" PRIu64, parent);
    buf_printf(out, "\n\t%s:%" PRId64 " +%#" PRIx64 "\n",
               gosyms_text(syms, gosyms_frame(syms, sym, 0)->file),
               gosyms_frame(syms, sym, 0)->line, pc - sym->entry);
    return 0;
}

void goroutine_text_head(const struct goroutine *g, struct buf *out)
{
    buf_printf(out, "goroutine %" PRIu64 " [%s", g->goid, g->state);
    if (g->wait_ns >= MINUTE_NS)
        buf_printf(out, ", %" PRIu64 " minutes", g->wait_ns / MINUTE_NS);
    if (g->flags & GOROUTINE_LOCKED)
        buf_puts(out, ", locked to thread");
    buf_puts(out, "]:\n");
}

/*
 * Arguments are not read: their places are in tables that the linker drops, and Go itself marks
 * most of them as unsure. "(...)" is what it prints for inlined functions.
 */
int goroutine_text_stack(struct gosyms *syms, const struct goroutine *g, struct buf *out)
{
    struct view v = {.total = 0};
    uint32_t index;

    for (uint32_t i = 0; i < g->depth; i++) {
        uint64_t address = g->exact[i] ? g->pcs[i] : g->pcs[i] - 1;
        const struct gosyms_sym *sym = gosyms_get(syms, address, &index);

        if (!sym)
            return -ENOMEM;
        if (!sym->hidden)
            view_address(&v, syms, sym, address, !g->exact[i]);
    }
    if (g->flags & GOROUTINE_RUNNING) /* as the runtime says it of one on another thread */
        buf_puts(out, "\tgoroutine running on other thread; stack unavailable\n");
    if (g->flags & GOROUTINE_TORN)
        buf_puts(out, "\tgoroutine did not hold still; stack unavailable\n");
    put_view(out, syms, &v);
    if (g->flags & GOROUTINE_TRUNCATED)
        buf_puts(out, "...additional frames elided...\n");
    return out->failed ? -ENOMEM : 0;
}

/* ---- debug=1. */

/* fmt's %q for what labels hold mostly; other bytes as escapes. */
static void put_quoted(struct buf *out, const char *s)
{
    size_t left = strlen(s);

    buf_putc(out, '"');
    while (left > 0) {
        size_t n = utf8_step((const unsigned char *)s, left);

        if (n > 1) {
            buf_put(out, s, n);
        } else if (n == 0 || (unsigned char)*s < ' ' || *s == 0x7f) {
            buf_printf(out, "\\x%02x", (unsigned char)*s);
            n = 1;
        } else {
            if (*s == '"' || *s == '\\')
                buf_putc(out, '\\');
            buf_putc(out, *s);
        }
        s += n;
        left -= n;
    }
    buf_putc(out, '"');
}

static void put_labels(struct buf *out, const char *set, size_t bytes)
{
    const char *end = set + bytes;

    buf_puts(out, "\n# labels: {");
    for (const char *p = set, *value; p < end; p = value + strlen(value) + 1) {
        value = p + strlen(p) + 1;
        if (p != set)
            buf_puts(out, ", ");
        put_quoted(out, p);
        buf_putc(out, ':');
        put_quoted(out, value);
    }
    buf_putc(out, '}');
}

static bool is_runtimes(const char *name)
{
    return strncmp(name, "runtime.", 8) == 0 || strncmp(name, "internal/runtime/", 17) == 0;
}

/* printStackRecord: the runtime's functions at the leaf are left out, unless there is nothing else.
 * Returns how many lines, or -ENOMEM. */
static int put_stack(struct buf *out, struct gosyms *syms, const struct gofold_key *k, bool all)
{
    bool show = all;
    int lines = 0;

    for (uint32_t i = 0; i < k->depth; i++) {
        uint32_t index;
        uint64_t pc = k->addresses[i];
        const struct gosyms_sym *sym = gosyms_get(syms, pc, &index);

        if (!sym)
            return -ENOMEM;
        if (sym->count == 0) {
            show = true;
            buf_printf(out, "#\t%#" PRIx64 "\n", pc);
            lines++;
        }
        for (uint32_t n = 0; n < sym->count && !sym->hidden; n++) {
            const struct gosyms_frame *f = gosyms_frame(syms, sym, n);
            const char *name = gosyms_text(syms, f->name);

            if (strcmp(name, "runtime.goexit") == 0 || (!show && is_runtimes(name)))
                continue;
            show = true;
            buf_printf(out, "#\t%#" PRIx64 "\t%s+%#" PRIx64 "\t%s:%" PRId64 "\n", pc, name,
                       pc - sym->entry, gosyms_text(syms, f->file), f->line);
            lines++;
        }
    }
    return lines;
}

/*
 * The addresses in the first line are those of the physical frames; Go 1.21 and newer list one for
 * each inlined function, too. Readers take the lines with # where there are any.
 */
static int put_group1(struct buf *out, struct gosyms *syms, const struct gofold *fold,
                      const struct gofold_group *g)
{
    size_t bytes;
    const char *set = gofold_text(fold, g->key->labels, &bytes);
    int lines;

    buf_printf(out, "%" PRIu64 " @", g->count);
    for (uint32_t i = 0; i < g->key->depth; i++) /* return addresses, as the runtime has them */
        buf_printf(out, " %#" PRIx64, g->key->addresses[i] + 1);
    if (set)
        put_labels(out, set, bytes);
    buf_putc(out, '\n');
    if (g->key->flags & GOROUTINE_RUNNING)
        buf_puts(out, "#\t0x0\t[running]\n");
    if (g->key->flags & GOROUTINE_TORN)
        buf_puts(out, "#\t0x0\t[torn]\n");
    lines = put_stack(out, syms, g->key, false);
    if (lines == 0)
        lines = put_stack(out, syms, g->key, true);
    if (g->key->flags & GOROUTINE_TRUNCATED)
        buf_puts(out, "#\t0x0\t[truncated]\n");
    buf_putc(out, '\n');
    return lines < 0 ? lines : 0;
}

int goroutine_text_debug1(struct gosyms *syms, const struct gofold *fold, struct buf *out)
{
    uint64_t total = 0;
    int r = 0;

    for (size_t i = 0; i < gofold_count(fold); i++)
        total += gofold_get(fold, i).count;
    buf_printf(out, "goroutine profile: total %" PRIu64 "\n", total);
    for (size_t i = 0; i < gofold_count(fold) && r == 0; i++) {
        struct gofold_group g = gofold_get(fold, i);

        r = put_group1(out, syms, fold, &g);
    }
    return r == 0 && out->failed ? -ENOMEM : r;
}

/* ---- Groups for people. */

void goroutine_text_missing(const struct goroutines_counts *c, struct buf *out)
{
    if (c->running)
        buf_printf(out, "running, so without a stack: %" PRIu64 "\n", c->running);
    if (c->sampled)
        buf_printf(out, "running, with the stack of a CPU sample: %" PRIu64 "\n", c->sampled);
    if (c->torn)
        buf_printf(out, "never held still, so without a stack: %" PRIu64 "\n", c->torn);
    if (c->unreadable)
        buf_printf(out, "impossible, left out: %" PRIu64 "\n", c->unreadable);
    if (c->truncated)
        buf_printf(out, "with a stack that is not whole: %" PRIu64 "\n", c->truncated);
    if (c->unlabelled)
        buf_printf(out, "with labels that could not be read: %" PRIu64 "\n", c->unlabelled);
}

static int put_frames(struct buf *out, struct gosyms *syms, const struct gofold_key *k)
{
    struct view v = {.total = 0};
    uint32_t index;

    for (uint32_t i = 0; i < k->depth; i++) {
        const struct gosyms_sym *sym = gosyms_get(syms, k->addresses[i], &index);

        if (!sym)
            return -ENOMEM;
        if (!sym->hidden)
            view_address(&v, syms, sym, k->addresses[i], true);
    }
    put_view(out, syms, &v);
    return 0;
}

static int put_group(struct buf *out, struct gosyms *syms, const struct gofold *fold,
                     const struct gofold_group *g)
{
    size_t bytes;
    const char *text = gofold_text(fold, g->key->state, &bytes);
    int r;

    buf_printf(out, "%" PRIu64 " [%s", g->count, text ? text : "");
    if (g->wait_ns >= MINUTE_NS)
        buf_printf(out, ", up to %" PRIu64 " minutes", g->wait_ns / MINUTE_NS);
    if (g->key->flags & GOROUTINE_LOCKED)
        buf_puts(out, ", locked to thread");
    buf_puts(out, "]:");
    text = gofold_text(fold, g->key->labels, &bytes);
    if (text)
        put_labels(out, text, bytes);
    buf_putc(out, '\n');
    r = put_frames(out, syms, g->key);
    if (r == 0 && g->key->created_by)
        r = goroutine_text_creator(syms, g->key->created_by, 0, out);
    buf_putc(out, '\n');
    return r;
}

int goroutine_text_grouped(struct gosyms *syms, const struct gofold *fold,
                           const struct goroutines_counts *counts, struct buf *out)
{
    int r = 0;

    buf_printf(out, "goroutines: %" PRIu64 " (and %" PRIu64 " of the runtime's own), groups: %zu\n",
               counts->user, counts->system, gofold_count(fold));
    goroutine_text_missing(counts, out);
    buf_putc(out, '\n');
    for (size_t i = 0; i < gofold_count(fold) && r == 0; i++) {
        struct gofold_group g = gofold_get(fold, i);

        r = put_group(out, syms, fold, &g);
    }
    return r == 0 && out->failed ? -ENOMEM : r;
}

/* ---- Groups for programs. */

/* A set as labelset.h writes it: key NUL value NUL, … */
static void json_labels(struct json *j, const char *set, size_t bytes)
{
    const char *end = set + bytes;

    json_object_begin(j, "labels");
    for (const char *p = set, *value; p < end; p = value + strlen(value) + 1) {
        value = p + strlen(p) + 1;
        json_str(j, p, value);
    }
    json_object_end(j);
}

static int json_frames(struct json *j, struct gosyms *syms, const struct gofold_key *k)
{
    uint32_t index;

    json_array_begin(j, "frames");
    for (uint32_t i = 0; i < k->depth; i++) {
        const struct gosyms_sym *sym = gosyms_get(syms, k->addresses[i], &index);

        if (!sym)
            return -ENOMEM;
        for (uint32_t n = 0; n < sym->count && !sym->hidden; n++) {
            const struct gosyms_frame *f = gosyms_frame(syms, sym, n);

            json_object_begin(j, NULL);
            json_str(j, "function", gosyms_text(syms, f->name));
            json_str(j, "file", gosyms_text(syms, f->file));
            json_i64(j, "line", f->line);
            json_object_end(j);
        }
    }
    json_array_end(j);
    return 0;
}

static int json_creator(struct json *j, struct gosyms *syms, uint64_t pc)
{
    uint32_t index;
    const struct gosyms_sym *sym = gosyms_get(syms, pc - 1, &index);

    if (!sym)
        return -ENOMEM;
    if (sym->count == 0)
        return 0;
    json_object_begin(j, "created_by");
    json_str(j, "function", gosyms_text(syms, sym->outer));
    json_str(j, "file", gosyms_text(syms, gosyms_frame(syms, sym, 0)->file));
    json_i64(j, "line", gosyms_frame(syms, sym, 0)->line);
    json_object_end(j);
    return 0;
}

/* Members that say nothing (no goid in a group, no labels) are left out. */
static int json_group(struct json *j, struct gosyms *syms, const struct gofold *fold,
                      const struct gofold_group *g)
{
    const struct gofold_key *k = g->key;
    size_t bytes;
    const char *text;
    int r;

    json_object_begin(j, NULL);
    json_u64(j, "count", g->count);
    text = gofold_text(fold, k->state, &bytes);
    json_str(j, "state", text ? text : "");
    json_u64(j, "longest_wait_seconds", g->wait_ns / CLOCK_NS_PER_SEC);
    if (k->goid)
        json_u64(j, "goid", k->goid);
    if (k->parent)
        json_u64(j, "parent_goid", k->parent);
    json_bool(j, "locked", k->flags & GOROUTINE_LOCKED);
    json_bool(j, "truncated", k->flags & GOROUTINE_TRUNCATED);
    json_bool(j, "in_cgo", k->flags & GOROUTINE_IN_CGO);
    text = gofold_text(fold, k->labels, &bytes);
    if (text)
        json_labels(j, text, bytes);
    r = json_frames(j, syms, k);
    if (r == 0 && k->created_by)
        r = json_creator(j, syms, k->created_by);
    json_object_end(j);
    return r;
}

int goroutine_text_json(struct gosyms *syms, const struct gofold *fold,
                        const struct goroutines_counts *counts, struct buf *out)
{
    struct json j;
    int r = 0;

    json_begin(&j, out);
    json_object_begin(&j, NULL);
    json_u64(&j, "goroutines", counts->user);
    json_u64(&j, "system", counts->system);
    json_u64(&j, "running", counts->running);
    json_u64(&j, "torn", counts->torn);
    json_u64(&j, "unreadable", counts->unreadable);
    json_u64(&j, "truncated", counts->truncated);
    json_array_begin(&j, "groups");
    for (size_t i = 0; i < gofold_count(fold) && r == 0; i++) {
        struct gofold_group g = gofold_get(fold, i);

        r = json_group(&j, syms, fold, &g);
    }
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(out, '\n');
    return r == 0 && out->failed ? -ENOMEM : r;
}
