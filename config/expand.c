/*
 * Expansion comes after YAML, value by value: text from the environment can therefore never become
 * a key, a list or a comment. It happens in all scalar styles, also in single quotes.
 */
#include "config/expand.h"

#include <errno.h>

#include "base/err.h"
#include "config/text.h"

/* POSIX, XBD 8.1, with lower case allowed. */
static bool is_name(const char *p, size_t bytes)
{
    if (bytes == 0 || bytes >= CONFIG_EXPAND_NAME_BYTES || (p[0] >= '0' && p[0] <= '9'))
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char c = p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return true;
}

/* The variable's name may be shown, its value never: it may be a secret. */
static int refuse(char *why, size_t why_bytes, const char *what, const char *reason)
{
    (void)snprintf(why, why_bytes, "%s %s", what, reason);
    return -EINVAL;
}

/* The inside of one pair of braces: NAME or NAME:-default. */
static int variable(const char *p, size_t bytes, struct buf *out, char *why, size_t why_bytes)
{
    const char *dash = memmem(p, bytes, ":-", 2);
    size_t name_bytes = dash ? (size_t)(dash - p) : bytes;
    char name[CONFIG_EXPAND_NAME_BYTES];
    const char *value;

    if (!is_name(p, name_bytes))
        return refuse(why, why_bytes, "${...}", "takes a name of letters, digits and _");
    memcpy(name, p, name_bytes);
    name[name_bytes] = '\0';
    value = getenv(name);
    if (value && strcmp(value, CONFIG_EXPAND_TAKEN) == 0)
        return refuse(why, why_bytes, name, "was not named when this program started: restart it");
    /* ":-" and not "-": an empty variable is what an unset one looks like in a Pod spec */
    if (dash && (!value || !*value)) {
        buf_put(out, dash + 2, bytes - name_bytes - 2);
        return 0;
    }
    if (!value)
        return refuse(why, why_bytes, name, "is not set in the environment and has no default");
    /* the file's own text was checked by config/tree.c; the environment may hold any bytes */
    if (!config_text_is_clean(value, strlen(value)))
        return refuse(why, why_bytes, name, "holds control characters or is not UTF-8");
    buf_puts(out, value);
    return 0;
}

int config_expand(const char *text, struct buf *out, char *why, size_t why_bytes)
{
    /* one pass, and nothing that was put out is looked at again: no recursion, no growth */
    for (const char *p = text; *p;) {
        const char *end;
        int r;

        if (strncmp(p, "$${", 3) == 0) {
            buf_puts(out, "${");
            p += 3;
            continue;
        }
        if (p[0] != '$' || p[1] != '{') {
            buf_putc(out, *p++);
            continue;
        }
        end = strchr(p, '}');
        if (!end)
            return refuse(why, why_bytes, "${", "without a closing brace");
        r = variable(p + 2, (size_t)(end - p - 2), out, why, why_bytes);
        if (r)
            return r;
        p = end + 1;
    }
    return out->failed ? refuse(why, why_bytes, "the value", "is too long") : 0;
}

void config_expand_escape(const char *text, struct buf *out)
{
    for (const char *p = text; *p; p++) {
        if (p[0] == '$' && p[1] == '{')
            buf_putc(out, '$');
        buf_putc(out, *p);
    }
}

bool config_expand_names(const struct buf *text, const char *name, size_t bytes)
{
    const char *p = (const char *)text->data;
    const char *end = p ? p + text->len : NULL;

    while (p && (p = memmem(p, (size_t)(end - p), "${", 2)) != NULL) {
        p += 2;
        if ((size_t)(end - p) > bytes && memcmp(p, name, bytes) == 0 &&
            (p[bytes] == '}' || p[bytes] == ':'))
            return true;
    }
    return false;
}
