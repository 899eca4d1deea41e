/*
 * issuers.h: whose JSON Web Tokens are believed, and with which keys. Keys of a file are read when
 * the table is made; those of a URL are fetched by others and put in (auth.h), and are believed for
 * a day while the issuer cannot be reached.
 */
#ifndef AUTH_ISSUERS_H
#define AUTH_ISSUERS_H

#include "auth/work.h"

enum {
    ISSUERS_STALE_MS = 24 * 3600 * 1000,
    ISSUERS_AGAIN_MS = 60000, /* between two fetches because a key is not known */
};

struct issuer {
    struct config_issuer is;
    bool remote;
    struct jwks *keys;         /* NULL: none yet */
    uint64_t fetched_ns;       /* monotonic; of the keys, where remote */
    uint64_t tried_ns;         /* the last fetch, however it ended; 0: none */
    uint64_t tries, successes; /* fetches, for the metrics */
};

struct issuers {
    struct issuer list[CONFIG_ISSUERS_MAX];
    size_t count;
};

/** issuers_open(s, c, e): ${s} is zeroed; reads the files. */
int issuers_open(struct issuers *s, const struct config *c, struct err *e);
void issuers_release(struct issuers *s); /* NULL-safe */

/**
 * issuers_judge(s, token, bytes, request, ret, ret_work): false: no issuer of ours, ${ret} is
 * untouched. True: known, refused, or (once a minute) keys are needed first.
 */
bool issuers_judge(struct issuers *s, const char *token, size_t bytes,
                   const struct auth_request *request, struct auth_verdict *ret,
                   struct auth_work **ret_work);

/** issuers_state(s, i, now_ns, ret): auth_issuer_state(). */
int issuers_state(const struct issuers *s, size_t i, uint64_t now_ns, struct auth_issuer *ret);

/** issuers_inherit(s, old): keys of the same URLs go on being known after a reload. */
void issuers_inherit(struct issuers *s, struct issuers *old);

#endif
