/*
 * htpasswd.h: users with password hashes, one "user:hash" a line, as htpasswd(1) and mkpasswd(1)
 * write them. Taken are bcrypt ($2b$ $2y$ $2a$), sha512-crypt ($6$), sha256-crypt ($5$) and
 * yescrypt ($y$), with costs that a login can be asked to pay; everything else ({SHA}, apr1, md5,
 * DES, plain text) is refused with its line: those can be guessed at billions a second.
 *
 * The hashing is libcrypt's (crypt_r(3)) and takes 1 to 700 ms: not for an event loop.
 */
#ifndef AUTH_HTPASSWD_H
#define AUTH_HTPASSWD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
    HTPASSWD_FILE_MAX_BYTES = 64 * 1024,
    HTPASSWD_USERS_MAX = 256,
    HTPASSWD_USER_BYTES = 64,      /* with its NUL */
    HTPASSWD_HASH_BYTES = 192,     /* with its NUL; sha512-crypt with rounds= is 131 at most */
    HTPASSWD_PASSWORD_BYTES = 512, /* with its NUL; crypt(3): CRYPT_MAX_PASSPHRASE_SIZE */
    HTPASSWD_BCRYPT_BYTES = 72,    /* of a password; bcrypt would ignore the rest in silence */
    HTPASSWD_BCRYPT_COST_MAX = 14, /* 0.7 s */
    HTPASSWD_SHA_ROUNDS_MAX = 500000,
};

struct htpasswd_user {
    char name[HTPASSWD_USER_BYTES];
    char hash[HTPASSWD_HASH_BYTES];
};

struct htpasswd {
    struct htpasswd_user *users;
    size_t count;
};

/**
 * htpasswd_parse(text, bytes, name, ret, e): all lines or an error: "name:line: reason", never a
 * byte of the content. Blank lines and lines that begin with # are skipped. -EINVAL, -ENOMEM.
 */
int htpasswd_parse(const char *text, size_t bytes, const char *name, struct htpasswd *ret,
                   struct err *e);

/** htpasswd_read(path, ret, e): the same of a file. */
int htpasswd_read(const char *path, struct htpasswd *ret, struct err *e);
void htpasswd_release(struct htpasswd *h); /* NULL-safe; wipes */

/** htpasswd_find(h, user, bytes): the user, or NULL. Every entry is looked at, to its end. */
const struct htpasswd_user *htpasswd_find(const struct htpasswd *h, const char *user, size_t bytes);

/**
 * htpasswd_matches(hash, password): is it? Slow, needs some MiB with yescrypt; from any thread.
 * No memory, or a password that the scheme cannot take whole, is false.
 */
bool htpasswd_matches(const char *hash, const char *password);

#endif
