/*
 * One request, one session of session.c, one question of peers.c. All three begin together and end
 * together in end(), whichever comes first: the answer, the client's leaving, the sampler's death.
 *
 * Compressing happens on the loop: at zlib's fastest level a usual profile (some 100 KB) takes a
 * few milliseconds, and a thread would need a pool that the sandbox does not allow.
 */
#include "sidecar/routes/cpu.h"

#include <errno.h>
#include <inttypes.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "base/magic.h"
#include "profile/gzip.h"
#include "sidecar/routes/params.h"
#include "sidecar/routes/through.h"
#include "wire/codec.h"

enum {
    CRASH_RETRY_MS = 2000, /* the guard restarts a dead sampler within about a second */
    TARGET_RETRY_MS = 5000,
    SHORT_MS = 100, /* a window is never exact */
    /* A gzip member is never larger than its input by more than a few bytes in each 16 KiB. */
    BODY_MAX_BYTES = WIRE_PROFILE_MAX_BYTES + WIRE_PROFILE_MAX_BYTES / 1024 + 1024,
};

/* /debug/pprof/profile, or /debug/pprof/wall and /debug/fgprof. */
static enum session_kind kind_of(const struct visit *v)
{
    return v->route && strcmp(v->route->name, "profile") == 0 ? SESSION_CPU : SESSION_WALL;
}

/* Gives the session back and counts how it went; afterwards the request is like any other. */
static void end(struct visit *v, enum session_end how, uint64_t incident,
                enum metrics_result result)
{
    session_end(&v->state->session, v->ticket, how, incident, v->state->status.target.generation);
    metrics_profile(&v->state->metrics, kind_of(v), result);
    v->ticket = 0;
    v->question = 0;
    v->left = NULL;
}

/* The client went away: nobody wants the profile, and the next one may start. */
static void client_left(struct visit *v)
{
    peers_forget(v->state->peers, v->question);
    end(v, SESSION_LEFT, 0, METRICS_CANCELED);
}

/* Go's file name: `curl -OJ` and browsers save under it. */
static void file_headers(struct visit *v)
{
    server_headerf(v->request, "Content-Disposition", "attachment; filename=\"%s\"",
                   kind_of(v) == SESSION_CPU ? "profile" : "wall");
}

/* The sampler's refusals as statuses; its text says why. */
static void refused(struct visit *v, const struct wire_profile *p)
{
    char why[STATE_WHY_BYTES];
    const char *text = p->text[0] ? p->text : uv_strerror(p->result);

    switch (-p->result) {
    case ESRCH:
    case ESTALE:
        (void)snprintf(why, sizeof(why), "no target yet: %s", text);
        visit_retry(v, 503, TARGET_RETRY_MS, why);
        return;
    case EPERM:
    case EACCES:
    case ENOTSUP:
    case ENOSYS:
        visit_refuse(v, 501, text);
        return;
    case EBUSY:
        v->state->metrics.rate_limited++;
        visit_retry(v, 429, 1000, "a profile is already running");
        return;
    default:
        (void)snprintf(why, sizeof(why), "the profile could not be taken: %s", text);
        visit_retry(v, 503, CRASH_RETRY_MS, why);
    }
}

/*
 * Why it is shorter than what was granted, NULL when it is not. When we shut down the sampler was
 * asked to finish, which it may not tell from the end of the time.
 */
static const char *ended_early(const struct visit *v, const struct wire_profile *p)
{
    static const char *const names[] = {
        [WIRE_ENDED_TIME] = NULL,          [WIRE_ENDED_EXIT] = "target-exit",
        [WIRE_ENDED_EXEC] = "target-exec", [WIRE_ENDED_CANCEL] = "shutdown",
        [WIRE_ENDED_LIMIT] = "limit",
    };
    uint64_t done_ns = p->duration_ns + SHORT_MS * CLOCK_NS_PER_MS;

    if (p->ended > WIRE_ENDED_LIMIT)
        return "limit";
    if (p->ended == WIRE_ENDED_TIME && v->state->draining &&
        done_ns < v->granted_seconds * CLOCK_NS_PER_SEC)
        return "shutdown";
    return names[p->ended];
}

/* No Content-Encoding: the gzip is the file format, and a client that undid it would break it. */
static void serve(struct visit *v, const struct wire_profile *p, struct buf *body)
{
    const char *early = ended_early(v, p);
    struct metrics *m = &v->state->metrics;

    file_headers(v);
    server_headerf(v->request, "Pillion-Seconds", "%.3f",
                   (double)p->duration_ns / (double)CLOCK_NS_PER_SEC);
    server_header(v->request, "Pillion-Mode", codec_mode_name(p->mode));
    server_headerf(v->request, "Pillion-Samples", "%" PRIu64, p->samples);
    server_headerf(v->request, "Pillion-Lost", "%" PRIu64, p->lost);
    server_headerf(v->request, "Pillion-Hz", "%" PRIu32, p->hz);
    if (p->source == WIRE_SOURCE_STOPS)
        server_header(v->request, "Pillion-Source", "ptrace");
    if (early)
        server_header(v->request, "Pillion-Ended", early);
    m->samples += p->samples;
    m->samples_lost += p->lost;
    end(v, SESSION_DONE, 0, early ? METRICS_PARTIAL : METRICS_OK);
    visit_answer(v, 200, "application/octet-stream", body);
}

/* No right to sample: the target's own endpoint can still do it. The session goes on. */
static void go_through(struct visit *v, uint32_t seconds)
{
    v->question = 0;
    v->left = NULL;
    through_begin(v, &(struct through_plan){
                         .name = "profile", .kind = SESSION_CPU, .ms = (uint64_t)seconds * 1000});
}

static bool lacks_right(int result)
{
    return result == -EPERM || result == -EACCES || result == -ENOTSUP || result == -ENOSYS;
}

/* The sampler has answered: compress what came, exactly once. */
static void answered(struct visit *v, const struct ask_sampler_answer *answer)
{
    const struct wire_profile *p = &answer->body.cpu;
    struct bulk bulk = {0};
    struct buf body;
    int r;

    if (lacks_right(p->result) && kind_of(v) == SESSION_CPU && through_there(v->state)) {
        go_through(v, (uint32_t)v->granted_seconds);
        return;
    }
    if (p->result) {
        end(v, SESSION_FAILED, 0, METRICS_FAILED);
        refused(v, p);
        return;
    }
    buf_init(&body, BODY_MAX_BYTES);
    r = bulk_map(answer->fd, WIRE_PROFILE_MAX_BYTES, &bulk);
    if (r == 0)
        r = gzip_pack(bulk.data, bulk.bytes, &body);
    bulk_release(&bulk);
    if (r == 0 && !body.failed) {
        serve(v, p, &body);
        return;
    }
    buf_release(&body);
    end(v, SESSION_FAILED, 0, METRICS_FAILED);
    visit_retry(v, 503, CRASH_RETRY_MS, "the profile could not be compressed: out of memory");
}

/* The one callback of the question; after client_left() it is never called. */
static void came(void *data, const struct peers_answer *a)
{
    struct visit *v = data;

    MAGIC_CHECK(v, VISIT_MAGIC);
    switch (a->fate) {
    case PEERS_ANSWERED:
        answered(v, a->answer);
        return;
    case PEERS_DIED:
        end(v, SESSION_CRASHED, a->incident, METRICS_CRASHED);
        break;
    case PEERS_OVERDUE:
        end(v, SESSION_FAILED, 0, METRICS_FAILED);
        break;
    }
    visit_retry(v, 503, CRASH_RETRY_MS, a->why);
}

/* May this identity sample now? Answers and returns false when not. */
static bool admitted(struct visit *v, const struct params_cpu *params)
{
    const struct session_ask ask = {
        .kind = kind_of(v),
        .identity = v->who.name,
        .duration_ms = (uint64_t)params->seconds * 1000,
        .now_ms = clock_mono_ns() / CLOCK_NS_PER_MS,
        .generation = v->state->status.target.generation,
    };
    uint64_t wait_ms = 0;

    switch (session_begin(&v->state->session, &ask, &v->ticket, &wait_ms)) {
    case SESSION_GO:
        return true;
    case SESSION_BUSY:
        v->state->metrics.rate_limited++;
        visit_retry(v, 429, wait_ms, "a profile is already running");
        return false;
    case SESSION_SOON:
        v->state->metrics.rate_limited++;
        visit_retry(v, 429, wait_ms,
                    "a profile of this kind was taken less than limits.min_interval ago");
        return false;
    case SESSION_BROKEN:
        break;
    }
    visit_retry(v, 503, TARGET_RETRY_MS,
                "the sampler crashed three times in a row on this kind of profile: it is not tried "
                "again until the target restarts or the configuration is reloaded (SIGHUP)");
    return false;
}

static void put_question(struct visit *v, const struct params_cpu *params)
{
    const struct wire_cpu ask = {
        .duration_ms = params->seconds * 1000,
        .hz = params->hz,
        .flags = (params->labels ? WIRE_CPU_LABELS : 0U) | (params->kernel ? WIRE_CPU_KERNEL : 0U) |
                 (kind_of(v) == SESSION_WALL ? WIRE_CPU_WALL : 0U),
    };
    int r = peers_cpu(v->state->peers, &ask, came, v, &v->question);

    if (r) {
        end(v, SESSION_FAILED, 0, METRICS_FAILED);
        visit_unasked(v, r);
        return;
    }
    v->granted_seconds = params->seconds;
    v->left = client_left;
}

/*
 * Parameters first: they are wrong whatever the target does, and HEAD is to tell. Then what cannot
 * be had at all, and only then the session, which takes a slot and starts an interval.
 */
void cpu_handle(struct visit *v)
{
    const struct config *c = v->state->config;
    bool wall = kind_of(v) == SESSION_WALL;
    struct params_cpu params;
    struct err e;
    char why[STATE_WHY_BYTES];
    unsigned status;

    if (params_cpu(v->request->query, c, wall ? STATE_WALL_HZ : STATE_DEFAULT_HZ, &params, &e)) {
        visit_refuse(v, 400, e.text);
        return;
    }
    v->asked_seconds = params.asked_seconds;
    if (v->request->method == SERVER_HEAD) {
        file_headers(v);
        server_answer(v->request, 200, "application/octet-stream", NULL);
        return;
    }
    status = wall ? state_refuses_wall(v->state, why) : state_refuses_cpu(v->state, why);
    if (status && (wall || status != 501 || !through_there(v->state))) {
        visit_refuse(v, status, why);
        return;
    }
    if (!admitted(v, &params))
        return;
    if (status)
        go_through(v, params.seconds);
    else
        put_question(v, &params);
}
