/*
 * The configuration as YAML again, by the rows of config/keys.c. What is printed can be read back
 * to the same struct, the hashes aside; tests/unit/config_test.c holds it to that.
 */
#include <inttypes.h>

#include "config/expand.h"
#include "config/keys.h"
#include "config/text.h"

/* A scalar in double quotes. The text is clean UTF-8 (config/tree.c, config/expand.c). */
static void quoted(const char *text, struct buf *out)
{
    struct buf literal;

    /* a "${" that came from the environment must not be expanded when this is read again */
    buf_init(&literal, CONFIG_TEXT_PRINTED_BYTES);
    config_expand_escape(text, &literal);
    buf_putc(out, '"');
    for (const char *p = buf_text(&literal); *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *p);
    }
    buf_putc(out, '"');
    buf_release(&literal);
}

static void print_bool(const struct config_key *k, const void *base, struct buf *out)
{
    buf_puts(out, *(const bool *)((const char *)base + k->offset) ? "true" : "false");
}

static void print_number(const struct config_key *k, const void *base, struct buf *out)
{
    uint32_t v;

    memcpy(&v, (const char *)base + k->offset, sizeof(v));
    buf_printf(out, "%" PRIu32, v);
}

/* Seconds where they are whole: what people write. */
static void print_time(const struct config_key *k, const void *base, struct buf *out)
{
    uint64_t ms;

    memcpy(&ms, (const char *)base + k->offset, sizeof(ms));
    if (ms % 1000 == 0)
        buf_printf(out, "%" PRIu64 "s", ms / 1000);
    else
        buf_printf(out, "%" PRIu64 "ms", ms);
}

static void print_text(const struct config_key *k, const void *base, struct buf *out)
{
    quoted((const char *)base + k->offset, out);
}

static void print_word(const struct config_key *k, const void *base, struct buf *out)
{
    uint32_t word;

    /* in range: set by its index (config/bind.c) or by a default */
    memcpy(&word, (const char *)base + k->offset, sizeof(word));
    buf_puts(out, k->words[word]);
}

/* A number or a text, whichever the choice carries; "auto" has neither. */
static void print_target(const struct config_key *k, const void *base, struct buf *out)
{
    const struct config *c = base;

    (void)k;
    if (c->select == PLAN_SELECT_AUTO) {
        buf_puts(out, "auto");
        return;
    }
    buf_printf(out, "{%s: ", config_target_kind(c->select));
    if (c->select_text[0])
        quoted(c->select_text, out);
    else
        buf_printf(out, "%" PRIu64, c->select_number);
    buf_putc(out, '}');
}

static size_t entries(const struct config_key *k, const void *base)
{
    size_t n;

    memcpy(&n, (const char *)base + k->count, sizeof(n));
    return n;
}

/* The count stands in a field of its own, which the row names too. */
static void print_listen(const struct config_key *k, const void *base, struct buf *out)
{
    const struct config_address *list = (const void *)((const char *)base + k->offset);
    struct buf one;

    buf_init(&one, CONFIG_TEXT_PRINTED_BYTES);
    buf_putc(out, '[');
    for (size_t i = 0; i < entries(k, base); i++) {
        if (i)
            buf_puts(out, ", ");
        buf_clear(&one);
        config_address_print(&list[i], &one);
        quoted(buf_text(&one), out);
    }
    buf_putc(out, ']');
    buf_release(&one);
}

static void print_hosts(const struct config_key *k, const void *base, struct buf *out)
{
    const char(*list)[CONFIG_TEXT_BYTES] = (const void *)((const char *)base + k->offset);

    buf_putc(out, '[');
    for (size_t i = 0; i < entries(k, base); i++) {
        if (i)
            buf_puts(out, ", ");
        quoted(list[i], out);
    }
    buf_putc(out, ']');
}

/* Groups are written out: what is granted should be seen without knowing the groups. */
static void print_scopes(const struct config_key *k, const void *base, struct buf *out)
{
    uint32_t bits;

    memcpy(&bits, (const char *)base + k->offset, sizeof(bits));
    buf_putc(out, '[');
    config_scopes_print(bits, out);
    buf_putc(out, ']');
}

/*
 * One line an entry. The hash is hidden although it gives no token away (256 random bits): a page
 * of configuration is pasted into tickets, and nobody there should wonder.
 */
static void print_tokens(const struct config_key *k, const void *base, struct buf *out)
{
    const struct config *c = base;

    (void)k;
    if (c->auth.tokens_count == 0)
        buf_puts(out, " []");
    for (size_t i = 0; i < c->auth.tokens_count; i++) {
        const struct config_token *t = &c->auth.tokens[i];

        buf_puts(out, "\n    - {name: ");
        quoted(t->name, out);
        if (t->has_hash) {
            buf_puts(out, ", sha256: (hidden)");
        } else {
            buf_puts(out, ", file: ");
            quoted(t->file, out);
        }
        buf_puts(out, ", scopes: [");
        config_scopes_print(t->scopes, out);
        buf_puts(out, "]}");
    }
}

/* In the order of the file, which is the order of the struct. */
static void print_labels(const struct config_key *k, const void *base, struct buf *out)
{
    const struct config *c = base;

    (void)k;
    buf_putc(out, '{');
    for (size_t i = 0; i < c->labels_count; i++) {
        if (i)
            buf_puts(out, ", ");
        quoted(c->labels[i].key, out);
        buf_puts(out, ": ");
        quoted(c->labels[i].value, out);
    }
    buf_putc(out, '}');
}

/* NULL: nothing behind the colon (a section), or no line at all (not built yet). */
static void (*const printers[CONFIG_KEY_TYPES])(const struct config_key *k, const void *base,
                                                struct buf *out) = {
    [CONFIG_KEY_BOOL] = print_bool,     [CONFIG_KEY_NUMBER] = print_number,
    [CONFIG_KEY_TIME] = print_time,     [CONFIG_KEY_NAME] = print_text,
    [CONFIG_KEY_PATH] = print_text,     [CONFIG_KEY_WORD] = print_word,
    [CONFIG_KEY_TARGET] = print_target, [CONFIG_KEY_LISTEN] = print_listen,
    [CONFIG_KEY_HOSTS] = print_hosts,   [CONFIG_KEY_SCOPES] = print_scopes,
    [CONFIG_KEY_TOKENS] = print_tokens, [CONFIG_KEY_LABELS] = print_labels,
};

/* Rows that have no line of their own here. */
static bool is_left_out(const struct config *c, const struct config_key *k)
{
    if (k->type == CONFIG_KEY_LATER)
        return true;
    if (strncmp(k->path, "auth.tokens.", 12) == 0)
        return true; /* the list prints them */
    return c->admin.tls_off && strncmp(k->path, "admin.tls.", 10) == 0;
}

void config_print(const struct config *c, struct buf *out)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        const struct config_key *k = &keys[i];

        if (is_left_out(c, k))
            continue;
        /* two spaces a level, the key without its sections */
        buf_printf(out, "%*s%s:", (int)(2 * config_key_depth(k)), "", config_key_name(k));
        if (k->type == CONFIG_KEY_TLS && c->admin.tls_off)
            buf_puts(out, " off");
        if (printers[k->type]) {
            if (k->type != CONFIG_KEY_TOKENS) /* begins on a line of its own */
                buf_putc(out, ' ');
            printers[k->type](k, c, out);
        }
        buf_putc(out, '\n');
    }
}
