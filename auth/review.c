#include "auth/review.h"

#include <errno.h>
#include <string.h>

#include "auth/json_in.h"

/* Takes over ${value}; NULL (no memory) is an error. */
static int put(json_t *value, struct buf *out)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    int r = -ENOMEM;

    if (text) {
        buf_puts(out, text);
        explicit_bzero(text, strlen(text)); /* a token may be in it */
        r = out->failed ? -ENOMEM : 0;
    }
    free(text);
    json_decref(value);
    return r;
}

int review_ask_token(const char *token, const char (*audiences)[CONFIG_TEXT_BYTES], size_t n,
                     struct buf *out)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(list, json_string(audiences[i]));
    if (json_array_size(list) != n) { /* one less would be another question */
        json_decref(list);
        return -ENOMEM;
    }
    return put(json_pack("{s:s,s:s,s:{s:s,s:o}}", "apiVersion", "authentication.k8s.io/v1", "kind",
                         "TokenReview", "spec", "token", token, "audiences", list),
               out);
}

static bool is_kind(const json_t *reply, const char *kind)
{
    const char *text = json_in_text(reply, "kind");

    return text && strcmp(text, kind) == 0;
}

/*
 * The API says that a caller who named audiences must see one of them in the answer: an
 * authenticator that knows nothing of audiences leaves them out, and would take any token.
 */
static bool is_for(const json_t *list, const char (*audiences)[CONFIG_TEXT_BYTES], size_t n)
{
    for (size_t i = 0; json_is_array(list) && i < json_array_size(list); i++) {
        const char *one = json_string_value(json_array_get(list, i));

        for (size_t j = 0; one && j < n; j++) {
            if (strcmp(one, audiences[j]) == 0)
                return true;
        }
    }
    return false;
}

static bool has_error(const json_t *status, const char *key)
{
    const json_t *error = json_object_get(status, key);

    return error && !(json_is_string(error) && json_string_length(error) == 0);
}

static int take_user(const json_t *user, char **ret_user, char *ret_name)
{
    const char *name = json_in_text(user, "username");
    char *text;

    if (!name || !name[0] || strlen(name) >= REVIEW_USER_MAX_BYTES)
        return -EBADMSG;
    if (strcmp(name, "system:anonymous") == 0) /* the API server's word for nobody */
        return -EACCES;
    text = json_dumps(user, JSON_COMPACT);
    if (!text || strlen(text) > REVIEW_REQUEST_MAX_BYTES / 2) {
        free(text);
        return text ? -EBADMSG : -ENOMEM;
    }
    memcpy(ret_name, name, strlen(name) + 1);
    *ret_user = text;
    return 0;
}

int review_read_token(const void *reply, size_t bytes, const char (*audiences)[CONFIG_TEXT_BYTES],
                      size_t n, char **ret_user, char ret_name[static REVIEW_USER_MAX_BYTES])
{
    const json_t *status;
    json_t *all = NULL;
    int r = json_in_parse(reply, bytes, &all, NULL) ? -EBADMSG : 0;

    if (r)
        return r;
    status = json_object_get(all, "status");
    if (!is_kind(all, "TokenReview") || !json_is_object(status))
        r = -EBADMSG;
    else if (!json_is_true(json_object_get(status, "authenticated")) ||
             has_error(status, "error") ||
             !is_for(json_object_get(status, "audiences"), audiences, n))
        r = -EACCES;
    else
        r = take_user(json_object_get(status, "user"), ret_user, ret_name);
    json_decref(all);
    return r;
}

/* The attributes of authorization.k8s.io/v1; of the core group, which is written "". */
static json_t *attributes(const struct review_target *target)
{
    if (target->path)
        return json_pack("{s:s,s:s}", "path", target->path, "verb", "get");
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "namespace", target->namespace, "verb", "get",
                     "group", "", "resource", "pods", "subresource", "pprof", "name", target->pod);
}

int review_ask_access(const char *user, const struct review_target *target, struct buf *out)
{
    static const char *const copied[] = {"uid", "groups", "extra"};
    json_t *who = NULL, *spec, *asked;
    int r = json_in_parse(user, strlen(user), &who, NULL) ? -EBADMSG : 0;

    if (r)
        return r;
    spec = json_object();
    /* the two APIs name it differently: user.username there, spec.user here */
    (void)json_object_set(spec, "user", json_object_get(who, "username"));
    for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
        json_t *v = json_object_get(who, copied[i]);

        if (v && json_object_set(spec, copied[i], v) != 0)
            r = -ENOMEM;
    }
    asked = attributes(target);
    if (!asked ||
        json_object_set_new(spec, target->path ? "nonResourceAttributes" : "resourceAttributes",
                            asked) != 0)
        r = -ENOMEM;
    json_decref(who);
    if (r) {
        json_decref(spec);
        return r;
    }
    return put(json_pack("{s:s,s:s,s:o}", "apiVersion", "authorization.k8s.io/v1", "kind",
                         "SubjectAccessReview", "spec", spec),
               out);
}

/* `denied` is a veto of one authorizer; an evaluationError beside `allowed` is no obstacle there.
 */
int review_read_access(const void *reply, size_t bytes)
{
    const json_t *status;
    json_t *all = NULL;
    int r = json_in_parse(reply, bytes, &all, NULL) ? -EBADMSG : 0;

    if (r)
        return r;
    status = json_object_get(all, "status");
    if (!is_kind(all, "SubjectAccessReview") || !json_is_object(status))
        r = -EBADMSG;
    else if (!json_is_true(json_object_get(status, "allowed")) ||
             json_is_true(json_object_get(status, "denied")))
        r = -EACCES;
    json_decref(all);
    return r;
}
