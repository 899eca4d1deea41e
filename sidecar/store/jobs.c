/*
 * What libuv holds (struct running) lives apart from the queue: its last callback comes when the
 * loop turns again, which may be after the queue is gone.
 */
#include "sidecar/store/jobs.h"

#include <stdlib.h>

#include "base/magic.h"

enum { JOBS_MAGIC = 0x4a4f4253 };

struct running {
    uv_work_t uv;
    uv_sem_t done; /* posted when work() has ended */
    struct job *job;
    struct jobs *owner; /* NULL: gone */
};

struct jobs {
    unsigned magic;
    uv_loop_t *loop;
    struct running *running;
    struct job *first, **last;
    size_t waiting;
};

struct jobs *jobs_new(uv_loop_t *loop)
{
    struct jobs *js = calloc(1, sizeof(*js));

    if (!js)
        return NULL;
    js->magic = JOBS_MAGIC;
    js->loop = loop;
    js->last = &js->first;
    return js;
}

size_t jobs_open(const struct jobs *js)
{
    return js->waiting + (js->running ? 1 : 0);
}

static void begin_next(struct jobs *js);

static void in_pool(uv_work_t *w)
{
    struct running *r = w->data;

    r->job->work(r->job);
    uv_sem_post(&r->done);
}

static void in_loop(uv_work_t *w, int status)
{
    struct running *r = w->data;
    struct jobs *js = r->owner;
    struct job *j = r->job;

    uv_sem_destroy(&r->done);
    free(r);
    if (!js)
        return; /* jobs_free() has ended the job */
    MAGIC_CHECK(js, JOBS_MAGIC);
    js->running = NULL;
    j->after(j, status != 0);
    begin_next(js);
}

static struct job *take_first(struct jobs *js)
{
    struct job *j = js->first;

    if (!j)
        return NULL;
    js->first = j->next;
    if (!js->first)
        js->last = &js->first;
    js->waiting--;
    j->next = NULL;
    return j;
}

static struct running *new_running(struct jobs *js, struct job *j)
{
    struct running *r = calloc(1, sizeof(*r));

    if (!r || uv_sem_init(&r->done, 0)) {
        free(r);
        return NULL;
    }
    r->uv.data = r;
    r->owner = js;
    r->job = j;
    return r;
}

/* Without memory for it a job ends as if it were canceled: its owner knows what that means. */
static void begin_next(struct jobs *js)
{
    struct job *j;

    while (!js->running && (j = take_first(js)) != NULL) {
        struct running *r = new_running(js, j);

        if (r && j->begin)
            j->begin(j);
        if (r && uv_queue_work(js->loop, &r->uv, in_pool, in_loop) == 0) {
            js->running = r;
            return;
        }
        if (r)
            uv_sem_destroy(&r->done);
        free(r);
        j->after(j, true);
    }
}

void jobs_add(struct jobs *js, struct job *j)
{
    j->next = NULL;
    *js->last = j;
    js->last = &j->next;
    js->waiting++;
    begin_next(js);
}

/* uv_cancel(3) succeeds only while no thread has taken it. */
static void end_running(struct running *r)
{
    bool canceled = uv_cancel((uv_req_t *)&r->uv) == 0;

    if (!canceled)
        uv_sem_wait(&r->done);
    r->owner = NULL;
    r->job->after(r->job, canceled);
}

void jobs_free(struct jobs *js)
{
    struct running *r;
    struct job *j;

    if (!js)
        return;
    r = js->running;
    js->running = NULL;
    if (r)
        end_running(r);
    while ((j = take_first(js)) != NULL)
        j->after(j, true);
    js->magic = 0;
    free(js);
}
