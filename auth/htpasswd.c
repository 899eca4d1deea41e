/*
 * The forms are those of crypt(5) of libxcrypt 4.4. They are checked when the file is read, not
 * when somebody logs in: a line that can never match should be seen by who wrote it.
 */
#include "auth/htpasswd.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>

#include <mbedtls/constant_time.h>

#include "base/buf.h"
#include "base/num.h"
#include "config/slurp.h"

enum {
    BCRYPT_BYTES = 60, /* $2y$10$ and 22 + 31 digits */
    SHA512_DIGITS = 86,
    SHA256_DIGITS = 43,
    YESCRYPT_DIGITS = 43,
    SALT_MAX = 16,          /* of sha-crypt */
    YESCRYPT_SALT_MAX = 86, /* 512 bit */
    ROUNDS_MIN = 1000,
};

/* crypt(5): the digits of all these forms, in no order that matters here. */
static bool all_digits(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
              (s[i] >= '0' && s[i] <= '9') || s[i] == '.' || s[i] == '/'))
            return false;
    }
    return true;
}

static const char *complain_bcrypt(const char *h, size_t n)
{
    uint64_t cost;

    if (n != BCRYPT_BYTES || h[6] != '$' || !all_digits(h + 7, n - 7) ||
        num_u64(h + 4, 2, 10, 99, &cost) || cost < 4)
        return "this is no whole bcrypt hash";
    return cost > HTPASSWD_BCRYPT_COST_MAX ? "bcrypt with a cost above 14 takes seconds a login"
                                           : NULL;
}

/* What stands behind the first three bytes: rounds=N$ (perhaps), salt$digest. */
static const char *complain_sha(const char *p, size_t n, size_t digits)
{
    static const char prefix[] = "rounds=";
    const char *end;
    uint64_t rounds;

    if (n > sizeof(prefix) && strncmp(p, prefix, sizeof(prefix) - 1) == 0) {
        end = memchr(p, '$', n);
        p += sizeof(prefix) - 1;
        n -= sizeof(prefix) - 1;
        if (!end || num_u64(p, (size_t)(end - p), 10, UINT32_MAX, &rounds) || rounds < ROUNDS_MIN)
            return "rounds= must be a number of at least 1000";
        if (rounds > HTPASSWD_SHA_ROUNDS_MAX)
            return "rounds= above 500000 takes too long a login";
        n -= (size_t)(end + 1 - p);
        p = end + 1;
    }
    end = memchr(p, '$', n);
    if (!end || end - p > SALT_MAX || !all_digits(p, (size_t)(end - p)) ||
        n - (size_t)(end + 1 - p) != digits || !all_digits(end + 1, digits))
        return "this is no whole sha-crypt hash";
    return NULL;
}

/*
 * "$y$j9T$salt$digest": the second digit of the parameters is log2 N - 1 in the order ./0-9A-Z, the
 * third the block size, where T is 32; N = 4096 takes 16 MiB (libxcrypt, alg-yescrypt-common.c).
 * Twice to four times that is let through, more is an attack on our own memory.
 */
static const char *complain_yescrypt(const char *p, size_t n)
{
    const char *end;

    if (n < 4 || p[0] != 'j' || p[2] != 'T' || p[3] != '$' || !all_digits(p + 1, 1))
        return "yescrypt with parameters other than $y$j?T$ is not taken";
    if (p[1] > 'B' || p[1] < '6')
        return "yescrypt with a cost other than $y$j6T$ to $y$jBT$ is not taken";
    p += 4;
    n -= 4;
    end = memchr(p, '$', n);
    if (!end || end == p || end - p > YESCRYPT_SALT_MAX || !all_digits(p, (size_t)(end - p)) ||
        n - (size_t)(end + 1 - p) != YESCRYPT_DIGITS || !all_digits(end + 1, YESCRYPT_DIGITS))
        return "this is no whole yescrypt hash";
    return NULL;
}

static const char *complain_hash(const char *h, size_t n)
{
    if (n >= HTPASSWD_HASH_BYTES)
        return "the hash is too long";
    if (n > 4 && h[0] == '$' && h[1] == '2' && strchr("aby", h[2]) && h[3] == '$')
        return complain_bcrypt(h, n);
    if (n > 3 && strncmp(h, "$6$", 3) == 0)
        return complain_sha(h + 3, n - 3, SHA512_DIGITS);
    if (n > 3 && strncmp(h, "$5$", 3) == 0)
        return complain_sha(h + 3, n - 3, SHA256_DIGITS);
    if (n > 3 && strncmp(h, "$y$", 3) == 0)
        return complain_yescrypt(h + 3, n - 3);
    if (n > 6 && strncmp(h, "$apr1$", 6) == 0)
        return "apr1 (MD5) is too weak: use bcrypt (htpasswd -B)";
    if (n > 5 && strncmp(h, "{SHA}", 5) == 0)
        return "{SHA} has no salt: use bcrypt (htpasswd -B)";
    return "no known hash: use bcrypt (htpasswd -B), sha512-crypt or yescrypt (mkpasswd)";
}

static const char *complain_name(const char *name, size_t n)
{
    if (n == 0)
        return "the user's name is missing";
    if (n >= HTPASSWD_USER_BYTES)
        return "a user's name may have at most 63 bytes";
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)name[i] <= 0x20 || (unsigned char)name[i] >= 0x7f)
            return "a user's name is printable ASCII without spaces";
    }
    return NULL;
}

static const char *add(struct htpasswd *h, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    size_t name = colon ? (size_t)(colon - line) : 0;
    const char *why;
    struct htpasswd_user *u;

    if (!colon)
        return "a line is user:hash";
    why = complain_name(line, name);
    if (!why)
        why = complain_hash(colon + 1, n - name - 1);
    if (why)
        return why;
    if (htpasswd_find(h, line, name))
        return "this user is here twice";
    if (h->count == HTPASSWD_USERS_MAX)
        return "more than 256 users";
    u = &h->users[h->count++];
    memcpy(u->name, line, name); /* both end in the zeros of calloc(3) */
    memcpy(u->hash, colon + 1, n - name - 1);
    return NULL;
}

int htpasswd_parse(const char *text, size_t bytes, const char *name, struct htpasswd *ret,
                   struct err *e)
{
    struct htpasswd h = {.users = calloc(HTPASSWD_USERS_MAX, sizeof(h.users[0]))};
    unsigned number = 0;

    if (!h.users)
        return err_set(e, -ENOMEM, "no memory for the users");
    for (size_t at = 0; at < bytes;) {
        const char *line = text + at;
        const char *end = memchr(line, '\n', bytes - at);
        size_t n = end ? (size_t)(end - line) : bytes - at;
        const char *why;

        at += n + 1;
        number++;
        if (n > 0 && line[n - 1] == '\r')
            n--;
        if (n == 0 || line[0] == '#')
            continue;
        why = memchr(line, '\0', n) ? "a NUL byte" : add(&h, line, n);
        if (why) {
            htpasswd_release(&h);
            return err_set(e, -EINVAL, "%s:%u: %s", name, number, why);
        }
    }
    if (h.count == 0) {
        htpasswd_release(&h);
        return err_set(e, -EINVAL, "%s: no user in it", name);
    }
    *ret = h;
    return 0;
}

int htpasswd_read(const char *path, struct htpasswd *ret, struct err *e)
{
    struct buf text;
    int r;

    buf_init(&text, HTPASSWD_FILE_MAX_BYTES);
    r = slurp_file(path, &text, e);
    if (r == -EFBIG)
        r = -EINVAL; /* for the caller it is a bad file like any other */
    if (r == 0)
        r = htpasswd_parse(text.data ? (const char *)text.data : "", text.len, path, ret, e);
    if (text.data)
        explicit_bzero(text.data, text.cap);
    buf_release(&text);
    return r;
}

void htpasswd_release(struct htpasswd *h)
{
    if (!h)
        return;
    if (h->users)
        explicit_bzero(h->users, HTPASSWD_USERS_MAX * sizeof(h->users[0]));
    free(h->users);
    *h = (struct htpasswd){.users = NULL};
}

const struct htpasswd_user *htpasswd_find(const struct htpasswd *h, const char *user, size_t bytes)
{
    const struct htpasswd_user *found = NULL;
    char wanted[HTPASSWD_USER_BYTES] = "";

    if (bytes == 0 || bytes >= sizeof(wanted) || memchr(user, '\0', bytes))
        return NULL;
    memcpy(wanted, user, bytes);
    for (size_t i = 0; i < h->count; i++) {
        if (mbedtls_ct_memcmp(h->users[i].name, wanted, sizeof(wanted)) == 0)
            found = &h->users[i];
    }
    return found;
}

bool htpasswd_matches(const char *hash, const char *password)
{
    struct crypt_data *data;
    size_t bytes = strlen(hash);
    const char *made;
    bool matches;

    if (strncmp(hash, "$2", 2) == 0 && strlen(password) > HTPASSWD_BCRYPT_BYTES)
        return false;
    data = calloc(1, sizeof(*data)); /* 32 KiB: too much for a thread's stack */
    if (!data)
        return false;
    made = crypt_r(password, hash, data);
    /* a failure gives NULL or a text that begins with a star: never equal (crypt(3)) */
    matches = made && strlen(made) == bytes && mbedtls_ct_memcmp(made, hash, bytes) == 0;
    explicit_bzero(data, sizeof(*data));
    free(data);
    return matches;
}
