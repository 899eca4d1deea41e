/*
 * One row a waiting request. A row is queued, or has its one thing under way; when that is there,
 * auth_finish() says the verdict (or what else is needed), the row is free, and the oldest queued
 * rows get their turn: they are judged anew first, since by then the answer may be remembered.
 * Passwords for one user from one address go one after the other, so that guesses sent side by side
 * meet the wait that the first one earned.
 */
#include "sidecar/credentials.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/magic.h"
#include "sidecar/keys.h"
#include "sidecar/reviewer.h"

enum {
    CREDENTIALS_MAGIC = 0x43524544,
    ADDRESS_BYTES = 64,
    LOOK_MS = 250,
    COMPLAIN_MS = 60000, /* between two log lines about the API server */
    QUESTION_MAX_BYTES = 128 * 1024,
};

enum phase { FREE, QUEUED, HASHING, ASKING, FETCHING };

struct waiter {
    enum phase phase;
    bool fresh; /* queued since it came: judged a moment ago */
    uint32_t ticket;
    struct credentials *all;
    struct auth_request request;
    char address[ADDRESS_BYTES];
    struct auth_work *work; /* NULL while a thread has it */
    uint32_t question;      /* at the API server */
    uint64_t ends_ns;
    credentials_came came;
    void *data;
};

/* Lives until its thread is done, whoever waits for it. */
struct hash {
    uv_work_t work;
    struct credentials *all; /* NULL: they are gone */
    struct auth_work *about;
    uint32_t ticket;
};

struct credentials {
    unsigned magic;
    uv_loop_t *loop;
    struct auth *auth;
    struct keys *keys;
    struct reviewer *reviewer;
    uv_timer_t *timer;
    struct waiter row[CREDENTIALS_WAITING_MAX];
    struct hash *hashes[CREDENTIALS_HASHES_MAX];
    uint32_t tickets; /* the last one given */
    uint64_t complained_ns;
};

static void turn(struct credentials *c);

/* --- rows --- */

static size_t count(const struct credentials *c, enum phase phase)
{
    size_t n = 0;

    for (size_t i = 0; i < CREDENTIALS_WAITING_MAX; i++)
        n += c->row[i].phase == phase;
    return n;
}

size_t credentials_waiting(const struct credentials *c)
{
    return CREDENTIALS_WAITING_MAX - count(c, FREE);
}

static struct waiter *find(struct credentials *c, uint32_t ticket)
{
    for (size_t i = 0; i < CREDENTIALS_WAITING_MAX; i++) {
        if (c->row[i].phase != FREE && c->row[i].ticket == ticket)
            return &c->row[i];
    }
    return NULL;
}

static void clear(struct waiter *w)
{
    reviewer_forget(w->all->reviewer, w->question);
    auth_work_free(w->work);
    *w = (struct waiter){.phase = FREE};
}

static void finish(struct waiter *w, const struct auth_verdict *v)
{
    credentials_came came = w->came;
    void *data = w->data;

    clear(w);
    came(data, v);
}

static void unavailable(struct auth_verdict *v, const char *detail)
{
    v->known = false;
    v->need = AUTH_NEEDS_NOTHING;
    v->scopes = 0;
    v->refused = 503;
    v->retry_ms = CREDENTIALS_RETRY_MS;
    v->why = "credentials cannot be checked right now: try again in a moment";
    v->detail = detail;
}

static void give_up(struct waiter *w, enum auth_method method, const char *detail)
{
    struct auth_verdict v = {.method = method};

    unavailable(&v, detail);
    finish(w, &v);
}

/* --- what is needed --- */

static void hash_in_thread(uv_work_t *work)
{
    struct hash *h = work->data;

    auth_work_hash(h->about);
}

static void settle(struct waiter *w, struct auth_work *work);

static void hash_done(uv_work_t *work, int status)
{
    struct hash *h = work->data;
    struct credentials *c = h->all;
    struct auth_work *about = h->about;
    struct waiter *w;

    (void)status;
    if (!c) {
        auth_work_free(about);
        free(h);
        return;
    }
    MAGIC_CHECK(c, CREDENTIALS_MAGIC);
    for (size_t i = 0; i < CREDENTIALS_HASHES_MAX; i++) {
        if (c->hashes[i] == h)
            c->hashes[i] = NULL;
    }
    w = find(c, h->ticket);
    free(h);
    if (w) {
        settle(w, about);
    } else { /* nobody waits, but a wrong password counts all the same */
        const struct auth_request nobody = {.authorization = NULL};
        struct auth_verdict v;

        auth_finish(c->auth, about, &nobody, &v, NULL);
    }
    turn(c);
}

/* Is there a place for it, and no other for the same user from the same address? */
static struct hash **hash_place(struct credentials *c, const struct auth_work *work)
{
    struct hash **place = NULL;

    for (size_t i = 0; i < CREDENTIALS_HASHES_MAX; i++) {
        if (!c->hashes[i])
            place = &c->hashes[i];
        else if (auth_work_alike(c->hashes[i]->about, work))
            return NULL;
    }
    return place;
}

static void start_hash(struct waiter *w)
{
    struct credentials *c = w->all;
    struct hash **place = hash_place(c, w->work);
    struct hash *h;

    w->phase = QUEUED;
    if (!place)
        return;
    h = calloc(1, sizeof(*h));
    if (!h)
        return; /* it waits, and gives up in time */
    h->work.data = h;
    h->all = c;
    h->ticket = w->ticket;
    h->about = w->work;
    if (uv_queue_work(c->loop, &h->work, hash_in_thread, hash_done)) {
        free(h);
        return;
    }
    w->work = NULL;
    w->phase = HASHING;
    *place = h;
}

/* At most once a minute: every caller would cause one. Never a byte of the answer. */
static void complain(struct credentials *c, const char *what, const char *why)
{
    uint64_t now = clock_mono_ns();

    if (c->complained_ns && now - c->complained_ns < COMPLAIN_MS * CLOCK_NS_PER_MS)
        return;
    c->complained_ns = now;
    log_warn("credentials cannot be checked with the API server", LOG_STR("reason", what),
             LOG_STR(why[0] ? "because" : NULL, why));
}

static void reviewed(void *data, const struct client_answer *a);

static void ask(struct waiter *w)
{
    struct credentials *c = w->all;
    const char *path;
    struct buf body;
    int r;

    buf_init(&body, QUESTION_MAX_BYTES);
    r = auth_work_question(c->auth, w->work, &path, &body);
    if (r == 0)
        r = c->reviewer ? reviewer_ask(c->reviewer, path, &body, reviewed, w, &w->question)
                        : -ENOTCONN;
    if (body.data)
        explicit_bzero(body.data, body.cap);
    buf_release(&body);
    w->phase = ASKING;
    if (r)
        give_up(w, AUTH_KUBERNETES, "the API server cannot be asked");
}

static void reviewed(void *data, const struct client_answer *a)
{
    struct waiter *w = data;
    struct credentials *c = w->all;
    struct auth_work *work = w->work;
    bool whole = a->fate == CLIENT_ANSWERED;

    MAGIC_CHECK(c, CREDENTIALS_MAGIC);
    w->question = 0;
    if (auth_work_answer(c->auth, work, whole ? a->status : 0, a->body, whole ? a->bytes : 0)) {
        ask(w);
    } else {
        w->work = NULL;
        if (!whole)
            complain(c, "no answer", a->why);
        settle(w, work);
    }
    turn(c);
}

static void start(struct waiter *w)
{
    struct credentials *c = w->all;

    if (auth_work_need(w->work) == AUTH_NEEDS_HASH) {
        start_hash(w);
    } else if (auth_work_need(w->work) == AUTH_NEEDS_REVIEW) {
        if (count(c, ASKING) < CREDENTIALS_REVIEWS_MAX)
            ask(w);
        else
            w->phase = QUEUED;
    } else if (keys_fetch(c->keys, auth_work_issuer(w->work)) == 0) {
        w->phase = FETCHING;
    } else {
        give_up(w, AUTH_JWT, "the issuer's keys cannot be asked for");
    }
}

/* What was needed is there: the verdict, or the next thing. */
static void settle(struct waiter *w, struct auth_work *work)
{
    struct credentials *c = w->all;
    struct auth_verdict v;

    if (auth_work_need(work) == AUTH_NEEDS_KEYS)
        w->request.keys_came = true;
    w->work = NULL;
    auth_finish(c->auth, work, &w->request, &v, &w->work);
    if (v.refused == 503 && v.detail)
        complain(c, v.detail, "");
    if (v.refused == 503 && !v.retry_ms)
        v.retry_ms = CREDENTIALS_RETRY_MS;
    if (v.need == AUTH_NEEDS_NOTHING)
        finish(w, &v);
    else
        start(w);
}

static void keys_are_there(void *data, size_t i)
{
    struct credentials *c = data;

    MAGIC_CHECK(c, CREDENTIALS_MAGIC);
    for (size_t n = 0; n < CREDENTIALS_WAITING_MAX; n++) {
        struct waiter *w = &c->row[n];

        if (w->phase == FETCHING && auth_work_issuer(w->work) == i)
            settle(w, w->work);
    }
}

/* --- turns --- */

static void judge_again(struct waiter *w)
{
    struct auth_verdict v;

    auth_work_free(w->work);
    w->work = NULL;
    auth_judge(w->all->auth, &w->request, &v, &w->work);
    if (v.refused == 503 && !v.retry_ms)
        v.retry_ms = CREDENTIALS_RETRY_MS;
    if (v.need == AUTH_NEEDS_NOTHING)
        finish(w, &v);
    else
        start(w);
}

static bool has_place(struct credentials *c, const struct waiter *w)
{
    if (auth_work_need(w->work) == AUTH_NEEDS_HASH)
        return hash_place(c, w->work) != NULL;
    if (auth_work_need(w->work) == AUTH_NEEDS_KEYS)
        return true;
    return count(c, ASKING) < CREDENTIALS_REVIEWS_MAX;
}

/* The oldest first; at most as many as there are rows, so that it ends whatever happens. */
static void turn(struct credentials *c)
{
    for (size_t n = 0; n < CREDENTIALS_WAITING_MAX; n++) {
        struct waiter *next = NULL;

        for (size_t i = 0; i < CREDENTIALS_WAITING_MAX; i++) {
            struct waiter *w = &c->row[i];

            if (w->phase == QUEUED && has_place(c, w) && (!next || w->ticket < next->ticket))
                next = w;
        }
        if (!next)
            break;
        if (next->fresh)
            start(next);
        else
            judge_again(next);
    }
    for (size_t i = 0; i < CREDENTIALS_WAITING_MAX; i++)
        c->row[i].fresh = false;
}

static void on_timer(uv_timer_t *t)
{
    struct credentials *c = t->data;
    uint64_t now = clock_mono_ns();

    MAGIC_CHECK(c, CREDENTIALS_MAGIC);
    for (size_t i = 0; i < CREDENTIALS_WAITING_MAX; i++) {
        struct waiter *w = &c->row[i];

        if (w->phase != FREE && now >= w->ends_ns)
            give_up(w, AUTH_NONE, "checking it took too long");
    }
    turn(c);
    if (credentials_waiting(c) == 0)
        (void)uv_timer_stop(t);
}

/* --- who asks --- */

static struct waiter *room(struct credentials *c, const char *address)
{
    struct waiter *free_row = NULL;
    size_t same = 0;

    for (size_t i = 0; i < CREDENTIALS_WAITING_MAX; i++) {
        if (c->row[i].phase == FREE)
            free_row = &c->row[i];
        else
            same += strcmp(c->row[i].address, address) == 0;
    }
    return same < CREDENTIALS_PER_ADDRESS_MAX ? free_row : NULL;
}

uint32_t credentials_judge(struct credentials *c, const struct auth_request *request,
                           struct auth_verdict *ret, credentials_came came, void *data)
{
    struct auth_work *work = NULL;
    struct waiter *w;

    auth_judge(c->auth, request, ret, &work);
    if (ret->refused == 503 && !ret->retry_ms)
        ret->retry_ms = CREDENTIALS_RETRY_MS;
    if (ret->need == AUTH_NEEDS_NOTHING)
        return 0;
    w = room(c, request->address ? request->address : "");
    if (!w) {
        auth_work_free(work);
        unavailable(ret, "too many wait to be checked");
        return 0;
    }
    *w = (struct waiter){
        .phase = QUEUED, .fresh = true, .all = c, .request = *request, .work = work};
    (void)snprintf(w->address, sizeof(w->address), "%s", request->address ? request->address : "");
    w->request.address = w->address;
    w->ticket = ++c->tickets ? c->tickets : ++c->tickets;
    w->ends_ns = clock_mono_ns() + CREDENTIALS_WAIT_MS * CLOCK_NS_PER_MS;
    w->came = came;
    w->data = data;
    /* begun in the loop's next turn: ${came} must not be called from in here */
    (void)uv_timer_start(c->timer, on_timer, 0, LOOK_MS);
    return w->ticket;
}

void credentials_forget(struct credentials *c, uint32_t ticket)
{
    struct waiter *w = ticket ? find(c, ticket) : NULL;

    if (w)
        clear(w); /* a hash under way goes on: it cannot be stopped */
}

/* --- life --- */

/* What hangs on the configuration. */
struct credentials_next {
    struct auth *auth;
    struct keys *keys;
    struct reviewer *reviewer;
};

void credentials_drop(struct credentials_next *n)
{
    if (!n)
        return;
    keys_free(n->keys);
    reviewer_free(n->reviewer);
    free(n);
}

int credentials_prepare(struct credentials *c, const struct config *config, struct auth *auth,
                        struct credentials_next **ret, struct err *e)
{
    struct credentials_next *n = calloc(1, sizeof(*n));
    int r;

    if (!n)
        return err_set(e, -ENOMEM, "out of memory");
    n->auth = auth;
    r = keys_new(c->loop, config, auth, keys_are_there, c, &n->keys, e);
    if (r == 0)
        r = reviewer_new(c->loop, config, &n->reviewer, e);
    if (r) {
        credentials_drop(n);
        return r;
    }
    *ret = n;
    return 0;
}

/* Questions of the old API server are dropped; a hash goes on and is looked at by the new tables.
 */
void credentials_take(struct credentials *c, struct credentials_next *n)
{
    for (size_t i = 0; i < CREDENTIALS_WAITING_MAX; i++) {
        struct waiter *w = &c->row[i];

        if (w->phase != ASKING && w->phase != FETCHING)
            continue;
        reviewer_forget(c->reviewer, w->question);
        w->question = 0;
        w->phase = QUEUED;
    }
    keys_free(c->keys);
    reviewer_free(c->reviewer);
    c->auth = n->auth;
    c->keys = n->keys;
    c->reviewer = n->reviewer;
    free(n);
}

static void closed(uv_handle_t *h)
{
    free(h);
}

int credentials_new(uv_loop_t *loop, const struct config *config, struct auth *auth,
                    struct credentials **ret, struct err *e)
{
    struct credentials *c = calloc(1, sizeof(*c));
    struct credentials_next *n = NULL;
    int r;

    if (!c)
        return err_set(e, -ENOMEM, "out of memory");
    c->magic = CREDENTIALS_MAGIC;
    c->loop = loop;
    c->timer = calloc(1, sizeof(*c->timer));
    r = c->timer ? credentials_prepare(c, config, auth, &n, e)
                 : err_set(e, -ENOMEM, "out of memory");
    if (r) {
        free(c->timer);
        free(c);
        return r;
    }
    credentials_take(c, n);
    (void)uv_timer_init(loop, c->timer); /* always 0 */
    c->timer->data = c;
    *ret = c;
    return 0;
}

void credentials_free(struct credentials *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < CREDENTIALS_WAITING_MAX; i++) {
        if (c->row[i].phase != FREE)
            clear(&c->row[i]);
    }
    for (size_t i = 0; i < CREDENTIALS_HASHES_MAX; i++) {
        if (c->hashes[i])
            c->hashes[i]->all = NULL;
    }
    keys_free(c->keys);
    reviewer_free(c->reviewer);
    uv_close((uv_handle_t *)c->timer, closed);
    c->magic = 0;
    free(c);
}
