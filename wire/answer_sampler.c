#include "wire/answer_sampler.h"

#include <errno.h>

void answer_sampler_open(struct link *l, int fd)
{
    link_init(l, fd, WIRE_ROLE_SAMPLER, WIRE_ROLE_FRONT);
    l->turn.state = WIRE_STATE_RUN;
}

static int broken(struct link *l, const char *why)
{
    l->why = why;
    return -EPROTO;
}

int answer_sampler_next(struct link *l, struct answer_sampler_question *ret)
{
    struct wire_symbol symbol;
    struct packet p;
    int r = link_recv(l, 0, &p);

    if (r)
        return r;
    ret->type = (enum wire_type)p.head.type;
    ret->id = p.head.id;
    ret->count = 0;
    ret->finish = 0;
    if (p.head.type == WIRE_ASK_CPU) {
        memcpy(&ret->cpu, p.body, sizeof(ret->cpu));
        if (ret->cpu.hz < 1 || ret->cpu.hz > WIRE_HZ_MAX || ret->cpu.duration_ms < 1 ||
            ret->cpu.duration_ms > WIRE_SECONDS_MAX * 1000u ||
            (ret->cpu.flags & ~(uint32_t)(WIRE_CPU_LABELS | WIRE_CPU_KERNEL | WIRE_CPU_WALL)) ||
            ret->cpu.zero)
            return broken(l, "a CPU profile with impossible values");
    } else if (p.head.type == WIRE_ASK_CANCEL) {
        struct wire_cancel cancel;

        memcpy(&cancel, p.body, sizeof(cancel));
        if (cancel.finish > 1 || cancel.zero)
            return broken(l, "a cancel with impossible values");
        ret->finish = cancel.finish;
    } else if (p.head.type == WIRE_ASK_RUNTIME) {
        const struct wire_runtime *q = &ret->runtime;

        memcpy(&ret->runtime, p.body, sizeof(ret->runtime));
        if (q->kind >= WIRE_RUNTIME_KINDS || q->form >= WIRE_RUNTIME_FORMS ||
            (q->form == WIRE_RUNTIME_STACKS && q->kind != WIRE_RUNTIME_GOROUTINE) ||
            (q->flags & ~(uint32_t)(WIRE_RUNTIME_DETAIL | WIRE_RUNTIME_GROUPS)) || q->zero)
            return broken(l, "a runtime profile with impossible values");
    } else if (p.head.type == WIRE_ASK_SYMBOL) {
        memcpy(&symbol, p.body, sizeof(symbol));
        if (symbol.count > WIRE_SYMBOLS_MAX ||
            p.head.bytes != sizeof(symbol) + symbol.count * sizeof(uint64_t))
            return broken(l, "a count that does not fit the length");
        ret->count = symbol.count;
        memcpy(ret->addresses, p.body + sizeof(symbol), symbol.count * sizeof(uint64_t));
    }
    return 0;
}

/* A front that does not read its answers must not hold us up: it is as broken as one that lies. */
static int sent(struct link *l, int r)
{
    return r == -EAGAIN ? broken(l, "does not read its answers") : r;
}

int answer_sampler_about(struct link *l, uint32_t id, const struct wire_about *about)
{
    struct wire_about clean = *about;

    codec_text(clean.language, sizeof(clean.language), about->language);
    codec_text(clean.version, sizeof(clean.version), about->version);
    codec_text(clean.build_id, sizeof(clean.build_id), about->build_id);
    codec_text(clean.note, sizeof(clean.note), about->note);
    return sent(l, link_send(l, WIRE_ANS_ABOUT, id, &clean, sizeof(clean), NULL, 0, NULL, 0));
}

/* It is there, but cannot be handed over (link.h): rather say so than end for it. */
#define CROWDED "the kernel lets this user pass no more descriptors for now: try again"

int answer_sampler_cpu(struct link *l, uint32_t id, const struct wire_profile *profile, int fd)
{
    struct wire_profile clean = *profile;
    int r;

    codec_text(clean.text, sizeof(clean.text), profile->text);
    r = link_send(l, WIRE_ANS_CPU, id, &clean, sizeof(clean), NULL, 0, &fd, fd >= 0);
    if (r == -ETOOMANYREFS && fd >= 0) {
        clean = (struct wire_profile){.result = -ETOOMANYREFS, .mode = profile->mode};
        codec_text(clean.text, sizeof(clean.text), CROWDED);
        return answer_sampler_cpu(l, id, &clean, -1);
    }
    return sent(l, r);
}

int answer_sampler_said(struct link *l, enum wire_type type, uint32_t id, int result,
                        const char *text, int fd)
{
    struct wire_said said = {.result = result};
    int r;

    codec_text(said.text, sizeof(said.text), text);
    r = link_send(l, type, id, &said, sizeof(said), NULL, 0, &fd, fd >= 0);
    if (r == -ETOOMANYREFS && fd >= 0)
        return answer_sampler_said(l, type, id, -ETOOMANYREFS, CROWDED, -1);
    return sent(l, r);
}

int answer_sampler_runtime(struct link *l, uint32_t id, const struct wire_runtime_read *read,
                           int fd)
{
    struct wire_runtime_read clean = *read;
    int r;

    codec_text(clean.text, sizeof(clean.text), read->text);
    r = link_send(l, WIRE_ANS_RUNTIME, id, &clean, sizeof(clean), NULL, 0, &fd, fd >= 0);
    if (r == -ETOOMANYREFS && fd >= 0) {
        clean = (struct wire_runtime_read){.result = -ETOOMANYREFS};
        codec_text(clean.text, sizeof(clean.text), CROWDED);
        return answer_sampler_runtime(l, id, &clean, -1);
    }
    return sent(l, r);
}

int answer_sampler_stats(struct link *l, uint32_t id, const struct wire_stats *stats)
{
    struct wire_stats clean = *stats;

    codec_text(clean.text, sizeof(clean.text), stats->text);
    return sent(l, link_send(l, WIRE_ANS_STATS, id, &clean, sizeof(clean), NULL, 0, NULL, 0));
}
