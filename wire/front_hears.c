/* The front's half of front.h. */
#include <errno.h>

#include "wire/front.h"

enum {
    FRONT_ERRNO_MAX = 4095, /* MAX_ERRNO, include/linux/err.h */
};

void front_open(struct link *l, int fd)
{
    link_init(l, fd, WIRE_ROLE_FRONT, WIRE_ROLE_GUARD);
    l->turn.state = WIRE_STATE_RUN;
}

static bool status_ok(const struct wire_status *s)
{
    return s->target.state <= WIRE_TARGET_AMBIGUOUS && s->target.mode <= WIRE_MODE_RESTRICTED &&
           codec_rates_ok(s->target.rate) && s->sampler_up <= 1 &&
           codec_text_ok(s->target.name, sizeof(s->target.name)) &&
           codec_text_ok(s->target.container, sizeof(s->target.container)) &&
           codec_text_ok(s->target.reason, sizeof(s->target.reason)) &&
           codec_text_ok(s->note, sizeof(s->note)) && s->target.all <= 1 &&
           codec_members_ok(&s->members);
}

static bool side_ok(const struct wire_side *s)
{
    return s->no_new_privs <= 1 && codec_text_ok(s->label, sizeof(s->label)) &&
           codec_text_ok(s->container, sizeof(s->container));
}

static bool facts_ok(const struct wire_facts *f)
{
    for (size_t i = 0; i < WIRE_CALLS; i++) {
        if (f->call[i] > WIRE_CALL_UNTRIED || f->call[i] < -FRONT_ERRNO_MAX)
            return false;
    }
    return !(f->flags & ~(uint32_t)WIRE_FACT_FLAGS) && f->cgroup <= 2 && side_ok(&f->ours) &&
           side_ok(&f->theirs);
}

static int hear_facts(struct link *l, const struct packet *p, struct front_news *ret)
{
    struct front_news news = {.is_facts = true, .sampler_fd = -1};

    memcpy(&news.facts, p->body, sizeof(news.facts));
    if (!facts_ok(&news.facts)) {
        l->why = "facts with impossible values";
        return -EPROTO;
    }
    *ret = news;
    return 0;
}

int front_hear(struct link *l, int timeout_ms, struct front_news *ret)
{
    struct front_news news = {.sampler_fd = -1};
    struct packet p;
    int r = link_recv(l, timeout_ms, &p);

    if (r)
        return r;
    if (p.head.type == WIRE_TELL_FACTS)
        return hear_facts(l, &p, ret);
    memcpy(&news.status, p.body, sizeof(news.status));
    if (!status_ok(&news.status)) {
        packet_drop_fds(&p);
        l->why = "a status with impossible values";
        return -EPROTO;
    }
    news.sampler_fd = p.head.fds ? p.fds[0] : -1;
    *ret = news;
    return 0;
}

static int say(struct link *l, enum wire_type type)
{
    struct wire_result body = {0};

    return link_send(l, type, 0, &body, sizeof(body), NULL, 0, NULL, 0);
}

int front_say_ready(struct link *l)
{
    return say(l, WIRE_TELL_FRONT_READY);
}

int front_say_blame(struct link *l)
{
    return say(l, WIRE_TELL_FRONT_BLAME);
}
