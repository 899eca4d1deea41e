/*
 * Folded and speedscope. Both go through the samples once, root first within each, and only follow
 * the frame numbers of named.h.
 */
#include "profile/text.h"

#include <errno.h>
#include <inttypes.h>

#include "base/json.h"
#include "base/utf8.h"
#include "profile/named.h"

/* ---- Stacks */

/* A profile being printed. */
struct text {
    const struct profile *p;
    size_t type;
    struct named named;
    uint64_t work; /* frames looked at so far */
};

/* What both forms begin with: is there such a type, and the names of all places. */
static int text_init(struct text *t, const struct profile *p, size_t type)
{
    *t = (struct text){.p = p, .type = type};
    if (type >= profile_types(p))
        return -EINVAL;
    return named_init(&t->named, p);
}

/* A small file may name the same deep stacks again and again: what it costs has an end. */
static int charge(struct text *t, size_t frames)
{
    t->work += frames + 1;
    return t->work > TEXT_WORK_MAX_FRAMES ? -E2BIG : 0;
}

/* Sums of different samples, for showing: at the end of the range they stay there. */
static int64_t add_clamped(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

/* ---- Folded */

/* One run of text_folded(). */
struct folded {
    struct text text;
    struct intern stacks; /* each as its text */
    int64_t *sums;        /* by number in stacks */
    size_t sums_cap;
    struct buf line;
};

/* The format has no escapes: what would split a line or a frame is replaced. */
static void put_safe(struct buf *line, const char *name)
{
    for (const char *s = name; *s;) {
        size_t control = utf8_control(s);
        char c = *s;

        if (c == ';')
            c = ':';
        else if (c == ' ' || control)
            c = '_';
        buf_putc(line, c);
        s += control ? control : 1;
    }
}

/* The stack's text, root first, into f->line. */
static int fold_stack(struct folded *f, const struct profile_sample_view *view)
{
    const struct named *named = &f->text.named;

    buf_clear(&f->line);
    for (size_t i = view->depth; i > 0; i--) {
        size_t n;
        const uint32_t *frames = named_of(named, view->locations[i - 1], &n);

        if (charge(&f->text, n) != 0)
            return -E2BIG;
        for (; n > 0 && !f->line.failed; n--) {
            if (f->line.len > 0)
                buf_putc(&f->line, ';');
            put_safe(&f->line, named_text(named, named_frame(named, frames[n - 1])->name));
        }
    }
    if (view->depth == 0)
        buf_puts(&f->line, "[unknown]");
    /* what is written is work as well, by words */
    return f->line.failed ? -E2BIG : charge(&f->text, f->line.len / sizeof(uint64_t));
}

/* Different addresses of the same functions, and different labels, make the same text. */
static int fold_sample(struct folded *f, const struct profile_sample_view *view)
{
    uint32_t number;
    int is_new;
    int rc = fold_stack(f, view);

    if (rc != 0)
        return rc;
    number = intern_put(&f->stacks, f->line.data, f->line.len, &is_new);
    if (number == INTERN_NONE)
        return -ENOMEM;
    if (number == f->sums_cap) {
        size_t cap = f->sums_cap ? f->sums_cap * 2 : 64;
        int64_t *sums = realloc(f->sums, cap * sizeof(*sums));

        if (!sums)
            return -ENOMEM;
        f->sums = sums;
        f->sums_cap = cap;
    }
    if (is_new)
        f->sums[number] = 0;
    f->sums[number] = add_clamped(f->sums[number], view->values[f->text.type]);
    return 0;
}

/* In byte order, a shorter stack before those that begin like it: no locale, so always the same. */
static int compare_stack(const void *a, const void *b, void *data)
{
    const struct intern *stacks = data;
    size_t na, nb;
    const void *sa = intern_get(stacks, *(const uint32_t *)a, &na);
    const void *sb = intern_get(stacks, *(const uint32_t *)b, &nb);
    int order = memcmp(sa, sb, na < nb ? na : nb);

    return order ? order : (na > nb) - (na < nb);
}

/* Sorted by number array, so that the texts stay where they are. */
static int print_folded(struct folded *f, struct buf *out)
{
    uint32_t *order = calloc((size_t)f->stacks.count + 1, sizeof(*order));

    if (!order)
        return -ENOMEM;
    for (uint32_t i = 0; i < f->stacks.count; i++)
        order[i] = i;
    qsort_r(order, f->stacks.count, sizeof(*order), compare_stack, &f->stacks);
    for (uint32_t i = 0; i < f->stacks.count; i++) {
        size_t bytes;
        const void *stack = intern_get(&f->stacks, order[i], &bytes);

        if (f->sums[order[i]] == 0)
            continue;
        buf_put(out, stack, bytes);
        buf_printf(out, " %" PRId64 "\n", f->sums[order[i]]);
    }
    free(order);
    return out->failed ? -ENOMEM : 0;
}

int text_folded(const struct profile *p, size_t type, struct buf *out)
{
    struct folded f = {.sums = NULL};
    struct profile_sample_view view;
    int rc = text_init(&f.text, p, type);

    intern_init(&f.stacks, PROFILE_SAMPLES_MAX, PROFILE_MAX_BYTES);
    buf_init(&f.line, TEXT_STACK_MAX_BYTES);
    for (size_t i = 0; rc == 0 && profile_get_sample(p, i, &view); i++)
        rc = fold_sample(&f, &view);
    if (rc == 0)
        rc = print_folded(&f, out);
    buf_release(&f.line);
    free(f.sums);
    intern_release(&f.stacks);
    named_release(&f.text.named);
    return rc;
}

/* ---- Speedscope */

/* The schema's ValueUnit; what it does not know has none. */
static const char *speedscope_unit(const char *unit)
{
    static const char *const known[] = {"nanoseconds", "microseconds", "milliseconds", "seconds",
                                        "bytes"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(unit, known[i]) == 0)
            return unit;
    }
    return "none";
}

/* "shared.frames": by function, so that calls at different lines stay one box. */
static void speedscope_frames(const struct named *named, struct json *j)
{
    json_object_begin(j, "shared");
    json_array_begin(j, "frames");
    for (uint32_t i = 0; i < named->frames.count; i++) {
        const struct named_frame *frame = named_frame(named, i);
        const char *file = named_text(named, frame->file);

        json_object_begin(j, NULL);
        json_str(j, "name", named_text(named, frame->name));
        if (*file)
            json_str(j, "file", file);
        if (frame->start_line > 0)
            json_i64(j, "line", frame->start_line);
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
}

/* "samples": frames of each, root first. */
static int speedscope_samples(struct text *t, struct json *j)
{
    struct profile_sample_view view;

    json_array_begin(j, "samples");
    for (size_t i = 0; profile_get_sample(t->p, i, &view) && !j->out->failed; i++) {
        if (view.values[t->type] <= 0)
            continue;
        json_array_begin(j, NULL);
        for (size_t k = view.depth; k > 0; k--) {
            size_t n;
            const uint32_t *frames = named_of(&t->named, view.locations[k - 1], &n);

            if (charge(t, n) != 0)
                return -E2BIG;
            for (; n > 0; n--)
                json_u64(j, NULL, frames[n - 1]);
        }
        json_array_end(j);
    }
    json_array_end(j);
    return 0;
}

/* "weights", and their sum: where the time line ends. */
static int64_t speedscope_weights(const struct text *t, struct json *j)
{
    struct profile_sample_view view;
    int64_t end = 0;

    json_array_begin(j, "weights");
    for (size_t i = 0; profile_get_sample(t->p, i, &view) && !j->out->failed; i++) {
        if (view.values[t->type] <= 0)
            continue;
        json_i64(j, NULL, view.values[t->type]);
        end = add_clamped(end, view.values[t->type]);
    }
    json_array_end(j);
    return end;
}

/*
 * The one profile of the file. Samples and weights are two arrays of the same length and order;
 * both leave out the same samples. endValue comes last, when the sum is known: JSON has no order.
 */
static int speedscope_profile(struct text *t, const char *name, struct json *j)
{
    int64_t end;
    int rc;

    json_object_begin(j, NULL);
    json_str(j, "type", "sampled");
    json_str(j, "name", name);
    json_str(j, "unit", speedscope_unit(profile_type_unit(t->p, t->type)));
    json_i64(j, "startValue", 0);
    rc = speedscope_samples(t, j);
    end = speedscope_weights(t, j);
    json_i64(j, "endValue", end);
    json_object_end(j);
    return rc;
}

int text_speedscope(const struct profile *p, size_t type, const char *name, struct buf *out)
{
    struct json j;
    struct text t;
    int rc = text_init(&t, p, type);

    if (rc != 0)
        return rc;
    json_begin(&j, out);
    json_object_begin(&j, NULL);
    json_str(&j, "$schema", "https://www.speedscope.app/file-format-schema.json");
    speedscope_frames(&t.named, &j);
    json_array_begin(&j, "profiles");
    rc = speedscope_profile(&t, name ? name : profile_type_name(p, type), &j);
    json_array_end(&j);
    json_str(&j, "name", name ? name : profile_type_name(p, type));
    json_u64(&j, "activeProfileIndex", 0);
    json_str(&j, "exporter", "pillion");
    json_object_end(&j);
    buf_putc(out, '\n');
    named_release(&t.named);
    if (rc == 0 && out->failed)
        rc = -ENOMEM;
    return rc;
}
