/*
 * The configuration as YAML again, by the rows of config/table.c. What is printed can be read back
 * to the same struct, the hashes aside; tests/unit/config_test.c holds it to that.
 */
#include <inttypes.h>

#include "config/cidr.h"
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

static uint32_t number_of(const void *field)
{
    uint32_t v;

    memcpy(&v, field, sizeof(v));
    return v;
}

static uint64_t long_of(const void *field)
{
    uint64_t v;

    memcpy(&v, field, sizeof(v));
    return v;
}

static void print_bool(const struct config_key *k, const void *field, struct buf *out)
{
    (void)k;
    buf_puts(out, *(const bool *)field ? "true" : "false");
}

static void print_number(const struct config_key *k, const void *field, struct buf *out)
{
    (void)k;
    buf_printf(out, "%" PRIu32, number_of(field));
}

static void print_rate(const struct config_key *k, const void *field, struct buf *out)
{
    uint64_t v = long_of(field);

    (void)k;
    if (v > INT64_MAX)
        buf_puts(out, "keep");
    else
        buf_printf(out, "%" PRIu64, v);
}

/* Seconds where they are whole, days and hours where they are many: what people write. */
static void print_time(const struct config_key *k, const void *field, struct buf *out)
{
    const uint64_t hour = 3600000;
    uint64_t ms = long_of(field);

    (void)k;
    if (ms >= 48 * hour && ms % (24 * hour) == 0)
        buf_printf(out, "%" PRIu64 "d", ms / (24 * hour));
    else if (ms > 0 && ms % hour == 0)
        buf_printf(out, "%" PRIu64 "h", ms / hour);
    else if (ms % 1000 == 0)
        buf_printf(out, "%" PRIu64 "s", ms / 1000);
    else
        buf_printf(out, "%" PRIu64 "ms", ms);
}

static void print_size(const struct config_key *k, const void *field, struct buf *out)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    uint64_t bytes = long_of(field);
    size_t unit = 0;

    (void)k;
    for (; unit < 3 && bytes > 0 && bytes % 1024 == 0; unit++)
        bytes /= 1024;
    buf_printf(out, "%" PRIu64 "%s", bytes, units[unit]);
}

static void print_text(const struct config_key *k, const void *field, struct buf *out)
{
    (void)k;
    quoted(field, out);
}

/*
 * Hidden although it gives no token away (256 random bits): a page of configuration is pasted into
 * tickets, and nobody there should wonder.
 */
static void print_hash(const struct config_key *k, const void *field, struct buf *out)
{
    (void)k;
    (void)field;
    buf_puts(out, "(hidden)");
}

/* In range: set by its index (config/values.c) or by a default. */
static void print_word(const struct config_key *k, const void *field, struct buf *out)
{
    buf_puts(out, k->words[number_of(field)]);
}

static void print_words(const struct config_key *k, const void *field, struct buf *out)
{
    uint32_t bits = number_of(field);
    bool comma = false;

    buf_putc(out, '[');
    for (uint32_t i = 0; k->words[i]; i++) {
        if (!(bits & (UINT32_C(1) << i)))
            continue;
        buf_printf(out, "%s%s", comma ? ", " : "", k->words[i]);
        comma = true;
    }
    buf_putc(out, ']');
}

/* Groups are written out: what is granted should be seen without knowing the groups. */
static void print_scopes(const struct config_key *k, const void *field, struct buf *out)
{
    (void)k;
    buf_putc(out, '[');
    config_scopes_print(number_of(field), out);
    buf_putc(out, ']');
}

static void print_address(const struct config_key *k, const void *field, struct buf *out)
{
    struct buf one;

    (void)k;
    buf_init(&one, CONFIG_TEXT_PRINTED_BYTES);
    config_address_print(field, &one);
    quoted(buf_text(&one), out);
    buf_release(&one);
}

static void print_cidr(const struct config_key *k, const void *field, struct buf *out)
{
    (void)k;
    buf_putc(out, '"'); /* with colons it would be a map in some YAML */
    config_cidr_print(field, out);
    buf_putc(out, '"');
}

/* NULL: more than one value, see print_value(). */
static void (*const printers[CONFIG_KEY_TYPES])(const struct config_key *k, const void *field,
                                                struct buf *out) = {
    [CONFIG_KEY_BOOL] = print_bool,     [CONFIG_KEY_NUMBER] = print_number,
    [CONFIG_KEY_RATE] = print_rate,     [CONFIG_KEY_TIME] = print_time,
    [CONFIG_KEY_SIZE] = print_size,     [CONFIG_KEY_NAME] = print_text,
    [CONFIG_KEY_TEXT] = print_text,     [CONFIG_KEY_CHOICE] = print_text,
    [CONFIG_KEY_PROFILE] = print_text,  [CONFIG_KEY_REGEX] = print_text,
    [CONFIG_KEY_PATH] = print_text,     [CONFIG_KEY_JWKS] = print_text,
    [CONFIG_KEY_URL] = print_text,      [CONFIG_KEY_HASH] = print_hash,
    [CONFIG_KEY_WORD] = print_word,     [CONFIG_KEY_WORDS] = print_words,
    [CONFIG_KEY_SCOPES] = print_scopes, [CONFIG_KEY_ADDRESS] = print_address,
    [CONFIG_KEY_HOST] = print_text,     [CONFIG_KEY_CIDR] = print_cidr,
};

/* In the order of the file, which is the order of the struct. */
static void print_labels(const struct config_key *k, const void *base, struct buf *out)
{
    const struct config_label *labels = (const void *)((const char *)base + k->offset);

    buf_putc(out, '{');
    for (size_t i = 0; i < config_key_entries(k, base); i++) {
        if (i)
            buf_puts(out, ", ");
        quoted(labels[i].key, out);
        buf_puts(out, ": ");
        quoted(labels[i].value, out);
    }
    buf_putc(out, '}');
}

/* One value, or a list of them in brackets. */
static void print_value(const struct config_key *k, const void *base, struct buf *out)
{
    const char *field = (const char *)base + k->offset;

    if (k->type == CONFIG_KEY_LABELS) {
        print_labels(k, base, out);
        return;
    }
    if (!k->stride) {
        printers[k->type](k, field, out);
        return;
    }
    buf_putc(out, '[');
    for (size_t i = 0; i < config_key_entries(k, base); i++) {
        if (i)
            buf_puts(out, ", ");
        printers[k->type](k, field + i * k->stride, out);
    }
    buf_putc(out, ']');
}

/*
 * In an entry only what is set is shown: a key that makes no sense for a type may not stand there
 * at all, and zero and "" are what is not set (config/table.c has no row where they mean more).
 */
static bool is_set(const struct config_key *k, const void *base)
{
    const char *field = (const char *)base + k->offset;
    bool is_long = k->type == CONFIG_KEY_TIME || k->type == CONFIG_KEY_SIZE;

    if (k->needs)
        return true;
    if (k->stride || k->type == CONFIG_KEY_LABELS)
        return config_key_entries(k, base) > 0;
    if (k->type == CONFIG_KEY_HASH)
        return ((const struct config_token *)base)->has_hash;
    if (is_long)
        return long_of(field) > 0;
    if (k->type == CONFIG_KEY_NUMBER || k->type == CONFIG_KEY_WORD || k->type == CONFIG_KEY_WORDS)
        return number_of(field) > 0;
    return field[0] != '\0'; /* texts, and true */
}

/* "name: x, tls: {ca: y}": the keys of ${section} that are set; nothing when there is none. */
static void print_entry(const char *section, const void *base, struct buf *out)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    bool comma = false;

    for (size_t i = 0; i < count; i++) {
        const struct config_key *k = &keys[i];
        bool nested = k->type == CONFIG_KEY_SECTION;
        size_t before = out->len;

        if (!config_key_in(k, section) || (!nested && !is_set(k, base)))
            continue;
        buf_printf(out, "%s%s: ", comma ? ", " : "", config_key_name(k));
        if (nested) {
            size_t inside;

            buf_putc(out, '{');
            inside = out->len;
            print_entry(k->path, base, out); /* sections of entries are one deep */
            if (out->len == inside) {
                out->len = before;
                continue;
            }
            buf_putc(out, '}');
        } else {
            print_value(k, base, out);
        }
        comma = true;
    }
}

/* One line an entry. */
static void print_entries(const struct config_key *k, const void *base, struct buf *out)
{
    const char *list = (const char *)base + k->offset;
    size_t count = config_key_entries(k, base);

    if (count == 0)
        buf_puts(out, " []");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "\n%*s- {", (int)(2 * config_key_depth(k) + 2), "");
        print_entry(k->path, list + i * k->stride, out);
        buf_putc(out, '}');
    }
}

static bool is_unsafe(const struct config *c)
{
    return c->unsafe.heap_profile_rate >= 0 || c->unsafe.block_profile_rate >= 0 ||
           c->unsafe.mutex_profile_fraction >= 0 || c->unsafe.ptrace_sampling;
}

/* A number or a text, whichever the choice carries; "auto" has neither. */
static void print_target(const struct config *c, struct buf *out)
{
    bool deep = is_unsafe(c) || c->all; /* the rows below follow */

    if (c->select == PLAN_SELECT_AUTO) {
        buf_puts(out, deep ? "" : " auto");
        return;
    }
    buf_printf(out, deep ? "\n  %s: " : " {%s: ", config_target_kind(c->select));
    if (c->select_text[0])
        quoted(c->select_text, out);
    else
        buf_printf(out, "%" PRIu64, c->select_number);
    buf_puts(out, deep ? "" : "}");
}

/* Rows that have no line of their own here. */
static bool is_left_out(const struct config *c, const struct config_key *k)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    /* the lists print what is in their entries */
    for (size_t i = 0; i < count; i++) {
        if (keys[i].stride && config_key_below(k, keys[i].path))
            return true;
    }
    if (!is_unsafe(c) &&
        (config_key_below(k, "target.unsafe") || strcmp(k->path, "target.unsafe") == 0))
        return true;
    if (!is_unsafe(c) && !c->all && config_key_below(k, "target"))
        return true;
    return c->admin.tls_off && config_key_below(k, "admin.tls");
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
        if (k->type == CONFIG_KEY_TARGET) {
            print_target(c, out);
        } else if (k->type == CONFIG_KEY_TLS) {
            buf_puts(out, c->admin.tls_off ? " off" : "");
        } else if (k->type == CONFIG_KEY_SECTION) {
            if (k->stride)
                print_entries(k, c, out);
        } else {
            buf_putc(out, ' ');
            print_value(k, c, out);
        }
        buf_putc(out, '\n');
    }
}
