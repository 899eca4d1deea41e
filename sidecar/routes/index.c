/*
 * The page has the shape of net/http/pprof's (Go 1.26, net/http/pprof/pprof.go), because people and
 * scripts look for its rows; it has no script and no style, so the strictest policy holds. A
 * profile that cannot be had stands there without a link: a click that ends in 501 is no answer.
 */
#include "sidecar/routes/index.h"

#include <errno.h>
#include <inttypes.h>

#include "base/json.h"
#include "sidecar/routes/params.h"
#include "sidecar/routes/runtime.h"
#include "sidecar/routes/survey.h"
#include "sidecar/routes/table.h"
#include "sidecar/routes/through.h"

static void escaped(struct buf *out, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '"':
            buf_puts(out, "&#34;");
            break;
        case '\'':
            buf_puts(out, "&#39;");
            break;
        default:
            buf_putc(out, *s);
        }
    }
}

/* Names are our own and need no escaping; the reasons may quote the target. */
static void html_row(const struct index_row *row, struct buf *out)
{
    buf_printf(out, "<tr><td>%" PRIu64 "</td><td>", row->count);
    if (row->why)
        buf_puts(out, row->name);
    else
        buf_printf(out, "<a href='%s?debug=1'>%s</a>", row->name, row->name);
    buf_puts(out, "</td></tr>\n");
}

static void html_about(const struct index_row *row, struct buf *out)
{
    buf_printf(out, "<li><b>%s:</b> ", row->name);
    escaped(out, row->about);
    if (row->scraped && !row->why)
        buf_puts(out, " <i>From the target's own endpoint.</i>");
    if (row->why) {
        buf_puts(out, " <i>Not available: ");
        escaped(out, row->why);
        buf_puts(out, "</i>");
    }
    buf_puts(out, "</li>\n");
}

void index_html(const struct index_row *rows, size_t n, const char *note, struct buf *out)
{
    buf_puts(out, "<!DOCTYPE html>\n<html>\n<head><title>/debug/pprof/</title></head>\n<body>\n"
                  "<p>/debug/pprof/</p>\n<p>Types of profiles available:</p>\n<table>\n"
                  "<thead><tr><td>Count</td><td>Profile</td></tr></thead>\n");
    for (size_t i = 0; i < n; i++)
        html_row(&rows[i], out);
    buf_puts(out, "</table>\n");
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].name, "goroutine") == 0 && !rows[i].why)
            buf_puts(out, "<a href=\"goroutine?debug=2\">full goroutine stack dump</a>\n");
    }
    if (note[0]) {
        buf_puts(out, "<p><i>Note: ");
        escaped(out, note);
        buf_puts(out, "</i></p>\n");
    }
    buf_puts(out, "<p>Profile Descriptions:</p>\n<ul>\n");
    for (size_t i = 0; i < n; i++)
        html_about(&rows[i], out);
    buf_puts(out, "</ul>\n</body>\n</html>\n");
}

void index_json(const struct index_row *rows, size_t n, const char *note, struct buf *out)
{
    struct json j;

    json_begin(&j, out);
    json_object_begin(&j, NULL);
    json_array_begin(&j, "profiles");
    for (size_t i = 0; i < n; i++) {
        json_object_begin(&j, NULL);
        json_str(&j, "name", rows[i].name);
        json_u64(&j, "count", rows[i].count);
        json_str(&j, "description", rows[i].about);
        json_bool(&j, "available", rows[i].why == NULL);
        json_str(&j, "reason", rows[i].why ? rows[i].why : "");
        if (rows[i].scraped && !rows[i].why)
            json_str(&j, "source", "scrape");
        json_object_end(&j);
    }
    json_array_end(&j);
    if (note[0])
        json_str(&j, "note", note);
    json_object_end(&j);
    buf_putc(out, '\n');
}

/* What stands in the way now, found out once for all rows. */
struct reasons {
    char cpu[STATE_WHY_BYTES], wall[STATE_WHY_BYTES], target[STATE_WHY_BYTES];
    char runtime[WIRE_RUNTIME_KINDS][STATE_WHY_BYTES];
};

static void find_reasons(const struct state *st, struct reasons *w)
{
    (void)state_refuses_cpu(st, w->cpu);
    (void)state_refuses_wall(st, w->wall);
    (void)state_refuses_target(st, w->target);
    for (uint32_t kind = 0; kind < WIRE_RUNTIME_KINDS; kind++) {
        const struct readings_last *last = readings_last(st->readings, kind);

        /* known by having asked: no samples recorded, an unknown Go version … */
        if (state_refuses_runtime(st, kind, w->runtime[kind]) == 0 && last->known &&
            last->result == -ENOTSUP)
            (void)snprintf(w->runtime[kind], STATE_WHY_BYTES, "%s", last->read.text);
    }
}

static struct index_row row_of(const struct state *st, const struct route *r,
                               const struct reasons *w)
{
    struct index_row row = {.name = r->name, .about = r->about};
    int kind = runtime_kind(r->name);
    bool wall = strcmp(r->name, "wall") == 0; /* Go's own endpoint has none */
    const char *why = w->target;

    if (r->absent) {
        why = r->absent;
    } else if (r->alone) {
        why = through_there(st) ? "" : r->alone;
        row.scraped = true;
    } else if (kind >= 0) {
        why = w->runtime[kind];
        row.count = readings_last(st->readings, (uint32_t)kind)->read.count;
    } else if (wall) {
        why = w->wall;
    } else if (r->scope == CONFIG_SCOPE_CPU) {
        why = w->cpu;
    }
    /* no right, no runtime: where the target's own endpoint is configured, it answers instead */
    if (why[0] && !r->absent && !wall && (kind >= 0 || r->scope == CONFIG_SCOPE_CPU) &&
        !w->target[0] && through_there(st)) {
        row.scraped = true;
        why = "";
    }
    row.why = why[0] ? why : NULL;
    return row;
}

/* What the configuration names and only the target has. Its own index is not asked: that would be
 * a page of hostile HTML to be read for each caller of ours. */
static size_t add_customs(const struct visit *v, struct index_row *rows, size_t n)
{
    const struct config *c = v->state->config;
    const struct route *custom = table_custom();

    if (!through_there(v->state) || (v->who.scopes & custom->scope) != custom->scope)
        return n;
    for (size_t i = 0; i < c->collect.scrape.types_count && n < INDEX_ROWS_MAX; i++) {
        const char *name = c->collect.scrape.types[i];
        char path[sizeof("/debug/pprof/") + CONFIG_NAME_BYTES];

        (void)snprintf(path, sizeof(path), "/debug/pprof/%s", name);
        if (strcmp(name, "cpu") != 0 && !table_find(path, ROUTE_ADMIN))
            rows[n++] = (struct index_row){
                .name = name, .about = "A profile of the program's own.", .scraped = true};
    }
    return n;
}

static void answer_index(struct visit *v)
{
    const struct state *st = v->state;
    struct reasons *reasons = malloc(sizeof(*reasons));
    struct index_row rows[INDEX_ROWS_MAX];
    struct buf body;
    size_t n = 0;
    bool json = params_is(v->request->query, "format", "json");

    if (!reasons) {
        visit_refuse(v, 503, "out of memory");
        return;
    }
    find_reasons(st, reasons);
    for (size_t i = 0; i < st->routes_count && n < INDEX_ROWS_MAX; i++) {
        const struct route *r = &st->routes[i];

        if (r->about && (v->who.scopes & r->scope) == r->scope)
            rows[n++] = row_of(st, r, reasons);
    }
    n = add_customs(v, rows, n);
    buf_init(&body, INDEX_MAX_BYTES);
    if (json)
        index_json(rows, n, state_note(st), &body);
    else
        index_html(rows, n, state_note(st), &body);
    free(reasons);
    visit_answer(v, 200, json ? "application/json" : "text/html; charset=utf-8", &body);
}

void index_handle(struct visit *v)
{
    if (!survey_begin(v, answer_index))
        answer_index(v);
}

void index_to_slash(struct visit *v)
{
    struct buf body;

    buf_init(&body, INDEX_MAX_BYTES);
    buf_puts(&body, "see /debug/pprof/\n");
    server_header(v->request, "Location", "/debug/pprof/");
    visit_answer(v, 307, "text/plain; charset=utf-8", &body);
}
