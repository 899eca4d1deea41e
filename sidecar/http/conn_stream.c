/*
 * The state "stream": the handler pushes, the loop writes. A push only fills the window and wakes
 * the loop; on_room is called from the loop's step. So no callback of the handler ever runs inside
 * one of its own calls, and nothing is freed under its feet.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "sidecar/http/conn_priv.h"

/*
 * What there is goes out, then the handler may be told of room, which it may use at once, or end
 * the answer. With nothing to send it is as in "wait": is the client still there? No timer then:
 * the slowness is not the client's.
 */
enum conn_step conn_step_stream(struct conn *c)
{
    struct flow *f = c->answer.flow;
    int r = conn_write_some(c);

    if ((r < 0 && r != -EAGAIN) || !f)
        return STEP_DEAD;
    if (f->hungry && flow_has_room(f)) {
        f->hungry = false;
        c->on_room(&c->request);
    }
    if (r == -EAGAIN)
        return conn_later(c, true);
    if (c->state != STATE_STREAM || r > 0 || flow_waits(f) > 0)
        return STEP_WRITE;
    (void)uv_timer_stop(&c->timer);
    return conn_step_wait(c);
}

void conn_begin(struct server_request *r, unsigned status, const char *content_type,
                void (*on_room)(struct server_request *r))
{
    struct conn *c = conn_of(r);
    struct reply_frame frame = conn_frame(c, status, content_type);

    assert(c->state == STATE_WAIT && r->on_gone);
    conn_enter(c, STATE_STREAM);
    c->on_room = on_room;
    if (answer_stream(&c->answer, &frame, r->method == SERVER_HEAD))
        conn_set_timer(c, 0); /* no memory: it is dropped, and the handler hears of it by on_gone */
    else
        conn_set_timer(c, SERVER_NO_PROGRESS_MS); /* for the head */
    c->close = frame.close;
    conn_nudge(c);
}

bool conn_push(struct server_request *r, const void *data, size_t bytes)
{
    struct conn *c = conn_of(r);
    struct flow *f = c->answer.flow;
    bool more;

    assert(c->state == STATE_STREAM);
    if (!f)
        return true;
    if (flow_waits(f) == 0 && bytes > 0)
        conn_set_timer(c, SERVER_NO_PROGRESS_MS); /* from now on the client is waited for */
    more = flow_push(f, data, bytes);
    conn_nudge(c);
    return more;
}

void conn_end(struct server_request *r, bool ok)
{
    struct conn *c = conn_of(r);

    assert(c->state == STATE_STREAM);
    conn_enter(c, STATE_WRITE);
    if (c->answer.flow)
        flow_end(c->answer.flow, ok);
    conn_nudge(c);
}

uint64_t conn_sent(const struct server_request *r)
{
    const struct conn *c =
        (const struct conn *)(const void *)((const char *)r - offsetof(struct conn, request));

    MAGIC_CHECK(c, CONN_MAGIC);
    return answer_body_sent(&c->answer);
}
