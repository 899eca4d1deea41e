/*
 * work.h: what a judgement still needs, inside auth/. Made by the part that needs it (passwords,
 * kubernetes, issuers), carried by whoever may wait (auth.h tells how), given back to that part.
 */
#ifndef AUTH_WORK_H
#define AUTH_WORK_H

#include "auth/auth.h"
#include "auth/cache.h"
#include "auth/htpasswd.h"
#include "auth/jwt.h"
#include "auth/review.h"

enum auth_work_step { AUTH_WORK_TOKEN, AUTH_WORK_ACCESS };
enum auth_work_result { AUTH_WORK_OPEN, AUTH_WORK_YES, AUTH_WORK_NO, AUTH_WORK_DENIED };

/* Plain memory but for user_json; wiped when freed. */
struct auth_work {
    enum auth_need need;
    enum auth_work_result result; /* AUTH_WORK_OPEN at the end: it could not be found out */

    /* a hash; everything is copied: the tables may change while a thread works */
    char user[HTPASSWD_USER_BYTES], hash[HTPASSWD_HASH_BYTES], password[HTPASSWD_PASSWORD_BYTES];
    bool decoy; /* there is no such user: the answer is no, and takes as long */
    uint8_t success_key[CACHE_KEY_BYTES], failure_key[CACHE_KEY_BYTES];

    size_t issuer; /* whose keys */

    /* a review */
    enum auth_work_step step;
    char token[JWT_MAX_BYTES + 1];
    char *user_json;
    char user_name[REVIEW_USER_MAX_BYTES];
    char path[CONFIG_TEXT_BYTES]; /* non_resource: of the request */
    uint8_t token_key[CACHE_KEY_BYTES];
    uint64_t began_ns;  /* when it was judged */
    bool remembered;    /* the permission: it was not asked for anew */
    const char *detail; /* constant text for the log */
};

/** auth_work_new(need): zeroed; NULL: no memory. auth_work_free() is in auth.h. */
struct auth_work *auth_work_new(enum auth_need need);

/**
 * auth_identity(out, kind, of, name): "kind:of:name" or "kind:name" (${of} NULL) as the name of an
 * identity: printable ASCII and at most CONFIG_NAME_BYTES; what does not fit or was changed gets
 * the beginning of its SHA-256, so that two identities never share a name. The colon keeps it apart
 * from configured names, which have none.
 */
void auth_identity(char out[static CONFIG_NAME_BYTES], const char *kind, const char *of,
                   const char *name);

#endif
