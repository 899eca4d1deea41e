#include "cli/secrets.h"

#include <string.h>
#include <strings.h>

#include "auth/auth.h"
#include "config/expand.h"
#include "config/slurp.h"

enum {
    SECRETS_TOLD_MAX = 32, /* variables; the rest would say the same */
};

static bool has_end(const char *name, size_t bytes, const char *end)
{
    size_t n = strlen(end);

    return bytes >= n && strncasecmp(name + bytes - n, end, n) == 0;
}

static bool is_own(const char *value)
{
    return strncmp(value, AUTH_TOKEN_PREFIX, sizeof(AUTH_TOKEN_PREFIX) - 1) == 0;
}

/* Three parts, of which the first begins as any JSON object does in base64. */
static bool is_jwt(const char *value)
{
    const char *dot = strncmp(value, "eyJ", 3) == 0 ? strchr(value, '.') : NULL;

    return dot && strchr(dot + 1, '.');
}

bool secrets_looks(const char *name, size_t name_bytes, const char *value)
{
    static const char *const ends[] = {"TOKEN",   "SECRET",     "PASSWORD",   "PASSWD",
                                       "API_KEY", "ACCESS_KEY", "SECRET_KEY", "PRIVATE_KEY"};

    if (value[0] == '\0')
        return false;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (has_end(name, name_bytes, ends[i]))
            return true;
    }
    return is_own(value) || is_jwt(value);
}

void secrets_of_environment(const struct config *c, char *const *env, secrets_fn fn)
{
    struct buf text;
    struct err e;
    size_t told = 0;

    buf_init(&text, CONFIG_FILE_MAX_BYTES);
    if (c->path[0])
        (void)slurp_file(c->path, &text, &e); /* it was read a moment ago; else nothing is named */
    for (; *env && told < SECRETS_TOLD_MAX; env++) {
        const char *value = strchr(*env, '=');
        size_t bytes = value ? (size_t)(value - *env) : 0;
        char name[CONFIG_EXPAND_NAME_BYTES];

        if (!value || bytes == 0 || bytes >= sizeof(name) || !secrets_looks(*env, bytes, value + 1))
            continue;
        if (!is_own(value + 1) && !config_expand_names(&text, *env, bytes))
            continue;
        memcpy(name, *env, bytes);
        name[bytes] = '\0';
        told++;
        fn(name, "a long-lived secret in an environment variable: each child and /proc/PID/environ "
                 "shows it; put it into a file");
    }
    buf_release(&text);
}
