/* The front's questions, one function each. */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <unistd.h>

#include "base/bulk.h"
#include "base/log.h"
#include "sampler/runtime_serve.h"
#include "sampler/sampler.h"
#include "wire/codec.h"

static int free_slot(const struct sampler *s)
{
    for (int i = 0; i < WIRE_PERF_SLOTS; i++) {
        if (!s->recordings[i])
            return i;
    }
    return -1;
}

static int refuse_cpu(struct sampler *s, uint32_t id, int result, const char *text)
{
    struct wire_profile p = {.result = result, .mode = s->guard.target.mode};

    codec_text(p.text, sizeof(p.text), text);
    return answer_sampler_cpu(&s->front, id, &p, -1);
}

/* Why this target cannot be sampled so, 0: it can. */
static int lacks_right(const struct wire_target *t, bool wall)
{
    int why = wall ? t->memory_errno : t->perf_errno;

    if (t->state != WIRE_TARGET_UP || (wall && (t->rights & WIRE_RIGHT_MEMORY)) ||
        (!wall && (t->rights & (uint32_t)(WIRE_RIGHT_PERF | WIRE_RIGHT_STOPS))))
        return 0;
    return why ? why : -EACCES;
}

/* What the kernel refuses is known before anything is opened, and said with its remedy. */
static int on_cpu(struct sampler *s)
{
    const struct wire_target *t = &s->guard.target;
    struct err e = {0};
    int slot = free_slot(s);
    int r = lacks_right(t, s->question.cpu.flags & WIRE_CPU_WALL);

    if (slot < 0)
        return refuse_cpu(s, s->question.id, -EBUSY, "four CPU profiles are running already");
    if (r)
        return refuse_cpu(s, s->question.id, r, t->reason);
    r = scene_ready(s, &e);
    if (r == 0)
        r = recording_start(&s->scene, &s->family, (uint32_t)slot, s->question.id, &s->question.cpu,
                            &s->recordings[slot], &e);
    if (r)
        return refuse_cpu(s, s->question.id, r, e.text);
    return 0;
}

static int answer_recording(struct sampler *s, size_t slot)
{
    struct recording *r = s->recordings[slot];
    struct wire_profile profile;
    int fd;
    int rc;

    if (r->ended == WIRE_ENDED_CANCEL) {
        rc = refuse_cpu(s, r->id, -ECANCELED, "cancelled");
    } else {
        recording_profile(r, &profile, &fd);
        rc = answer_sampler_cpu(&s->front, r->id, &profile, fd);
        if (fd >= 0)
            (void)close(fd);
    }
    if (r->ended == WIRE_ENDED_EXEC) /* the next profile is of another program */
        s->scene.anchor.inode = 0;
    recording_free(r);
    s->recordings[slot] = NULL;
    scene_trim(s);
    (void)malloc_trim(0); /* between profiles we are small again */
    return rc;
}

static int on_cancel(struct sampler *s)
{
    for (size_t i = 0; i < WIRE_PERF_SLOTS; i++) {
        struct recording *r = s->recordings[i];

        if (!r || r->id != s->question.id)
            continue;
        recording_finish(r, s->question.finish ? WIRE_ENDED_TIME : WIRE_ENDED_CANCEL);
        return answer_recording(s, i);
    }
    return 0; /* the answer crossed it on the way */
}

static int on_about(struct sampler *s)
{
    struct wire_about about = {0};
    struct err e = {0};

    about.result = scene_ready(s, &e);
    if (about.result == 0) {
        struct go_image *go = space_go(s->scene.space);

        codec_text(about.language, sizeof(about.language), go ? "go" : "native");
        codec_text(about.version, sizeof(about.version), go ? go_image_version(go) : "");
        codec_text(about.build_id, sizeof(about.build_id), space_build_id(s->scene.space));
        codec_text(about.note, sizeof(about.note), space_note(s->scene.space));
        scene_trim(s);
    } else {
        codec_text(about.note, sizeof(about.note), e.text);
    }
    about.generation = s->scene.generation;
    return answer_sampler_about(&s->front, s->question.id, &about);
}

static int said(struct sampler *s, enum wire_type type, int result, const char *text,
                const struct buf *out)
{
    int fd = -1;
    int r;

    if (result == 0) {
        fd = bulk_make(out->data, out->len);
        if (fd < 0) {
            result = fd;
            text = "no memory for the answer";
            fd = -1;
        }
    }
    r = answer_sampler_said(&s->front, type, s->question.id, result, text, fd);
    if (fd >= 0)
        (void)close(fd);
    return r;
}

static int on_symbol(struct sampler *s)
{
    struct frames *frames = calloc(1, sizeof(*frames));
    struct err e = {0};
    struct buf out;
    int r;

    buf_init(&out, WIRE_BYTES_MAX_BYTES);
    if (!frames)
        return said(s, WIRE_ANS_SYMBOL, -ENOMEM, "no memory for symbols", &out);
    r = scene_ready(s, &e);
    for (uint32_t i = 0; i < s->question.count && r == 0; i++) {
        uint64_t address = s->question.addresses[i];

        if (space_frames(s->scene.space, address, frames) != 0 || frames->count == 0)
            continue; /* as net/http/pprof: unknown addresses are left out */
        buf_printf(&out, "%#llx %s\n", (unsigned long long)address, frames->frame[0].name);
    }
    if (r == 0 && out.failed)
        r = err_set(&e, -E2BIG, "the names are too long for one answer");
    scene_trim(s);
    r = said(s, WIRE_ANS_SYMBOL, r, e.text, &out);
    buf_release(&out);
    free(frames);
    return r;
}

static int on_argv(struct sampler *s)
{
    int fd = -1;
    int r;

    if (s->guard.target.state != WIRE_TARGET_UP)
        return answer_sampler_said(&s->front, WIRE_ANS_ARGV, s->question.id, -ESRCH,
                                   s->guard.target.reason, -1);
    r = ask_guard_cmdline(&s->guard, s->guard.target.generation, &fd);
    r = answer_sampler_said(&s->front, WIRE_ANS_ARGV, s->question.id, r,
                            r ? "the command line cannot be read" : "", r ? -1 : fd);
    if (fd >= 0)
        (void)close(fd);
    return r;
}

bool sampler_hear(struct sampler *s, uint32_t id)
{
    while (s->waiting_count < SAMPLER_WAITING_MAX) {
        struct answer_sampler_question *q = &s->waiting[s->waiting_count];
        int r = answer_sampler_next(&s->front, q);

        if (r == -EAGAIN)
            return false;
        if (r) /* gone or broken: seen again, and answered, when this question is done */
            return true;
        if (q->type == WIRE_ASK_CANCEL && q->id == id)
            return true;
        s->waiting_count++;
    }
    return false;
}

/* The next question: one that waited, or one from the link. */
static int next_question(struct sampler *s)
{
    if (s->waiting_count == 0)
        return answer_sampler_next(&s->front, &s->question);
    s->question = s->waiting[0];
    s->waiting_count--;
    memmove(&s->waiting[0], &s->waiting[1], s->waiting_count * sizeof(s->waiting[0]));
    return 0;
}

int serve_front(struct sampler *s)
{
    int r = next_question(s);

    if (r)
        return r;
    switch ((int)s->question.type) {
    case WIRE_ASK_CPU:
        return on_cpu(s);
    case WIRE_ASK_CANCEL:
        return on_cancel(s);
    case WIRE_ASK_RUNTIME:
        return runtime_serve_profile(s);
    case WIRE_ASK_STATS:
        return runtime_serve_stats(s);
    case WIRE_ASK_ABOUT:
        return on_about(s);
    case WIRE_ASK_SYMBOL:
        return on_symbol(s);
    case WIRE_ASK_ARGV:
        return on_argv(s);
    default:
        s->front.why = "no question";
        return -EPROTO;
    }
}

int serve_recordings(struct sampler *s)
{
    for (size_t i = 0; i < WIRE_PERF_SLOTS; i++) {
        struct recording *r = s->recordings[i];
        int rc;

        if (!r)
            continue;
        rc = recording_run(r);
        if (rc)
            return rc;
        if (s->guard.target.generation != s->source.generation ||
            s->guard.target.state != WIRE_TARGET_UP)
            recording_finish(r, WIRE_ENDED_EXIT);
        if (r->over) {
            rc = answer_recording(s, i);
            if (rc)
                return rc;
        }
    }
    return 0;
}
