#include "auth/passwords.h"

#include <errno.h>

#include "base/clock.h"

static const char unknown[] = "the credentials are not known here";

int passwords_open(struct passwords *p, const char *path, uint32_t scopes, struct err *e)
{
    int r = htpasswd_read(path, &p->users, e);

    if (r)
        return r;
    p->scopes = scopes;
    if (cache_init(&p->right, PASSWORDS_REMEMBERED_MAX) ||
        cache_init(&p->wrong, PASSWORDS_FAILED_MAX))
        return err_set(e, -EIO, "no random numbers");
    return 0;
}

void passwords_release(struct passwords *p)
{
    if (!p)
        return;
    htpasswd_release(&p->users);
    cache_release(&p->right);
    cache_release(&p->wrong);
}

static void let_in(const struct passwords *p, const char *user, struct auth_verdict *ret)
{
    ret->known = true;
    ret->refused = 0;
    ret->why = NULL;
    ret->scopes = p->scopes;
    ret->method = AUTH_PASSWORD;
    auth_identity(ret->name, "basic", NULL, user);
}

/* The hash is part of the key: a changed password is another entry, whatever was remembered. */
static int keys_of(const struct passwords *p, const struct auth_work *w, const char *address,
                   uint8_t *right, uint8_t *wrong)
{
    const struct cache_part who[] = {
        {w->user, strlen(w->user)},
        {w->password, strlen(w->password)},
        {w->hash, strlen(w->hash)},
    };
    const struct cache_part where[] = {{w->user, strlen(w->user)}, {address, strlen(address)}};
    int r = cache_key(&p->right, who, 3, right);

    return r ? r : cache_key(&p->wrong, where, 2, wrong);
}

/*
 * Nobody there by that name: the first user's hash is computed all the same, so that the time tells
 * nothing.
 */
static struct auth_work *work_for(const struct passwords *p, const char *user, const char *password,
                                  const char *address)
{
    struct auth_work *w = auth_work_new(AUTH_NEEDS_HASH);
    const struct htpasswd_user *u = htpasswd_find(&p->users, user, strlen(user));

    if (!w)
        return NULL;
    w->decoy = !u;
    (void)snprintf(w->user, sizeof(w->user), "%s", user);
    (void)snprintf(w->password, sizeof(w->password), "%s", password);
    memcpy(w->hash, u ? u->hash : p->users.users[0].hash, sizeof(w->hash));
    if (keys_of(p, w, address, w->success_key, w->failure_key)) {
        auth_work_free(w);
        return NULL;
    }
    return w;
}

void passwords_judge(struct passwords *p, const char *user, const char *password,
                     const char *address, uint64_t now_ns, struct auth_verdict *ret,
                     struct auth_work **ret_work)
{
    struct auth_work *w;
    const struct cache_row *failed;

    ret->method = AUTH_PASSWORD;
    ret->refused = 401;
    ret->why = unknown;
    ret->detail = "the password is wrong, or there is no such user";
    if (!password[0] || strlen(password) >= HTPASSWD_PASSWORD_BYTES ||
        strlen(user) >= HTPASSWD_USER_BYTES)
        return;
    w = work_for(p, user, password, address);
    if (!w)
        return;
    if (!w->decoy && cache_find(&p->right, w->success_key, now_ns)) {
        let_in(p, user, ret);
        auth_work_free(w);
        return;
    }
    failed = cache_find(&p->wrong, w->failure_key, now_ns);
    if (failed && failed->next_ns > now_ns) {
        ret->refused = 429;
        ret->retry_ms = (failed->next_ns - now_ns) / CLOCK_NS_PER_MS + 1;
        ret->why = "too many wrong passwords: try again later";
        ret->detail = "held back after wrong passwords";
        auth_work_free(w);
        return;
    }
    ret->need = AUTH_NEEDS_HASH;
    *ret_work = w;
}

static void note_failure(struct passwords *p, const struct auth_work *w, uint64_t now_ns)
{
    uint64_t wait = PASSWORDS_WAIT_MS;
    struct cache_row *row;

    row = cache_put(&p->wrong, w->failure_key, now_ns, UINT64_MAX);
    for (uint32_t i = 0; i < row->count && wait < PASSWORDS_WAIT_MAX_MS; i++)
        wait *= 2;
    if (wait > PASSWORDS_WAIT_MAX_MS)
        wait = PASSWORDS_WAIT_MAX_MS;
    row->count += row->count < UINT32_MAX;
    row->next_ns = now_ns + wait * CLOCK_NS_PER_MS;
    row->until_ns = row->next_ns + PASSWORDS_FORGET_MS * CLOCK_NS_PER_MS;
}

/* While a thread was at it the file may have changed: the user must still be there, with it. */
static bool still_holds(const struct passwords *p, const struct auth_work *w)
{
    const struct htpasswd_user *u = htpasswd_find(&p->users, w->user, strlen(w->user));

    return u && strcmp(u->hash, w->hash) == 0;
}

void passwords_finish(struct passwords *p, const struct auth_work *w, uint64_t now_ns,
                      struct auth_verdict *ret)
{
    ret->method = AUTH_PASSWORD;
    ret->refused = 401;
    ret->why = unknown;
    ret->detail = "the password is wrong, or there is no such user";
    if (w->decoy || w->result != AUTH_WORK_YES || !still_holds(p, w)) {
        note_failure(p, w, now_ns);
        return;
    }
    cache_drop(&p->wrong, w->failure_key);
    (void)cache_put(&p->right, w->success_key, now_ns,
                    now_ns + PASSWORDS_REMEMBER_MS * CLOCK_NS_PER_MS);
    let_in(p, w->user, ret);
}

/* With its seed: its keys go on to mean the same. What was right is asked anew. */
void passwords_inherit(struct passwords *p, struct passwords *old)
{
    if (p->wrong.rows && old->wrong.rows)
        p->wrong = old->wrong;
}
