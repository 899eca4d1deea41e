/*
 * conn_priv.h: a connection's struct, for conn.c (its states), conn_handshake.c and conn_stream.c
 * (an answer that goes out bit by bit).
 */
#ifndef SIDECAR_HTTP_CONN_PRIV_H
#define SIDECAR_HTTP_CONN_PRIV_H

#include "base/magic.h"
#include "sidecar/http/answer.h"
#include "sidecar/http/conn.h"
#include "sidecar/http/parse.h"
#include "sidecar/http/stream.h"

enum {
    CONN_MAGIC = 0x434f4e4e,
};

enum conn_state {
    STATE_HEADER, /* of the PROXY protocol */
    STATE_SILENT, /* no byte yet */
    STATE_TOKEN,  /* waits for its turn to shake hands */
    STATE_HANDSHAKE,
    STATE_IDLE, /* between two requests, or before the first */
    STATE_HEAD,
    STATE_BODY,
    STATE_WAIT,   /* the handler has the request */
    STATE_GONE,   /* as before, but nobody is there any more */
    STATE_STREAM, /* the handler has the request, and its answer goes out bit by bit */
    STATE_WRITE,  /* the answer, or the rest of it, goes out */
    STATE_FINISH, /* close_notify goes out */
    STATE_LINGER, /* waits for the client's end, so that it can read ours */
    STATE_CLOSED, /* waits for libuv to let go of the handles */
};

/* What a state wants next. */
enum conn_step { STEP_AGAIN, STEP_READ, STEP_WRITE, STEP_PAUSE, STEP_DEAD };

struct conn {
    uint32_t magic;
    enum conn_state state;
    struct conn_env *env;
    struct limits_entry entry;
    struct conn_door door;
    uv_poll_t poll;
    uv_timer_t timer;
    int handles;  /* of the two, still to be closed */
    int watching; /* UV_READABLE, UV_WRITABLE or 0 */
    struct stream stream;
    struct arrival arrival;
    uint64_t handshake_by_ns;
    uint64_t handshake_cpu_ns; /* what it has cost us so far */
    bool driving;              /* a step is running: conn_answer() must not start another */
    bool served;               /* at least one request */
    bool close;                /* after this answer */
    struct parse parse;
    struct server_request request;
    struct answer answer;
    uint64_t answer_ns;                        /* when it began */
    void (*on_room)(struct server_request *r); /* STATE_STREAM */
    uint64_t progress;                         /* stream.sent when the timer was set */
    uint32_t extra_bytes; /* came while the handler works, or while lingering */
};

/** conn_of(r): the connection that the handler's request is a member of. */
struct conn *conn_of(struct server_request *r);

/** conn_of_entry(e): the connection that the entry of the list is a member of. */
struct conn *conn_of_entry(struct limits_entry *e);

/** conn_drop(c): its end, from any state, without a word to the client. */
void conn_drop(struct conn *c);

/** conn_enter(c, state): with its rank and its timer. */
void conn_enter(struct conn *c, enum conn_state state);
void conn_set_timer(struct conn *c, uint64_t ms);

/** conn_frame(c, status, content_type): what the head of any answer needs. */
struct reply_frame conn_frame(struct conn *c, unsigned status, const char *content_type);

/** conn_write_some(c): answer_write(), and the timer goes on when there was progress. */
int conn_write_some(struct conn *c);

/** conn_later(c, write): the step after -EAGAIN; ${write}: of a plain connection's write. */
enum conn_step conn_later(const struct conn *c, bool write);

/** conn_nudge(c): the loop is to look at it, also when no event comes: there is something to send.
 */
void conn_nudge(struct conn *c);

/** conn_step_token(c), conn_step_handshake(c): conn_handshake.c's. */
enum conn_step conn_step_token(struct conn *c);
enum conn_step conn_step_handshake(struct conn *c);
/** conn_handshake_left(c): the client, or the time, ended it. */
void conn_handshake_left(struct conn *c);
/** conn_say_refused(c, why): its client certificate was: counted, and said. */
void conn_say_refused(struct conn *c, const char *why);

/** conn_step_wait(c): the handler works: is the client still there? */
enum conn_step conn_step_wait(struct conn *c);
/** conn_step_stream(c): conn_stream.c's. */
enum conn_step conn_step_stream(struct conn *c);

#endif
