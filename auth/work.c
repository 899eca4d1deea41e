#include "auth/work.h"

#include <mbedtls/constant_time.h>
#include <mbedtls/sha256.h>

enum {
    IDENTITY_MARK_DIGITS = 16, /* 64 bit of SHA-256 behind what was cut or changed */
};

struct auth_work *auth_work_new(enum auth_need need)
{
    struct auth_work *w = calloc(1, sizeof(*w));

    if (w)
        w->need = need;
    return w;
}

void auth_work_free(struct auth_work *w)
{
    if (!w)
        return;
    free(w->user_json);
    explicit_bzero(w, sizeof(*w));
    free(w);
}

void auth_work_hash(struct auth_work *w)
{
    w->result = htpasswd_matches(w->hash, w->password) ? AUTH_WORK_YES : AUTH_WORK_NO;
    explicit_bzero(w->password, sizeof(w->password));
}

enum auth_need auth_work_need(const struct auth_work *w)
{
    return w->need;
}

bool auth_work_alike(const struct auth_work *w, const struct auth_work *other)
{
    return w->need == AUTH_NEEDS_HASH && other->need == AUTH_NEEDS_HASH &&
           mbedtls_ct_memcmp(w->failure_key, other->failure_key, CACHE_KEY_BYTES) == 0;
}

size_t auth_work_issuer(const struct auth_work *w)
{
    return w->issuer;
}

/* "~" and digits stand behind the beginning of what they are the hash of. */
static void mark(char out[static CONFIG_NAME_BYTES], const char *whole)
{
    enum { AT = CONFIG_NAME_BYTES - 1 - IDENTITY_MARK_DIGITS - 1 };
    char hex[65];
    size_t n = strlen(out);

    auth_sha256_hex(whole, strlen(whole), hex);
    n = n < AT ? n : AT;
    (void)snprintf(out + n, CONFIG_NAME_BYTES - n, "~%.*s", IDENTITY_MARK_DIGITS, hex);
}

void auth_identity(char out[static CONFIG_NAME_BYTES], const char *kind, const char *of,
                   const char *name)
{
    /* both are bounded by who calls: CONFIG_TEXT_BYTES and JWT_SUBJECT_MAX_BYTES */
    char whole[CONFIG_TEXT_BYTES + JWT_SUBJECT_MAX_BYTES + CONFIG_NAME_BYTES];
    int n = snprintf(whole, sizeof(whole), "%s:%s%s%s", kind, of ? of : "", of ? ":" : "", name);
    bool changed = n < 0 || (size_t)n >= CONFIG_NAME_BYTES;
    size_t i;

    for (i = 0; i < CONFIG_NAME_BYTES - 1 && whole[i]; i++) {
        bool plain = (unsigned char)whole[i] > 0x20 && (unsigned char)whole[i] < 0x7f;

        out[i] = whole[i];
        if (!plain || whole[i] == '~') /* a tilde of its own could look like our mark */
            out[i] = '?';
        changed = changed || out[i] != whole[i];
    }
    out[i] = '\0';
    if (changed)
        mark(out, whole);
}
