/*
 * auth.h: who is calling, and what may they do? One verdict from the credentials of one request,
 * at once or, where a hash, keys or another server are needed first, after the caller has seen to
 * that: nothing here waits, connects or has a thread.
 *
 * Tokens are kept as SHA-256; a presented one is compared with every entry in constant time,
 * without early exit. Token files (one token a line, # comments, blank lines) are read by
 * auth_new(); to re-read them, make a new one and keep the old one if that fails. Default deny. No
 * secret is kept, logged or put into an error.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "config/config.h"

enum {
    AUTH_TOKEN_MAX_BYTES = 4096,
    AUTH_FILE_MAX_BYTES = 64 * 1024,
    AUTH_FILE_TOKENS_MAX = 64,
    AUTH_FILE_TOKEN_MIN_BYTES = 16, /* a shorter one can be guessed */
    AUTH_TOKEN_TEXT_BYTES = 49,     /* what auth_token_make() writes, with its NUL */
};

/* What a token of ours begins with: names what leaked, for people and for scanners of repositories.
 */
#define AUTH_TOKEN_PREFIX "plln_"

struct auth; /* opaque: the table of identities */

/* Whose name is it, and of which kind? */
enum auth_name { AUTH_NAME_URI, AUTH_NAME_DNS, AUTH_NAME_EMAIL, AUTH_NAME_CN };

enum {
    AUTH_PEER_NAMES_MAX = 64,
    AUTH_PEER_NAME_BYTES = CONFIG_TEXT_BYTES, /* a longer one could stand in no configuration */
    AUTH_PEER_TEXT_BYTES = 8192,              /* all names together, each with its NUL */
};

/* The client certificate of a connection: what it says of its owner. No pointers: may be copied. */
struct auth_peer {
    bool verified; /* chain, time, usage, revocation: all was checked; else the names are a claim */
    size_t count;
    struct auth_peer_name {
        uint8_t kind; /* enum auth_name */
        uint16_t at;  /* where it begins in text; NUL-terminated */
    } names[AUTH_PEER_NAMES_MAX];
    size_t used; /* bytes of text */
    char text[AUTH_PEER_TEXT_BYTES];
};

enum auth_method {
    AUTH_NONE,
    AUTH_BEARER,
    AUTH_BASIC, /* a token as the password */
    AUTH_HEADER,
    AUTH_CERTIFICATE,
    AUTH_PASSWORD,   /* of the htpasswd file */
    AUTH_JWT,        /* however it was sent */
    AUTH_KUBERNETES, /* the same */
    AUTH_METHODS,
};

/* What a judgement waits for. */
enum auth_need {
    AUTH_NEEDS_NOTHING,
    AUTH_NEEDS_HASH,   /* 1 to 700 ms of a thread: auth_work_hash() */
    AUTH_NEEDS_KEYS,   /* an issuer's keys: auth_keys_put(), then judge again */
    AUTH_NEEDS_REVIEW, /* one or two questions to Kubernetes' API server */
};

/* Raw header values as they came, NULL when absent; not necessarily NUL-free: lengths count. */
struct auth_request {
    const char *authorization; /* "Bearer T", "Basic …" */
    size_t authorization_bytes;
    const char *token; /* X-Pprof-Token */
    size_t token_bytes;
    const struct auth_peer *peer; /* of the connection; NULL: no client certificate */
    const char *address;          /* without its port: who failed waits there; NULL: unknown */
    const char *path;             /* for auth.kubernetes.non_resource */
    bool keys_came;               /* the judgement waited for keys already: no second time */
    int64_t real_s;               /* now, seconds since 1970; 0: the clock's */
    uint64_t mono_ns;             /* now, monotonic; 0: the clock's */
};

struct auth_verdict {
    bool known; /* the credentials are somebody's (or none were given and anonymous has scopes) */
    enum auth_need need; /* not nothing: neither known nor refused yet */
    /* "anonymous", a token's name, "basic:USER", "jwt:ISSUER:SUB", "k8s:USER"; "" when not known */
    char name[CONFIG_NAME_BYTES];
    enum auth_method method;
    uint32_t scopes;
    /* when not known: 401; 403, 429 and 503 where that is the truth. All the same on every path. */
    unsigned refused;
    uint64_t retry_ms;  /* with 429 and 503; 0: not said */
    const char *why;    /* constant text for the caller: tells nothing of who there is */
    const char *detail; /* constant text for the log: why really; NULL: nothing more */
};

struct auth_work; /* opaque: what a judgement that waits has to be told */

/**
 * auth_new(c, generated, ret, e): from the configuration; reads the token files. ${generated} (may
 * be NULL) is a token made at start that gets all scopes under the name "start". 0, -EINVAL with
 * "file:line: reason" for a bad token file, or another -errno.
 */
int auth_new(const struct config *c, const char *generated, struct auth **ret, struct err *e);
void auth_free(struct auth *a); /* NULL-safe */

/**
 * auth_judge(a, request, ret, ret_work): never fails. Two credentials at once are refused, and
 * credentials that are wrong are not known even where anonymous callers would be let in.
 *
 * A client certificate belongs to the connection, not to the request, so it is no second
 * credential: a token that comes with it names the identity (a mesh's proxy or a scraper's agent
 * shows its certificate on every connection, whoever calls through it), and a wrong token is not
 * made good by it. Without a token the first entry of auth.certificates that it fits is the
 * identity; a verified one that fits none is not known. Where auth.certificates is empty,
 * certificates name nobody: they only say who may connect.
 *
 * A text that came as a token is looked for in this order, the cheap first: configured tokens; a
 * JSON Web Token of a configured issuer, whose word is final; Kubernetes; as the password of Basic,
 * the htpasswd file. When ${ret}->need is not AUTH_NEEDS_NOTHING, ${ret_work} (else untouched) is
 * the caller's: do what is needed, then auth_finish(), or auth_work_free() if nobody waits any
 * more. With ${ret_work} NULL (a caller that cannot wait) that is a refusal.
 */
void auth_judge(struct auth *a, const struct auth_request *request, struct auth_verdict *ret,
                struct auth_work **ret_work);

/** auth_finish(a, w, request, ret): the verdict at last, with what was found out; frees ${w}. It
 * may need something again (after keys, Kubernetes): then as auth_judge(). */
void auth_finish(struct auth *a, struct auth_work *w, const struct auth_request *request,
                 struct auth_verdict *ret, struct auth_work **ret_work);
void auth_work_free(struct auth_work *w); /* NULL-safe; wipes */
enum auth_need auth_work_need(const struct auth_work *w);

/** auth_work_hash(w): AUTH_NEEDS_HASH: slow; touches nothing but ${w}: from any thread. */
void auth_work_hash(struct auth_work *w);

/** auth_work_alike(w, other): two passwords for one user from one address: one after the other. */
bool auth_work_alike(const struct auth_work *w, const struct auth_work *other);

/** auth_work_issuer(w): AUTH_NEEDS_KEYS: whose, an index for auth_issuer_url(). */
size_t auth_work_issuer(const struct auth_work *w);

/**
 * auth_work_question(a, w, ret_path, body): AUTH_NEEDS_REVIEW: what to POST and where; the body
 * holds the token. auth_work_answer(a, w, status, reply, bytes): the API server's answer (status 0:
 * none came); true: another question follows. The reply holds the token: never to be logged.
 */
int auth_work_question(const struct auth *a, const struct auth_work *w, const char **ret_path,
                       struct buf *body);
bool auth_work_answer(struct auth *a, struct auth_work *w, unsigned status, const void *reply,
                      size_t bytes);

/* Keys that are fetched. Indices are those of auth.jwt. */
/** auth_issuer_url(a, i): whence, NULL: from a file, or no such issuer. */
const char *auth_issuer_url(const struct auth *a, size_t i);
/* How the keys of an issuer are. */
struct auth_issuer {
    const char *name;    /* auth.jwt[].issuer */
    size_t keys;         /* that can be used now: none when they are older than a day */
    uint64_t fetched_ns; /* monotonic; 0: never */
    uint64_t tries, successes;
};

/** auth_issuer_state(a, i, now_ns, ret): of one whose keys are fetched; -ENOENT: no such issuer, or
 * its keys come from a file. */
int auth_issuer_state(const struct auth *a, size_t i, uint64_t now_ns, struct auth_issuer *ret);
/** auth_keys_tried(a, i, mono_ns): a fetch has ended: no other for a minute because of a token. */
void auth_keys_tried(struct auth *a, size_t i, uint64_t mono_ns);
/** auth_keys_put(a, i, text, bytes, mono_ns, e): in place of the old, which stay if these are bad:
 * -errno of jwks_parse(). */
int auth_keys_put(struct auth *a, size_t i, const void *text, size_t bytes, uint64_t mono_ns,
                  struct err *e);

/**
 * auth_inherit(a, old): after a reload: fetched keys of the same URL go over, and who was held back
 * stays so. What is remembered of passwords and reviews is asked anew.
 */
void auth_inherit(struct auth *a, struct auth *old);

/**
 * auth_token_make(out, out_bytes): a new random token, 256 bit, URL-safe ("plln_…"), of
 * AUTH_TOKEN_TEXT_BYTES with its NUL. 0, -ENOSPC, or -errno of getrandom(2).
 */
int auth_token_make(char *out, size_t out_bytes);

/** auth_sha256_hex(data, bytes, out): 64 hex digits and a NUL. */
void auth_sha256_hex(const void *data, size_t bytes, char out[static 65]);

/** auth_peer_name(peer, kind, i): the i-th name of that kind, NULL when there are not so many. */
const char *auth_peer_name(const struct auth_peer *peer, enum auth_name kind, size_t i);

/** auth_method_name(m): "none", "token", "basic", "header", "mtls", "htpasswd", "jwt",
 * "kubernetes". */
const char *auth_method_name(enum auth_method m);

#endif
