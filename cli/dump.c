/*
 * `pillion dump`: the goroutines of a Go program as they are now, by a guard and a sampler of our
 * own. The sampler makes the text; here it is only passed on.
 */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bulk.h"
#include "base/utf8.h"
#include "cli/guarded.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "wire/rope.h"

enum {
    DUMP_MAX_BYTES = WIRE_PROFILE_MAX_BYTES + 1,
};

struct dump {
    uint32_t form; /* enum wire_runtime_form */
    struct options_target target;
};

static const struct {
    const char *name;
    uint32_t form;
} formats[] = {
    {"text", WIRE_RUNTIME_GROUPED},
    {"json", WIRE_RUNTIME_JSON},
    {"debug1", WIRE_RUNTIME_TEXT},
    {"stacks", WIRE_RUNTIME_STACKS},
};

static int set_format(struct dump *d, const char *value, struct err *e)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(value, formats[i].name) == 0) {
            d->form = formats[i].form;
            return 0;
        }
    }
    return err_set(e, -EINVAL, "--format takes one of text, json, debug1, stacks");
}

/* The arguments that were used, or -errno. */
static int take(struct dump *d, int argc, char **argv, int i, struct err *e)
{
    const char *value = "";
    int used = options_value(argc, argv, i, "--format", &value);
    int r;

    if (used < 0)
        return err_set(e, used, "--format needs a value");
    if (used > 0) {
        r = set_format(d, value, e);
        return r ? r : used;
    }
    if (strcmp(argv[i], "--all") == 0) {
        d->form = WIRE_RUNTIME_STACKS;
        return 1;
    }
    return options_target(&d->target, argc, argv, i, e);
}

/* A control character, of ASCII or of Latin-1 (ECMA-48's C1, two bytes in UTF-8)? */
static bool is_control(const unsigned char *p, size_t bytes)
{
    if (bytes == 1)
        return (p[0] < 0x20 && p[0] != '\n' && p[0] != '\t') || p[0] == 0x7f;
    return bytes == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

/*
 * Names are the target's own, and a terminal obeys what stands in them: what is no text becomes
 * '?'. JSON has escaped them already.
 */
static void clean(const unsigned char *text, size_t bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes;) {
        const unsigned char *p = text + i;
        size_t n = utf8_step(p, bytes - i);

        if (n == 0 || is_control(p, n))
            buf_putc(out, '?');
        else
            buf_put(out, p, n);
        i += n ? n : 1;
    }
}

/* Stacks come as a rope. */
static int clean_rope(const struct bulk *bulk, struct buf *out)
{
    struct rope_place place = {0, 0};
    struct rope_text rope;
    unsigned char *text;
    int r = rope_open(bulk, &rope);

    if (r || rope.bytes == 0)
        return r;
    text = malloc(rope.bytes);
    if (!text)
        return -ENOMEM;
    clean(text, rope_read(&rope, &place, text, rope.bytes), out);
    free(text);
    return 0;
}

static int print(const struct dump *d, int fd, struct output *o, struct err *e)
{
    struct bulk bulk = {0};
    struct buf out;
    int r = bulk_map(fd, WIRE_PROFILE_MAX_BYTES, &bulk);

    if (r)
        return err_set(e, r, "the sampler's text cannot be read: %s", strerror(-r));
    buf_init(&out, DUMP_MAX_BYTES);
    if (d->form == WIRE_RUNTIME_JSON)
        buf_put(&out, bulk.data, bulk.bytes);
    else if (d->form == WIRE_RUNTIME_STACKS)
        r = clean_rope(&bulk, &out);
    else
        clean(bulk.data, bulk.bytes, &out);
    if (out.len > 0 && out.data[out.len - 1] != '\n')
        buf_putc(&out, '\n');
    if (r == 0 && out.failed)
        r = -ENOMEM;
    r = r ? err_set(e, r, "the sampler's text cannot be read: %s", strerror(-r))
          : output_write(o, out.data, out.len, e);
    buf_release(&out);
    bulk_release(&bulk);
    return r;
}

static int dump(const struct dump *d, struct guarded *g, struct output *o, struct err *e)
{
    const struct wire_runtime want = {.kind = WIRE_RUNTIME_GOROUTINE, .form = d->form};
    struct ask_sampler_answer answer;
    const struct wire_runtime_read *read = &answer.body.runtime;
    int r = guarded_ready(g, e);

    if (r == 0)
        r = guarded_runtime(g, &want, &answer, e);
    if (r)
        return r;
    r = print(d, answer.fd, o, e);
    (void)close(answer.fd);
    if (r == 0 && (read->torn || read->unreadable))
        (void)fprintf(stderr,
                      "pillion: %" PRIu64 " goroutines never held still, %" PRIu64
                      " could not be read\n",
                      read->torn, read->unreadable);
    return r;
}

int cli_dump(int argc, char **argv)
{
    struct output output = {.fd = -1, .borrowed = true};
    struct dump d = {.form = WIRE_RUNTIME_GROUPED};
    struct guarded guarded;
    struct err e = {0};
    int r = 0;

    for (int i = 1; i < argc && r >= 0; i += r)
        r = take(&d, argc, argv, i, &e);
    if (r < 0)
        return cli_fail(CLI_CANNOT, "%s", e.text);
    r = guarded_start(&guarded, d.target.args, &e);
    if (r == 0)
        r = output_open(&output, "-", &e);
    if (r == 0)
        r = dump(&d, &guarded, &output, &e);
    guarded_stop(&guarded);
    output_close(&output);
    if (r == 0)
        return cli_flush();
    /* an empty text: the guard has said why, and one line is enough */
    return e.text[0] ? cli_fail(CLI_CANNOT, "%s", e.text) : CLI_CANNOT;
}
