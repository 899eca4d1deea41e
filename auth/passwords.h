/*
 * passwords.h: users with passwords: who is let in, who has to wait. A right pair is remembered for
 * a minute, so that a browser's twenty requests cost one hash; a wrong one makes the same user
 * from the same address wait, longer each time. Unknown users cost a hash and a wait as well.
 */
#ifndef AUTH_PASSWORDS_H
#define AUTH_PASSWORDS_H

#include "auth/work.h"

enum {
    PASSWORDS_REMEMBERED_MAX = 64,
    PASSWORDS_FAILED_MAX = 256,
    PASSWORDS_REMEMBER_MS = 60000,
    PASSWORDS_WAIT_MS = 1000, /* after the first failure; then twice that, and so on */
    PASSWORDS_WAIT_MAX_MS = 60000,
    PASSWORDS_FORGET_MS = 600000, /* after the last failure */
};

struct passwords {
    struct htpasswd users;
    uint32_t scopes;
    struct cache right, wrong;
};

/** passwords_open(p, path, scopes, e): ${p} is zeroed; reads the file. */
int passwords_open(struct passwords *p, const char *path, uint32_t scopes, struct err *e);
void passwords_release(struct passwords *p); /* NULL-safe */

/** passwords_judge(p, user, password, address, now_ns, ret, ret_work): known, refused, or what is
 * to be hashed. ${user} and ${password} are texts of their own. */
void passwords_judge(struct passwords *p, const char *user, const char *password,
                     const char *address, uint64_t now_ns, struct auth_verdict *ret,
                     struct auth_work **ret_work);

/** passwords_finish(p, w, now_ns, ret): the hash is there. */
void passwords_finish(struct passwords *p, const struct auth_work *w, uint64_t now_ns,
                      struct auth_verdict *ret);

/** passwords_inherit(p, old): who has failed goes on waiting after a reload. */
void passwords_inherit(struct passwords *p, struct passwords *old);

#endif
