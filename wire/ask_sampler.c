#include "wire/ask_sampler.h"

#include <errno.h>
#include <unistd.h>

void ask_sampler_open(struct link *l, int fd)
{
    link_init(l, fd, WIRE_ROLE_FRONT, WIRE_ROLE_SAMPLER);
    l->turn.state = WIRE_STATE_RUN;
}

static int ask(struct link *l, enum wire_type type, const void *body, size_t body_bytes,
               const void *tail, size_t tail_bytes, uint32_t *ret_id)
{
    uint32_t id = l->next_id;
    int r = link_send(l, type, id, body, body_bytes, tail, tail_bytes, NULL, 0);

    if (r)
        return r;
    l->next_id = id == UINT32_MAX ? 1 : id + 1;
    *ret_id = id;
    return 0;
}

int ask_sampler_about(struct link *l, uint32_t *ret_id)
{
    struct wire_none none = {0};

    return ask(l, WIRE_ASK_ABOUT, &none, sizeof(none), NULL, 0, ret_id);
}

int ask_sampler_cpu(struct link *l, const struct wire_cpu *cpu, uint32_t *ret_id)
{
    return ask(l, WIRE_ASK_CPU, cpu, sizeof(*cpu), NULL, 0, ret_id);
}

int ask_sampler_symbol(struct link *l, const uint64_t *addresses, size_t count, uint32_t *ret_id)
{
    struct wire_symbol body = {.count = (uint32_t)count};

    if (count > WIRE_SYMBOLS_MAX)
        return -E2BIG;
    return ask(l, WIRE_ASK_SYMBOL, &body, sizeof(body), addresses, count * sizeof(*addresses),
               ret_id);
}

int ask_sampler_argv(struct link *l, uint32_t *ret_id)
{
    struct wire_none none = {0};

    return ask(l, WIRE_ASK_ARGV, &none, sizeof(none), NULL, 0, ret_id);
}

int ask_sampler_runtime(struct link *l, const struct wire_runtime *want, uint32_t *ret_id)
{
    return ask(l, WIRE_ASK_RUNTIME, want, sizeof(*want), NULL, 0, ret_id);
}

int ask_sampler_stats(struct link *l, uint32_t *ret_id)
{
    struct wire_none none = {0};

    return ask(l, WIRE_ASK_STATS, &none, sizeof(none), NULL, 0, ret_id);
}

int ask_sampler_cancel(struct link *l, uint32_t id)
{
    struct wire_cancel body = {0};

    return link_send(l, WIRE_ASK_CANCEL, id, &body, sizeof(body), NULL, 0, NULL, 0);
}

int ask_sampler_finish(struct link *l, uint32_t id)
{
    struct wire_cancel body = {.finish = 1};

    return link_send(l, WIRE_ASK_CANCEL, id, &body, sizeof(body), NULL, 0, NULL, 0);
}

/* Is every field of the answer one that a sampler of ours can send? */
static bool answer_ok(const struct ask_sampler_answer *a)
{
    const struct wire_about *about = &a->body.about;
    const struct wire_profile *cpu = &a->body.cpu;

    switch ((int)a->type) {
    case WIRE_ANS_ABOUT:
        return about->result <= 0 && a->fd < 0 &&
               codec_text_ok(about->language, sizeof(about->language)) &&
               codec_text_ok(about->version, sizeof(about->version)) &&
               codec_text_ok(about->build_id, sizeof(about->build_id)) &&
               codec_text_ok(about->note, sizeof(about->note));
    case WIRE_ANS_CPU:
        return cpu->result <= 0 && (cpu->result == 0) == (a->fd >= 0) &&
               cpu->ended <= WIRE_ENDED_LIMIT && cpu->mode <= WIRE_MODE_RESTRICTED &&
               cpu->source < WIRE_SOURCES && cpu->hz <= WIRE_HZ_MAX &&
               codec_text_ok(cpu->text, sizeof(cpu->text));
    case WIRE_ANS_RUNTIME:
        return a->body.runtime.result <= 0 && (a->body.runtime.result == 0) == (a->fd >= 0) &&
               a->body.runtime.mode <= WIRE_MODE_RESTRICTED &&
               codec_text_ok(a->body.runtime.text, sizeof(a->body.runtime.text));
    case WIRE_ANS_STATS:
        return a->body.stats.result <= 0 && a->body.stats.count <= WIRE_STATS_MAX &&
               codec_text_ok(a->body.stats.text, sizeof(a->body.stats.text));
    default:
        return a->body.said.result <= 0 && (a->body.said.result == 0) == (a->fd >= 0) &&
               codec_text_ok(a->body.said.text, sizeof(a->body.said.text));
    }
}

int ask_sampler_next(struct link *l, int timeout_ms, struct ask_sampler_answer *ret)
{
    struct ask_sampler_answer a = {0};
    struct packet p;
    int r = link_recv(l, timeout_ms, &p);

    if (r)
        return r;
    a.type = (enum wire_type)p.head.type;
    a.id = p.head.id;
    a.fd = p.head.fds ? p.fds[0] : -1;
    memcpy(&a.body, p.body, p.head.bytes); /* the table bounds it by the body's size */
    if (!answer_ok(&a)) {
        packet_drop_fds(&p);
        l->why = "an answer with impossible values";
        return -EPROTO;
    }
    *ret = a;
    return 0;
}
