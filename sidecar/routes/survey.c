/*
 * One job of a visit, as in runtime.c: ended in one place, by the last answer, by the clock or by
 * the client.
 */
#include "sidecar/routes/survey.h"

#include "base/clock.h"
#include "base/magic.h"
#include "sidecar/routes/runtime.h"

enum {
    SURVEY_MAGIC = 0x53555256,
};

struct survey;

struct survey_row {
    struct survey *survey;
    uint32_t reading; /* open, 0: none */
};

struct survey {
    unsigned magic;
    struct visit *visit;
    void (*then)(struct visit *v);
    uv_timer_t *timer; /* on the heap: it outlives us until it is closed */
    struct survey_row rows[WIRE_RUNTIME_KINDS];
};

static void free_handle(uv_handle_t *h)
{
    free(h);
}

static void end(struct survey *s)
{
    struct visit *v = s->visit;

    for (size_t i = 0; i < WIRE_RUNTIME_KINDS; i++)
        readings_forget(v->state->readings, s->rows[i].reading);
    (void)uv_timer_stop(s->timer);
    uv_close((uv_handle_t *)s->timer, free_handle);
    s->magic = 0;
    free(s);
    v->job = NULL;
    v->left = NULL;
}

static void client_left(struct visit *v)
{
    struct survey *s = v->job;

    MAGIC_CHECK(s, SURVEY_MAGIC);
    end(s);
}

static void finish(struct survey *s)
{
    struct visit *v = s->visit;
    void (*then)(struct visit *) = s->then;

    end(s);
    then(v);
}

static bool is_open(const struct survey *s)
{
    for (size_t i = 0; i < WIRE_RUNTIME_KINDS; i++) {
        if (s->rows[i].reading)
            return true;
    }
    return false;
}

/* The answer itself is remembered by readings.c. */
static void came(void *data, const struct peers_answer *a)
{
    struct survey_row *row = data;
    struct survey *s = row->survey;

    (void)a;
    MAGIC_CHECK(s, SURVEY_MAGIC);
    row->reading = 0;
    if (!is_open(s))
        finish(s);
}

static void on_time(uv_timer_t *t)
{
    struct survey *s = t->data;

    MAGIC_CHECK(s, SURVEY_MAGIC);
    finish(s);
}

static bool is_wanted(const struct visit *v, const struct route *row)
{
    const struct state *st = v->state;
    int kind = row->about ? runtime_kind(row->name) : -1;
    char why[STATE_WHY_BYTES];
    const struct readings_last *last;

    if (kind < 0 || (v->who.scopes & row->scope) != row->scope ||
        state_refuses_runtime(st, (uint32_t)kind, why) != 0)
        return false;
    last = readings_last(st->readings, (uint32_t)kind);
    return !last->known || clock_mono_ns() - last->when_ns > SURVEY_FRESH_MS * CLOCK_NS_PER_MS;
}

static void ask(struct survey *s, uint32_t kind)
{
    const struct wire_runtime want = {.kind = kind, .form = WIRE_RUNTIME_PPROF};
    struct survey_row *row = &s->rows[kind];

    row->survey = s;
    (void)readings_ask(s->visit->state->readings, &want, came, row, &row->reading);
}

static struct survey *survey_new(struct visit *v, void (*then)(struct visit *))
{
    struct survey *s = calloc(1, sizeof(*s));

    if (!s || !(s->timer = calloc(1, sizeof(*s->timer)))) {
        free(s);
        return NULL;
    }
    s->magic = SURVEY_MAGIC;
    s->visit = v;
    s->then = then;
    (void)uv_timer_init(v->state->loop, s->timer); /* always 0 */
    s->timer->data = s;
    return s;
}

bool survey_begin(struct visit *v, void (*then)(struct visit *))
{
    struct survey *s;

    /* other programs have none of it, and what is not known yet is about to be */
    if (v->request->method == SERVER_HEAD || strcmp(v->state->about.language, "go") != 0)
        return false;
    s = survey_new(v, then);
    if (!s)
        return false;
    for (size_t i = 0; i < v->state->routes_count; i++) {
        if (is_wanted(v, &v->state->routes[i]))
            ask(s, (uint32_t)runtime_kind(v->state->routes[i].name));
    }
    if (!is_open(s)) {
        end(s);
        return false;
    }
    v->job = s;
    v->left = client_left;
    (void)uv_timer_start(s->timer, on_time, SURVEY_WAIT_MS, 0);
    return true;
}
