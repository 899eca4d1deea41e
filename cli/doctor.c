/*
 * `pillion doctor`: a guard of our own tries every call on the target, and a sampler of our own
 * reads each profile of its runtime once; what they say is shown. Nothing is concluded from
 * settings that could be tried.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <unistd.h>

#include "cli/guarded.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "wire/codec.h"

enum {
    DOCTOR_OUT_MAX_BYTES = 256 * 1024,
    DOCTOR_HOST_ROWS = 2, /* those at the top that ask nothing of a target */
};

static const struct {
    const char *name;
    enum rights_want want;
    uint32_t kind;
} kinds[DOCTOR_ROWS] = {
    {"cpu", RIGHTS_CPU, 0},
    {"cpu, kernel frames", RIGHTS_KERNEL, 0},
    {"goroutine", RIGHTS_RUNTIME, WIRE_RUNTIME_GOROUTINE},
    {"heap", RIGHTS_RUNTIME, WIRE_RUNTIME_HEAP},
    {"allocs", RIGHTS_RUNTIME, WIRE_RUNTIME_ALLOCS},
    {"block", RIGHTS_RUNTIME, WIRE_RUNTIME_BLOCK},
    {"mutex", RIGHTS_RUNTIME, WIRE_RUNTIME_MUTEX},
    {"threadcreate", RIGHTS_RUNTIME, WIRE_RUNTIME_THREADCREATE},
    {"wall", RIGHTS_WALL, 0},
    {"cpu by ptrace", RIGHTS_PTRACE, 0},
};

static int parse(int argc, char **argv, struct options_target *target, bool *ret_json,
                 struct err *e)
{
    int used;

    for (int i = 1; i < argc; i += used) {
        used = 1;
        if (strcmp(argv[i], "--json") == 0)
            *ret_json = true;
        else
            used = options_target(target, argc, argv, i, e);
        if (used < 0)
            return used;
    }
    return 0;
}

/* The right is there; whether the program has such a profile is known by reading it. */
static int try_runtime(struct guarded *g, struct doctor_row *row, struct err *e)
{
    const struct wire_runtime want = {.kind = row->kind, .form = WIRE_RUNTIME_PPROF};
    struct ask_sampler_answer answer;
    int r = guarded_ready(g, e); /* a sampler that died is there again */

    if (r)
        return r;
    r = guarded_runtime(g, &want, &answer, e);
    if (r == 0)
        (void)close(answer.fd);
    row->can = r == 0;
    if (r)
        codec_text(row->reason, sizeof(row->reason), e->text);
    return r == -EINTR ? r : 0;
}

static int fill(struct doctor *d, struct guarded *g, struct err *e)
{
    d->rows = d->target ? DOCTOR_ROWS : DOCTOR_HOST_ROWS;
    for (size_t i = 0; i < d->rows; i++) {
        struct doctor_row *row = &d->row[i];
        int r = 0;

        row->name = kinds[i].name;
        row->want = kinds[i].want;
        row->kind = kinds[i].kind;
        row->can = rights_can(d->facts, row->want);
        if (row->can && row->want == RIGHTS_RUNTIME)
            r = try_runtime(g, row, e);
        if (row->can && row->want == RIGHTS_PTRACE)
            codec_text(row->reason, sizeof(row->reason),
                       "where perf is refused and the file has `target: {unsafe: "
                       "{ptrace_sampling: true}}`");
        if (r)
            return r;
    }
    return 0;
}

/* 0, or why nothing can be said. No target is an answer, where none was named. */
static int look(struct guarded *g, bool named, struct doctor *d, struct err *e)
{
    int r = guarded_ready(g, e);

    if (r == -ESRCH && !named && g->heard_facts)
        d->without = g->status.target.reason;
    else if (r)
        return r;
    else if (!g->heard_facts || g->facts.generation != g->status.target.generation)
        return err_set(e, -EPROTO, "pillion-guard did not say what it found");
    else
        d->target = &g->status.target;
    d->facts = &g->facts;
    return fill(d, g, e);
}

static int print(const struct doctor *d, bool json, struct err *e)
{
    struct output output = {.fd = -1, .borrowed = true};
    struct buf out;
    int r;

    buf_init(&out, DOCTOR_OUT_MAX_BYTES);
    if (json)
        doctor_json(d, &out);
    else
        doctor_text(d, &out);
    r = out.failed ? err_set(e, -ENOMEM, "no memory") : output_open(&output, "-", e);
    if (r == 0)
        r = output_write(&output, out.data, out.len, e);
    output_close(&output);
    buf_release(&out);
    return r;
}

int cli_doctor(int argc, char **argv)
{
    struct options_target target = {0};
    struct doctor d = {0};
    struct guarded guarded;
    struct err e = {0};
    bool json = false;
    int r = parse(argc, argv, &target, &json, &e);

    if (r)
        return cli_fail(CLI_CANNOT, "%s", e.text);
    r = guarded_look(&guarded, target.args, &e);
    if (r == 0)
        r = look(&guarded, target.args[0] != NULL, &d, &e);
    if (r == 0)
        r = print(&d, json, &e);
    guarded_stop(&guarded);
    if (r == 0 && cli_flush() == CLI_DONE)
        return doctor_lacks(&d) ? CLI_NO : CLI_DONE;
    /* an empty text: the guard has said why, and one line is enough */
    return e.text[0] ? cli_fail(CLI_CANNOT, "%s", e.text) : CLI_CANNOT;
}
