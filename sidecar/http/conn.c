/*
 * How it runs: libuv says that the socket is ready, drive() lets the state's step try, and the step
 * says what to wait for next. A step reads or writes until the kernel or its window is used up;
 * it never waits. Events are level-triggered, so a step may leave bytes where they are. All that
 * ends a connection goes through drop(); after STEP_DEAD the struct is not touched again.
 *
 * Time: one timer, set on entering a state. Only a write moves it on progress; a head or a body
 * that trickles in does not, so that slowness cannot be stretched.
 */
#include "sidecar/http/conn.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sidecar/http/conn_priv.h"
#include "sidecar/http/held.h"
#include "sidecar/http/request.h"

enum {
    CONN_STEPS_MAX = 16, /* more in one turn of the loop would be a defect of ours */
    CONN_KEEP_TIMER = -1,
};

static enum conn_step step_header(struct conn *c);
static enum conn_step step_silent(struct conn *c);
static enum conn_step step_read(struct conn *c);
static enum conn_step step_nothing(struct conn *c);
static enum conn_step step_write(struct conn *c);
static enum conn_step step_finish(struct conn *c);
static enum conn_step step_linger(struct conn *c);

static const struct {
    const char *name;
    enum conn_step (*step)(struct conn *c);
    enum limits_rank rank; /* of one without credentials */
    int timer_ms;          /* set on entry; 0: none */
} STATES[] = {
    [STATE_HEADER] = {"header", step_header, LIMITS_SILENT, SERVER_PROXY_MS},
    [STATE_SILENT] = {"silent", step_silent, LIMITS_SILENT, SERVER_HANDSHAKE_MS},
    [STATE_TOKEN] = {"token", conn_step_token, LIMITS_HANDSHAKE, CONN_KEEP_TIMER},
    [STATE_HANDSHAKE] = {"handshake", conn_step_handshake, LIMITS_HANDSHAKE, CONN_KEEP_TIMER},
    [STATE_IDLE] = {"idle", step_read, LIMITS_READING, SERVER_IDLE_MS},
    [STATE_HEAD] = {"head", step_read, LIMITS_READING, SERVER_HEADER_MS},
    [STATE_BODY] = {"body", step_read, LIMITS_READING, SERVER_BODY_MS},
    [STATE_WAIT] = {"wait", conn_step_wait, LIMITS_BUSY, 0},
    [STATE_GONE] = {"gone", step_nothing, LIMITS_BUSY, 0},
    [STATE_STREAM] = {"stream", conn_step_stream, LIMITS_BUSY, 0},
    [STATE_WRITE] = {"write", step_write, LIMITS_READING, SERVER_NO_PROGRESS_MS},
    [STATE_FINISH] = {"finish", step_finish, LIMITS_CLOSING, SERVER_LINGER_MS},
    [STATE_LINGER] = {"linger", step_linger, LIMITS_CLOSING, CONN_KEEP_TIMER},
    [STATE_CLOSED] = {"closed", step_nothing, LIMITS_CLOSING, CONN_KEEP_TIMER},
};

static void on_timer(uv_timer_t *t);

void conn_set_timer(struct conn *c, uint64_t ms)
{
    (void)uv_timer_start(&c->timer, on_timer, ms, 0);
}

/* Credentials, once shown, hold for the connection: between two requests it may be asked to leave
 * for somebody, within one never. */
static enum limits_rank rank_of(const struct conn *c)
{
    enum limits_rank rank = STATES[c->state].rank;

    if (!c->entry.authenticated || rank != LIMITS_READING)
        return rank;
    return c->state == STATE_IDLE ? LIMITS_IDLE : LIMITS_BUSY;
}

void conn_enter(struct conn *c, enum conn_state state)
{
    int ms = STATES[state].timer_ms;

    c->state = state;
    c->entry.rank = rank_of(c);
    if (state == STATE_IDLE && c->arrival.shared)
        c->entry.key.counted = false; /* a proxy's: the next request may be another client's */
    if (state == STATE_IDLE && !c->served)
        ms = SERVER_HEADER_MS; /* a newcomer without a request is not worth a minute */
    if (ms == 0)
        (void)uv_timer_stop(&c->timer);
    else if (ms != CONN_KEEP_TIMER)
        conn_set_timer(c, (uint64_t)ms);
}

/* The handler's request is a member of the connection. */
struct conn *conn_of(struct server_request *r)
{
    struct conn *c = (struct conn *)(void *)((char *)r - offsetof(struct conn, request));

    MAGIC_CHECK(c, CONN_MAGIC);
    return c;
}

static void release_request(struct conn *c)
{
    parse_release(&c->parse);
    answer_release(&c->answer);
}

/* The answer is out, or as much of it as ever will be. */
static void tell_done(struct conn *c)
{
    if (c->env->done)
        c->env->done(c->env->ctx, &c->request, c->answer.status, answer_body_sent(&c->answer));
    release_request(c);
}

static void on_closed(uv_handle_t *h)
{
    struct conn *c = h->data;
    struct conn_env *env;

    MAGIC_CHECK(c, CONN_MAGIC);
    if (--c->handles)
        return;
    env = c->env;
    release_request(c);
    c->magic = 0;
    free(c);
    env->open--;
    env->closed(env);
}

/* The end, from any state, without a word to the client. `force`: the handler's answer to a request
 * it holds without on_gone is not waited for. */
static void drop(struct conn *c, bool force)
{
    enum conn_state was = c->state;

    if (was == STATE_CLOSED || (was == STATE_GONE && !force))
        return;
    if (was == STATE_HANDSHAKE && !force)
        conn_handshake_left(c);
    /* The handle before the descriptor, and both before any callback of others: libuv forgets the
     * descriptor by its number, which may be somebody else's a moment later. */
    if (was != STATE_GONE)
        uv_close((uv_handle_t *)&c->poll, on_closed);
    c->watching = 0;
    c->request.certificate = NULL; /* it goes with the stream, which a kept request outlives */
    stream_close(&c->stream);
    if (was == STATE_WAIT && !c->request.on_gone && !force) {
        conn_enter(c, STATE_GONE);
        return;
    }
    conn_enter(c, STATE_CLOSED);
    limits_remove(&c->env->limits, &c->entry);
    uv_close((uv_handle_t *)&c->timer, on_closed);
    if ((was == STATE_WAIT || was == STATE_STREAM) && c->request.on_gone)
        c->request.on_gone(&c->request);
    if (was == STATE_WRITE || (was == STATE_GONE && c->answer.status))
        tell_done(c);
}

void conn_drop(struct conn *c)
{
    drop(c, true);
}

static void drive(struct conn *c);

static void on_poll(uv_poll_t *p, int status, int events)
{
    struct conn *c = p->data;

    (void)events; /* the step finds out by trying */
    MAGIC_CHECK(c, CONN_MAGIC);
    if (status < 0)
        drop(c, false); /* reset */
    else
        drive(c);
}

/* EPOLLERR and EPOLLHUP come in any case: a reset is seen while writing, too. */
static void watch(struct conn *c, int events)
{
    if (c->watching == events)
        return;
    c->watching = events;
    if (events == 0)
        (void)uv_poll_stop(&c->poll);
    else if (uv_poll_start(&c->poll, events, on_poll))
        drop(c, false);
}

static void drive(struct conn *c)
{
    enum conn_step s = STEP_AGAIN;

    c->driving = true;
    for (int i = 0; i < CONN_STEPS_MAX && s == STEP_AGAIN; i++)
        s = STATES[c->state].step(c);
    c->driving = false;
    switch (s) {
    case STEP_AGAIN: /* CONN_STEPS_MAX: the next event goes on */
    case STEP_READ:
        watch(c, UV_READABLE);
        break;
    case STEP_WRITE:
        watch(c, UV_WRITABLE);
        break;
    case STEP_PAUSE:
        watch(c, 0);
        break;
    case STEP_DEAD:
        drop(c, false);
        break;
    }
}

struct reply_frame conn_frame(struct conn *c, unsigned status, const char *content_type)
{
    if (c->env->draining)
        c->close = true;
    c->progress = c->stream.sent;
    c->answer_ns = clock_mono_ns();
    return (struct reply_frame){
        .status = status,
        .content_type = content_type,
        .id = c->request.id,
        .close = c->close,
        .http10 = parse_is_http10(&c->parse),
        .now = (time_t)(clock_real_ns() / CLOCK_NS_PER_SEC),
    };
}

/* Give the answer its head; takes over `bytes`. */
static void begin_answer(struct conn *c, unsigned status, const char *content_type,
                         struct server_bytes *bytes)
{
    struct reply_frame frame = conn_frame(c, status, content_type);

    answer_begin(&c->answer, &frame, bytes, c->request.method == SERVER_HEAD);
}

static void begin_error(struct conn *c, unsigned status, const char *text)
{
    (void)reply_header(&c->answer.reply, "X-Go-Pprof", "1");
    begin_answer(c, status, "text/plain; charset=utf-8", answer_line(text));
}

/* The server's own refusal; the connection ends with it. */
static enum conn_step refuse(struct conn *c, unsigned status, const char *text)
{
    c->env->counts.bad_requests++;
    c->close = true;
    if (c->request.id[0] == '\0')
        request_id(&c->request);
    begin_error(c, status, text);
    conn_enter(c, STATE_WRITE);
    return STEP_AGAIN;
}

static void begin_request(struct conn *c)
{
    parse_init(&c->parse);
    answer_init(&c->answer);
    request_clear(&c->request);
    arrival_show(&c->arrival, &c->request);
    c->request.began_ns = clock_mono_ns();
    c->extra_bytes = 0;
}

struct conn *conn_of_entry(struct limits_entry *e)
{
    struct conn *c = (struct conn *)(void *)((char *)e - offsetof(struct conn, entry));

    MAGIC_CHECK(c, CONN_MAGIC);
    return c;
}

/* Who it comes from is known now: count it there, if need be instead of another from there. */
static bool claim_address(struct conn *c)
{
    struct limits_entry *victim;
    struct limits_key key;
    int r;

    arrival_key(&c->arrival, &key);
    while ((r = limits_claim(&c->env->limits, &c->entry, &key, &victim)) == -EAGAIN) {
        c->env->counts.evicted++;
        drop(conn_of_entry(victim), true);
    }
    c->entry.known = arrival_is_known(&c->arrival, clock_mono_ns());
    return r == 0;
}

/* Before TLS, and before anything that costs: for whom does the balancer connect? */
static enum conn_step step_header(struct conn *c)
{
    uint64_t now = clock_mono_ns();
    enum gate_reason reason = GATE_OPEN;
    int r = arrival_header(&c->arrival, &c->stream, now, &reason);

    if (r)
        return r == -EAGAIN ? STEP_READ : STEP_DEAD;
    arrival_show(&c->arrival, &c->request);
    if (reason == GATE_OPEN && !claim_address(c))
        reason = GATE_LIMITS;
    if (reason != GATE_OPEN) {
        gate_refused(&c->env->gate, reason, c->arrival.peer, now);
        return STEP_DEAD;
    }
    conn_enter(c, STATE_SILENT);
    return STEP_AGAIN;
}

static enum conn_step step_silent(struct conn *c)
{
    int byte = stream_peek(&c->stream);

    if (byte == -EAGAIN)
        return STEP_READ;
    if (byte < 0)
        return STEP_DEAD;
    if (!c->door.tls) {
        conn_enter(c, STATE_IDLE);
        return STEP_AGAIN;
    }
    if (byte >= 'A' && byte <= 'Z') {
        /* a method, not a TLS record (22): say so in the language that was used */
        begin_request(c);
        return refuse(c, 400, "this port speaks HTTPS: use https:// (or https+insecure://)");
    }
    conn_enter(c, STATE_TOKEN);
    return STEP_AGAIN;
}

enum conn_step conn_later(const struct conn *c, bool write)
{
    return stream_wants_write(&c->stream, write) ? STEP_WRITE : STEP_READ;
}

static void local_place(const struct conn *c, struct request_place *ret)
{
    struct sockaddr_storage addr = {.ss_family = AF_UNSPEC};
    socklen_t bytes = sizeof(addr);

    *ret = (struct request_place){.hosts = c->env->hosts,
                                  .hosts_count = c->env->hosts_count,
                                  .port = c->door.port,
                                  .tls = c->door.tls};
    if (getsockname(c->stream.fd, (struct sockaddr *)&addr, &bytes) == 0)
        (void)host_from_socket(&addr, &ret->local);
}

/* Whose request is it, and may he come in? A proxy's connection serves many. */
static unsigned refused_asker(struct conn *c, const char **ret_why)
{
    uint64_t now = clock_mono_ns(), wait_s = 0;
    unsigned status = arrival_request(&c->arrival, &c->parse, c->entry.authenticated, &c->request,
                                      now, &wait_s, ret_why);
    char seconds[24];

    if (status == 0 && c->arrival.shared && !claim_address(c)) {
        *ret_why = "too many connections from this address";
        status = 429;
    }
    if (status == 429) {
        (void)snprintf(seconds, sizeof(seconds), "%u", wait_s ? (unsigned)wait_s : 1u);
        (void)reply_header(&c->answer.reply, "Retry-After", seconds);
    }
    return status;
}

static enum conn_step serve(struct conn *c)
{
    struct request_place place;
    const char *why;
    unsigned status;

    local_place(c, &place);
    request_fill(&c->request, &c->parse);
    if (!c->parse.keep_alive)
        c->close = true;
    status = refused_asker(c, &why);
    if (status)
        return refuse(c, status, why);
    /* before anything else is told: what let this client in may have been taken back since */
    if (c->stream.tls && c->env->tls && tls_conn_recheck(c->stream.tls, c->env->tls, &why)) {
        conn_say_refused(c, why);
        return refuse(c, 403, why);
    }
    c->request.certificate = c->stream.tls ? tls_conn_peer(c->stream.tls) : NULL;
    status = request_refused(&c->parse, &place, &why);
    if (status)
        return refuse(c, status, why);
    c->env->counts.requests++;
    c->served = true;
    conn_enter(c, STATE_WAIT);
    c->env->handler(c->env->ctx, &c->request);
    return c->state == STATE_WAIT ? STEP_READ : STEP_AGAIN;
}

/* Idle, head and body: the next bytes of a request. */
static enum conn_step step_read(struct conn *c)
{
    unsigned char data[TLS_RECORD_BYTES];
    ssize_t n = stream_read(&c->stream, data, sizeof(data));
    size_t used = 0;

    if (n == -EAGAIN)
        return conn_later(c, false);
    if (n <= 0) {
        /* a broken TLS has sent an alert, which a reset would destroy */
        if (n < 0 && c->stream.tls) {
            conn_enter(c, STATE_FINISH);
            return STEP_AGAIN;
        }
        return STEP_DEAD;
    }
    /* TLS_RECORD_BYTES of room: mbedTLS holds nothing back that no event would tell of */
    if (c->state == STATE_IDLE) {
        begin_request(c);
        conn_enter(c, STATE_HEAD);
    }
    switch (parse_feed(&c->parse, data, (size_t)n, &used)) {
    case PARSE_BAD:
        return refuse(c, c->parse.status, c->parse.why);
    case PARSE_DONE:
        if (used < (size_t)n)
            c->close = true; /* pipelined: this one is answered, the rest forgotten */
        return serve(c);
    case PARSE_MORE:
        break;
    }
    if (c->state == STATE_HEAD && c->parse.head_done)
        conn_enter(c, STATE_BODY);
    return STEP_READ;
}

/* The handler works: all that matters is whether the client is still there. */
enum conn_step conn_step_wait(struct conn *c)
{
    unsigned char data[TLS_RECORD_BYTES];
    ssize_t n = stream_read(&c->stream, data, sizeof(data));

    if (n == -EAGAIN)
        return conn_later(c, false);
    if (n <= 0)
        return STEP_DEAD;
    /* pipelined: not an offence, but it is not read into memory either */
    c->close = true;
    c->extra_bytes += (uint32_t)n;
    return c->extra_bytes > CONN_EXTRA_MAX_BYTES ? STEP_DEAD : STEP_READ;
}

static enum conn_step step_nothing(struct conn *c)
{
    (void)c;
    return STEP_PAUSE;
}

int conn_write_some(struct conn *c)
{
    int r = answer_write(&c->answer, &c->stream);

    /* by what the kernel took: a TLS record may take many turns to go */
    if (c->stream.sent != c->progress) {
        c->progress = c->stream.sent;
        conn_set_timer(c, SERVER_NO_PROGRESS_MS);
    }
    return r;
}

static enum conn_step step_write(struct conn *c)
{
    int r;

    if (c->answer.sent == 0)
        held_make_room(c);
    r = conn_write_some(c);
    if (r == -EAGAIN)
        return conn_later(c, true);
    if (r < 0)
        return STEP_DEAD;
    if (r > 0)
        return STEP_WRITE;
    if (c->answer.flow && c->answer.flow->broken)
        return STEP_DEAD; /* no last chunk, no close_notify: the client must not think it is whole
                           */
    tell_done(c);
    if (c->close) {
        conn_enter(c, STATE_FINISH);
        return STEP_AGAIN;
    }
    conn_enter(c, STATE_IDLE);
    return STEP_READ; /* not AGAIN: after each answer the others have their turn */
}

static enum conn_step step_finish(struct conn *c)
{
    int r = stream_finish(&c->stream);

    if (r == -EAGAIN)
        return conn_later(c, true);
    if (r)
        return STEP_DEAD;
    c->extra_bytes = 0;
    conn_enter(c, STATE_LINGER);
    return STEP_AGAIN;
}

/*
 * close(2) with unread bytes sends a reset, and that makes the client's kernel throw away what it
 * has not read of our answer. So: read and forget until the client has closed, for a short while.
 */
static enum conn_step step_linger(struct conn *c)
{
    unsigned char data[TLS_RECORD_BYTES];
    ssize_t n = stream_read_raw(&c->stream, data, sizeof(data));

    if (n == -EAGAIN)
        return STEP_READ;
    if (n <= 0)
        return STEP_DEAD;
    c->extra_bytes += (uint32_t)n;
    return c->extra_bytes > CONN_LINGER_MAX_BYTES ? STEP_DEAD : STEP_READ;
}

static void on_timer(uv_timer_t *t)
{
    struct conn *c = t->data;

    MAGIC_CHECK(c, CONN_MAGIC);
    log_debug("timer", LOG_STR("peer", c->request.peer), LOG_STR("state", STATES[c->state].name));
    switch (c->state) {
    case STATE_TOKEN:
        drive(c);
        return;
    case STATE_GONE: /* answered */
        drop(c, true);
        return;
    case STATE_HEAD:
    case STATE_BODY:
        c->env->counts.timeouts++;
        (void)refuse(c, 408, "the request took too long");
        drive(c);
        return;
    case STATE_HEADER:
        gate_refused(&c->env->gate, GATE_PROXY, c->arrival.peer, clock_mono_ns());
        c->env->counts.timeouts++;
        drop(c, false);
        return;
    case STATE_SILENT:
    case STATE_HANDSHAKE:
    case STATE_IDLE:
    case STATE_STREAM:
    case STATE_WRITE:
        c->env->counts.timeouts++;
        drop(c, false);
        return;
    case STATE_WAIT:
    case STATE_FINISH:
    case STATE_LINGER:
    case STATE_CLOSED:
        drop(c, false);
        return;
    }
}

/*
 * Room for one more, if need be by dropping others. One whose first bytes have come while the loop
 * was busy is not silent: it gets its step first, and with it another rank.
 */
static int make_place(struct conn_env *env, const struct limits_key *key)
{
    struct limits_entry *victim;
    int r;

    while ((r = limits_admit(&env->limits, key, &victim)) == -EAGAIN) {
        struct conn *c = conn_of_entry(victim);

        if (c->state == STATE_SILENT && stream_peek(&c->stream) >= 0) {
            drive(c);
            continue;
        }
        env->counts.evicted++;
        drop(c, true);
    }
    return r;
}

/* The same; when all are busy, those that are so because their clients do not read count less. */
static bool admitted(struct conn_env *env, const struct limits_key *key)
{
    int r = make_place(env, key);

    if (r == -EBUSY && held_yield(env) > 0)
        r = make_place(env, key);
    return r == 0;
}

static void turn_away(struct conn_env *env, enum gate_reason reason, const struct arrival *a,
                      int fd)
{
    env->counts.refused++;
    gate_refused(&env->gate, reason, a->peer, clock_mono_ns());
    (void)close(fd);
}

void conn_accept(struct conn_env *env, const struct conn_door *door, int fd,
                 const struct sockaddr_storage *peer)
{
    uint64_t now = clock_mono_ns();
    struct conn *c = NULL;
    struct arrival arrival;
    struct limits_key key;
    enum gate_reason reason =
        arrival_begin(&arrival, door->open ? NULL : &env->gate, fd, peer, now);

    env->counts.accepted++;
    arrival_key(&arrival, &key);
    if (reason == GATE_OPEN && (!admitted(env, &key) || !(c = calloc(1, sizeof(*c))) ||
                                uv_poll_init_socket(env->loop, &c->poll, fd)))
        reason = GATE_LIMITS;
    if (reason != GATE_OPEN) {
        free(c);
        turn_away(env, reason, &arrival, fd);
        return;
    }
    (void)uv_timer_init(env->loop, &c->timer); /* cannot fail */
    c->magic = CONN_MAGIC;
    c->env = env;
    c->door = *door;
    c->arrival = arrival;
    c->entry.key = key;
    c->entry.known = arrival_is_known(&arrival, now);
    c->poll.data = c->timer.data = c;
    c->handles = 2;
    c->handshake_by_ns = now + SERVER_HANDSHAKE_MS * CLOCK_NS_PER_MS;
    stream_init(&c->stream, fd);
    if (door->port == HOST_PORT_ANY) /* unix sockets inherit no option from their listener */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SERVER_WINDOW_BYTES}, sizeof(int));
    env->open++;
    limits_add(&env->limits, &c->entry);
    c->request.listener = door->id;
    arrival_show(&c->arrival, &c->request);
    conn_enter(c, arrival_has_header(&arrival) ? STATE_HEADER : STATE_SILENT);
    drive(c); /* the first bytes are often there already */
}

bool conn_evict(struct conn_env *env)
{
    struct limits_entry *victim = limits_victim(&env->limits);

    if (victim) {
        env->counts.evicted++;
        drop(conn_of_entry(victim), true);
    }
    return victim != NULL;
}

void conn_drain(struct conn_env *env)
{
    struct limits_entry *next;

    env->draining = true;
    for (struct limits_entry *e = env->limits.first; e; e = next) {
        struct conn *c = conn_of_entry(e);

        next = e->next;
        if (c->state == STATE_HEADER || c->state == STATE_SILENT || c->state == STATE_TOKEN ||
            c->state == STATE_HANDSHAKE || c->state == STATE_IDLE)
            drop(c, false);
    }
}

void conn_drop_all(struct conn_env *env)
{
    /* on_gone and done may not touch other requests, but the list is re-read all the same */
    while (env->limits.first)
        drop(conn_of_entry(env->limits.first), true);
}

void conn_authenticated(struct server_request *r)
{
    struct conn *c = conn_of(r);

    if (c->state == STATE_CLOSED)
        return;
    limits_authenticated(&c->env->limits, &c->entry);
    arrival_passed(&c->arrival, clock_mono_ns());
    c->entry.rank = rank_of(c);
}

void conn_header(struct server_request *r, const char *name, const char *value)
{
    (void)reply_header(&conn_of(r)->answer.reply, name, value);
}

/* The handler's answer has its head: let it go, or end what is only a memory of a connection. */
static void answered(struct conn *c)
{
    if (c->state == STATE_GONE) {
        conn_set_timer(c, 0);
        return;
    }
    conn_enter(c, STATE_WRITE);
    /* Late: the loop does the writing, so that no callback of the handler runs inside its call. */
    if (!c->driving)
        watch(c, UV_WRITABLE);
}

void conn_answer(struct server_request *r, unsigned status, const char *content_type,
                 struct server_bytes *bytes)
{
    struct conn *c = conn_of(r);

    assert(c->state == STATE_WAIT || c->state == STATE_GONE); /* one answer a request */
    begin_answer(c, status, content_type, bytes);
    answered(c);
}

void conn_error(struct server_request *r, unsigned status, const char *text)
{
    struct conn *c = conn_of(r);

    assert(c->state == STATE_WAIT || c->state == STATE_GONE);
    /* who has shown nothing has guessed nothing */
    if (status == 401 && (c->request.authorization || c->request.token))
        arrival_failed(&c->arrival, PENALTY_CREDENTIALS, clock_mono_ns());
    begin_error(c, status, text);
    answered(c);
}

/* The loop writes, never a push: so no callback of the handler runs inside its own call. */
void conn_nudge(struct conn *c)
{
    if (c->driving || c->watching == UV_WRITABLE)
        return;
    c->watching = UV_WRITABLE;
    if (uv_poll_start(&c->poll, UV_WRITABLE, on_poll))
        conn_set_timer(c, 0); /* drops it, later */
}
