/*
 * backend.h: what differs between backends, as one table of functions each; forward.c does the
 * rest (queue, connections, time-outs, retries) the same for all.
 *
 * shape() turns one item into requests. It runs in a pool thread: it sees only its arguments and
 * keeps nothing. Everything that depends on the moment of sending (credentials, signatures, dates)
 * is added by head() on the loop. judge() reads the answer.
 */
#ifndef SIDECAR_FORWARD_BACKEND_H
#define SIDECAR_FORWARD_BACKEND_H

#include "config/config.h"
#include "profile/profile.h"
#include "sidecar/client/client.h"
#include "sidecar/item.h"

enum {
    BACKEND_PARTS_MAX = 16, /* requests of one item */
    BACKEND_HEADERS_MAX = 12,
    BACKEND_SECRET_BYTES = 8192,
    BACKEND_LABELS_MAX = CONFIG_LABELS_MAX + CONFIG_BACKEND_LABELS_MAX,
};

/* A backend as configured, with what shape() may know: never changes while jobs run (a reload makes
 * a new one and frees the old when its last job is back). */
struct backend_plan {
    struct config_backend config;
    struct client_url url;                          /* not for directory */
    struct config_label labels[BACKEND_LABELS_MAX]; /* `labels` and the backend's own, merged */
    size_t labels_count;
    char service[CONFIG_TEXT_BYTES]; /* label service_name, else the target's name at sending */
    char hostname[CONFIG_NAME_BYTES];
    /* `sample_labels.keep`: what the user has chosen by name, and what alone becomes a series label
     * where sample labels do (Pyroscope) */
    char keep[CONFIG_SAMPLE_LABELS_MAX][CONFIG_NAME_BYTES];
    size_t keep_count;
    /* google: config.project, or what the key file or the metadata server said. Last: it is found
     * after the plan was made, and no part of what is compared on reload (plan_backend_same()) */
    char project[CONFIG_TEXT_BYTES];
};

/* One request. */
struct backend_part {
    const char *method;
    char path[CLIENT_URL_BYTES];                       /* with its query */
    struct client_header headers[BACKEND_HEADERS_MAX]; /* constant texts, or point into texts */
    size_t headers_count;
    uint64_t total_ms; /* 0: the backend's timeout; more for a call that hangs on purpose */
    char texts[1024];  /* room for header values */
    struct buf body;
};

struct backend_shaped {
    struct backend_part parts[BACKEND_PARTS_MAX];
    size_t count; /* 0: nothing to send for this backend: it is done */
};
void backend_shaped_release(struct backend_shaped *s); /* NULL-safe, repeatable */

/* The item, packed once for all backends; all of it is read-only and shared between threads. */
struct backend_input {
    const struct item *item;
    const void *raw; /* pprof, not compressed, valid by profile_validate() */
    size_t bytes;
    const void *gzip; /* the same, compressed once */
    size_t gzip_bytes;
};

/* Secrets as read from their files, for head(); forward.c re-reads them when they change. */
struct backend_secrets {
    char bearer[BACKEND_SECRET_BYTES];   /* bearer_file, or google's access token */
    char password[BACKEND_SECRET_BYTES]; /* password_file */
    char api_key[BACKEND_SECRET_BYTES];  /* api_key_file */
    char secret_key[BACKEND_SECRET_BYTES], session_token[BACKEND_SECRET_BYTES]; /* s3 */
};

enum backend_verdict {
    BACKEND_TAKEN,     /* it is theirs now */
    BACKEND_RETRY,     /* later, with back-off */
    BACKEND_RETRY_FEW, /* later, but BACKEND_FEW_TRIES in all: a 500 may be our profile's fault */
    BACKEND_NEVER,     /* this profile: dropped and counted */
    BACKEND_BLOCKED,   /* all profiles until the configuration or a secret changes: keep, look again
                          every BACKEND_BLOCKED_MS */
    BACKEND_SPLIT, /* 413: too large: try in halves if it has more than one sample, else NEVER */
};
enum {
    BACKEND_FEW_TRIES = 3,
    BACKEND_BLOCKED_MS = 60000,
    BACKEND_HANG_MS = 3610 * 1000, /* of google's online call: its own client waits as long */
};

struct backend_ops {
    const char *name; /* "pyroscope" */
    /* Where it is when no url is configured (an environment variable, a well-known address).
     * -EINVAL with the reason: it has to be configured. NULL: always has to be. */
    int (*default_url)(const struct config_backend *config, char *ret, size_t bytes, struct err *e);
    /* 0; -ENOTSUP with the reason: this backend does not take such profiles (done, counted as
     * skipped); another -errno: dropped as rejected. */
    int (*shape)(const struct backend_plan *plan, const struct backend_input *in,
                 struct backend_shaped *ret, struct err *e);
    /* Append headers to ${request}; their texts may live in ${texts}. May be NULL. */
    int (*head)(const struct backend_plan *plan, const struct backend_secrets *secrets,
                const struct backend_part *part, uint64_t now_real_ns,
                struct client_request *request, char *texts, size_t texts_bytes, struct err *e);
    /* Of an answer with fate CLIENT_ANSWERED; ${why} gets what people should read (256 bytes, the
     * server's text cleaned of control characters and cut). */
    enum backend_verdict (*judge)(const struct backend_plan *plan, const struct client_answer *a,
                                  char *why, size_t why_bytes);
    /* How long to wait when the answer itself says so elsewhere than in Retry-After (google's
     * RetryInfo). 0: back off as usual. May be NULL. */
    uint64_t (*delay)(const struct client_answer *a);
    /* Part ${next} was made by shape() without a path: it depends on what the part before was
     * answered (google online: the name to upload to). May be NULL. */
    int (*follow)(const struct backend_plan *plan, const struct client_answer *a,
                  struct backend_part *next, struct err *e);
    /* Instead of shape + HTTP: write it somewhere, in a pool thread (directory). Else NULL. */
    int (*deliver)(const struct backend_plan *plan, const struct backend_input *in, struct err *e);
    /* Idempotent: the same item may be sent again without harm (id is part of the address). */
    bool idempotent;
};

extern const struct backend_ops backend_pyroscope, backend_parca, backend_datadog, backend_google,
    backend_otlp, backend_directory, backend_s3;

/** backend_ops_of(type): never NULL for a value of the enum. */
const struct backend_ops *backend_ops_of(enum config_backend_type type);

/** backend_judge_usual(a, why, bytes): 2xx taken; 408 429 5xx retry; 401 403 blocked; 413 split;
 * redirects, 404 and 405 blocked (the URL is wrong, not the profile); other 4xx never. What most
 * judge() begin with. */
enum backend_verdict backend_judge_usual(const struct client_answer *a, char *why,
                                         size_t why_bytes);

/** backend_why(a, why, bytes): "HTTP 429: push rate limit…": status and the body's first line. */
void backend_why(const struct client_answer *a, char *why, size_t why_bytes);

/** backend_why_text(status, text, bytes, why, why_bytes): the same of another text of theirs. */
void backend_why_text(unsigned status, const char *text, size_t text_bytes, char *why,
                      size_t why_bytes);

/** backend_is_page(a, why, bytes): a success that is HTML: the URL leads to a web page (or a
 * proxy's login), not to the API. That is for the user to change: BACKEND_BLOCKED. */
bool backend_is_page(const struct client_answer *a, char *why, size_t why_bytes);

/**
 * backend_part_add(s, plan, path, content_type, max_bytes, ret, e): one more request: POST to the
 * URL's path + ${path}, an empty body of at most ${max_bytes}. ${content_type} is constant. -EFBIG:
 * BACKEND_PARTS_MAX; -EINVAL: the path is too long.
 */
int backend_part_add(struct backend_shaped *s, const struct backend_plan *plan, const char *path,
                     const char *content_type, size_t max_bytes, struct backend_part **ret,
                     struct err *e);

/** backend_base64(out, data, bytes): append it (RFC 4648, 4). -ENOMEM. */
int backend_base64(struct buf *out, const void *data, size_t bytes);

/** backend_header(part, name, fmt, ...): a header whose value is kept in part->texts. -ENOSPC. */
__attribute__((format(printf, 3, 4))) int backend_header(struct backend_part *part,
                                                         const char *name, const char *fmt, ...);

/** backend_label(plan, key): its value, or NULL. */
const char *backend_label(const struct backend_plan *plan, const char *key);

/** backend_service(plan, item): label service_name, else the target's name, else "unknown". */
const char *backend_service(const struct backend_plan *plan, const struct item *item);

/** backend_auth_head(plan, secrets, request, texts, bytes, e): Authorization by bearer or Basic. */
int backend_auth_head(const struct backend_plan *plan, const struct backend_secrets *secrets,
                      struct client_request *request, char *texts, size_t texts_bytes,
                      struct err *e);

/** backend_head: a head() that is backend_auth_head() and nothing else. */
/* NOLINTNEXTLINE(readability-function-size): the table's signature */
int backend_head(const struct backend_plan *plan, const struct backend_secrets *secrets,
                 const struct backend_part *part, uint64_t now_real_ns,
                 struct client_request *request, char *texts, size_t texts_bytes, struct err *e);

#endif
