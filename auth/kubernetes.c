#include "auth/kubernetes.h"

#include <errno.h>

#include "base/clock.h"
#include "config/files.h"
#include "config/slurp.h"

/* What a row of the tables means. */
enum { ROW_NO, ROW_YES };

static void from_environment(char *out, size_t bytes, const char *name)
{
    const char *value = getenv(name);

    if (!out[0] && value && strlen(value) < bytes)
        (void)snprintf(out, bytes, "%s", value);
}

int kubernetes_open(struct kubernetes *k, const struct config *c, struct err *e)
{
    k->audiences_count = c->auth.kubernetes.audiences_count;
    if (k->audiences_count == 0)
        return 0;
    memcpy(k->audiences, c->auth.kubernetes.audiences, sizeof(k->audiences));
    memcpy(k->namespace, c->auth.kubernetes.namespace, sizeof(k->namespace));
    memcpy(k->pod, c->auth.kubernetes.pod, sizeof(k->pod));
    k->scopes = c->auth.kubernetes.scopes;
    k->non_resource = c->auth.kubernetes.non_resource;
    from_environment(k->namespace, sizeof(k->namespace), "POD_NAMESPACE");
    from_environment(k->pod, sizeof(k->pod), "POD_NAME");
    if (!k->namespace[0])
        (void)slurp_secret(CONFIG_SERVICE_ACCOUNT "/namespace", k->namespace, sizeof(k->namespace),
                           NULL);
    /* without a name the question would be about all Pods */
    if (!k->non_resource && (!k->namespace[0] || !k->pod[0]))
        return err_set(
            e, -EINVAL,
            "auth.kubernetes: which Pod is this? Set namespace and pod, or POD_NAMESPACE "
            "and POD_NAME in the environment (downward API)");
    if (cache_init(&k->tokens, KUBERNETES_ROWS_MAX) || cache_init(&k->access, KUBERNETES_ROWS_MAX))
        return err_set(e, -EIO, "no random numbers");
    return 0;
}

void kubernetes_release(struct kubernetes *k)
{
    if (!k)
        return;
    cache_release(&k->tokens);
    cache_release(&k->access);
}

/* --- what is remembered --- */

static void refuse(struct auth_verdict *ret, unsigned status, const char *why, const char *detail)
{
    ret->known = false;
    ret->refused = status;
    ret->why = why;
    ret->detail = detail;
}

static void nobody(struct auth_verdict *ret)
{
    refuse(ret, 401, "the token is not known here", "the API server does not know the token");
}

static void forbidden(struct auth_verdict *ret, const char *user)
{
    refuse(ret, 403,
           "the API server does not permit this: a Role needs the verb get on pods/pprof (or, with "
           "non_resource, on the path)",
           "denied by SubjectAccessReview");
    auth_identity(ret->name, "k8s", NULL, user);
}

static void let_in(const struct kubernetes *k, const char *user, struct auth_verdict *ret)
{
    ret->known = true;
    ret->refused = 0;
    ret->why = ret->detail = NULL;
    ret->scopes = k->scopes;
    auth_identity(ret->name, "k8s", NULL, user);
}

static int access_key(const struct kubernetes *k, const char *user_json, const char *path,
                      uint8_t *out)
{
    const struct cache_part parts[] = {
        {user_json, strlen(user_json)},
        {path, k->non_resource ? strlen(path) : 0},
    };

    return cache_key(&k->access, parts, 2, out);
}

/* A leaky bucket kept as the time at which it is full again (GCRA). */
static bool may_ask(struct kubernetes *k, uint64_t now_ns)
{
    const uint64_t gap = KUBERNETES_GAP_MS * CLOCK_NS_PER_MS;
    uint64_t full = k->full_ns > now_ns ? k->full_ns : now_ns;

    if (full - now_ns > (KUBERNETES_BURST - 1) * gap)
        return false;
    k->full_ns = full + gap;
    return true;
}

static struct auth_work *work_for(const char *token, size_t bytes, const char *path,
                                  const struct cache_row *known)
{
    struct auth_work *w = auth_work_new(AUTH_NEEDS_REVIEW);

    if (!w)
        return NULL;
    memcpy(w->token, token, bytes);
    (void)snprintf(w->path, sizeof(w->path), "%s", path);
    if (known) {
        w->step = AUTH_WORK_ACCESS;
        (void)snprintf(w->user_name, sizeof(w->user_name), "%s", known->text + known->count);
        w->user_json = strndup(known->text, known->count);
    }
    if (known && !w->user_json) {
        auth_work_free(w);
        return NULL;
    }
    return w;
}

/* A header's value and a JSON text: printable ASCII. */
static bool is_token(const char *token, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)token[i] <= 0x20 || (unsigned char)token[i] >= 0x7f)
            return false;
    }
    return bytes >= AUTH_FILE_TOKEN_MIN_BYTES && bytes <= JWT_MAX_BYTES;
}

/*
 * True: what is remembered decides. ${ret_user} is the row of the token when it is somebody's and
 * only the permission is not remembered. A row's text is the user as JSON and, behind it, the name;
 * its count says where that begins, and is 0 for a token that is nobody's.
 */
static bool remembered(struct kubernetes *k, const uint8_t *token_key, const char *path,
                       uint64_t now_ns, struct auth_verdict *ret, struct cache_row **ret_user)
{
    struct cache_row *user = cache_find(&k->tokens, token_key, now_ns), *access;
    uint8_t key[CACHE_KEY_BYTES];
    char *json;
    int r;

    if (!user)
        return false;
    if (!user->count) {
        nobody(ret);
        return true;
    }
    json = strndup(user->text, user->count);
    r = json ? access_key(k, json, path, key) : -ENOMEM;
    free(json);
    *ret_user = user;
    access = r ? NULL : cache_find(&k->access, key, now_ns);
    if (!access)
        return false;
    if (access->count == ROW_YES)
        let_in(k, user->text + user->count, ret);
    else
        forbidden(ret, user->text + user->count);
    return true;
}

void kubernetes_judge(struct kubernetes *k, const char *token, size_t bytes,
                      const struct auth_request *request, struct auth_verdict *ret,
                      struct auth_work **ret_work)
{
    const struct cache_part part = {token, bytes};
    const char *path = request->path ? request->path : "";
    struct cache_row *user = NULL;
    uint8_t key[CACHE_KEY_BYTES];
    struct auth_work *w;

    ret->method = AUTH_KUBERNETES;
    nobody(ret);
    if (!is_token(token, bytes) || cache_key(&k->tokens, &part, 1, key) ||
        remembered(k, key, path, request->mono_ns, ret, &user))
        return;
    if (strlen(path) >= sizeof(w->path))
        return;
    if (!may_ask(k, request->mono_ns)) {
        refuse(ret, 503, "credentials cannot be checked right now: try again in a moment",
               "too many questions for the API server");
        return;
    }
    w = work_for(token, bytes, path, user);
    if (!w)
        return;
    memcpy(w->token_key, key, sizeof(w->token_key));
    w->began_ns = request->mono_ns;
    ret->need = AUTH_NEEDS_REVIEW;
    *ret_work = w;
}

/* --- the two questions --- */

int kubernetes_question(const struct kubernetes *k, const struct auth_work *w,
                        const char **ret_path, struct buf *body)
{
    const struct review_target target = {
        .namespace = k->namespace,
        .pod = k->pod,
        .path = k->non_resource ? w->path : NULL,
    };

    *ret_path = w->step == AUTH_WORK_TOKEN ? REVIEW_TOKEN_PATH : REVIEW_ACCESS_PATH;
    if (w->step == AUTH_WORK_TOKEN)
        return review_ask_token(w->token, k->audiences, k->audiences_count, body);
    return review_ask_access(w->user_json, &target, body);
}

static const char *complain(unsigned status)
{
    if (status == 401)
        return "the API server does not take our own token";
    if (status == 403)
        return "the API server does not let us ask: bind system:auth-delegator to our account";
    return "the API server's answer is none";
}

/* Who it is was asked anew, since that is remembered for a shorter time than what they may do. */
static bool knows_access(struct kubernetes *k, struct auth_work *w)
{
    uint8_t key[CACHE_KEY_BYTES];
    const struct cache_row *row = access_key(k, w->user_json, w->path, key) == 0
                                      ? cache_find(&k->access, key, w->began_ns)
                                      : NULL;

    if (row)
        w->result = row->count == ROW_YES ? AUTH_WORK_YES : AUTH_WORK_DENIED;
    w->remembered = row != NULL;
    return w->remembered;
}

bool kubernetes_answer(struct kubernetes *k, struct auth_work *w, unsigned status,
                       const void *reply, size_t bytes)
{
    int r;

    w->result = AUTH_WORK_OPEN;
    w->detail = complain(status);
    if (status != 200 && status != 201) /* 201 is what is said; 200 is what a proxy makes of it */
        return false;
    if (w->step == AUTH_WORK_TOKEN) {
        r = review_read_token(reply, bytes, k->audiences, k->audiences_count, &w->user_json,
                              w->user_name);
        w->step = r == 0 ? AUTH_WORK_ACCESS : w->step;
        w->result = r == -EACCES ? AUTH_WORK_NO : AUTH_WORK_OPEN;
        return r == 0 && !knows_access(k, w);
    }
    r = review_read_access(reply, bytes);
    if (r == 0 || r == -EACCES)
        w->result = r == 0 ? AUTH_WORK_YES : AUTH_WORK_DENIED;
    return false;
}

static void remember_user(struct kubernetes *k, const struct auth_work *w, uint64_t now_ns)
{
    bool found = w->user_json != NULL;
    size_t bytes = found ? strlen(w->user_json) + strlen(w->user_name) + 1 : 0;
    char *text = found ? malloc(bytes) : NULL;
    struct cache_row *row;

    if (found && !text)
        return;
    row =
        cache_put(&k->tokens, w->token_key, now_ns,
                  now_ns + (found ? KUBERNETES_TOKEN_MS : KUBERNETES_UNKNOWN_MS) * CLOCK_NS_PER_MS);
    free(row->text);
    row->text = text;
    row->count = found ? (uint32_t)strlen(w->user_json) : 0;
    if (found)
        (void)snprintf(text, bytes, "%s%s", w->user_json, w->user_name);
}

void kubernetes_finish(struct kubernetes *k, const struct auth_work *w, uint64_t now_ns,
                       struct auth_verdict *ret)
{
    bool yes = w->result == AUTH_WORK_YES;
    uint8_t key[CACHE_KEY_BYTES];

    ret->method = AUTH_KUBERNETES;
    if (w->result == AUTH_WORK_OPEN) {
        refuse(ret, 503, "credentials cannot be checked right now: try again in a moment",
               w->detail ? w->detail : "the API server did not answer");
        return;
    }
    remember_user(k, w, now_ns);
    if (w->result == AUTH_WORK_NO) {
        nobody(ret);
        return;
    }
    if (!w->remembered && access_key(k, w->user_json, w->path, key) == 0) {
        struct cache_row *row =
            cache_put(&k->access, key, now_ns,
                      now_ns + (yes ? KUBERNETES_ALLOW_MS : KUBERNETES_DENY_MS) * CLOCK_NS_PER_MS);

        row->count = yes ? ROW_YES : ROW_NO;
    }
    if (yes)
        let_in(k, w->user_name, ret);
    else
        forbidden(ret, w->user_name);
}
