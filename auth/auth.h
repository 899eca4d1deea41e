/*
 * auth.h: who is calling, and what may they do? One verdict from the credentials of one request.
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

enum auth_method { AUTH_NONE, AUTH_BEARER, AUTH_BASIC, AUTH_HEADER, AUTH_CERTIFICATE };

/* Raw header values as they came, NULL when absent; not necessarily NUL-free: lengths count. */
struct auth_request {
    const char *authorization; /* "Bearer T", "Basic …" */
    size_t authorization_bytes;
    const char *token; /* X-Pprof-Token */
    size_t token_bytes;
    const struct auth_peer *peer; /* of the connection; NULL: no client certificate */
};

struct auth_verdict {
    bool known; /* the credentials are somebody's (or none were given and anonymous has scopes) */
    char name[CONFIG_NAME_BYTES]; /* "anonymous", a token's name; "" when not known */
    enum auth_method method;
    uint32_t scopes;
    const char *why; /* constant text for the 401 when not known */
};

/**
 * auth_new(c, generated, ret, e): from the configuration; reads the token files. ${generated} (may
 * be NULL) is a token made at start that gets all scopes under the name "start". 0, -EINVAL with
 * "file:line: reason" for a bad token file, or another -errno.
 */
int auth_new(const struct config *c, const char *generated, struct auth **ret, struct err *e);
void auth_free(struct auth *a); /* NULL-safe */

/**
 * auth_judge(a, request, ret): never fails. Two credentials at once are refused, and credentials
 * that are wrong are not known even where anonymous callers would be let in.
 *
 * A client certificate belongs to the connection, not to the request, so it is no second
 * credential: a token that comes with it names the identity (a mesh's proxy or a scraper's agent
 * shows its certificate on every connection, whoever calls through it), and a wrong token is not
 * made good by it. Without a token the first entry of auth.certificates that it fits is the
 * identity; a verified one that fits none is not known. Where auth.certificates is empty,
 * certificates name nobody: they only say who may connect.
 */
void auth_judge(const struct auth *a, const struct auth_request *request, struct auth_verdict *ret);

/**
 * auth_token_make(out, out_bytes): a new random token, 256 bit, URL-safe ("plln_…"), of
 * AUTH_TOKEN_TEXT_BYTES with its NUL. 0, -ENOSPC, or -errno of getrandom(2).
 */
int auth_token_make(char *out, size_t out_bytes);

/** auth_sha256_hex(data, bytes, out): 64 hex digits and a NUL. */
void auth_sha256_hex(const void *data, size_t bytes, char out[static 65]);

/** auth_peer_name(peer, kind, i): the i-th name of that kind, NULL when there are not so many. */
const char *auth_peer_name(const struct auth_peer *peer, enum auth_name kind, size_t i);

/** auth_method_name(m): "none", "token", "basic", "header", "mtls". */
const char *auth_method_name(enum auth_method m);

#endif
