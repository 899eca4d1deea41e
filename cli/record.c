/*
 * `pillion record`: one profile into a file, by a guard and a sampler of our own.
 */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/bulk.h"
#include "base/num.h"
#include "cli/guarded.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/render.h"
#include "cli/verbs.h"

enum {
    RECORD_NAME_BYTES = 128,
    RECORD_WALL_HZ = 20,                      /* threads that wait change slowly */
    RECORD_OUT_MAX_BYTES = 512 * 1024 * 1024, /* text of the largest profile */
};

struct record {
    bool wall;
    bool hz_given;
    const char *output; /* NULL: named after the target */
    const struct render *format;
    struct wire_cpu cpu;
    struct options_target target;
    char name[RECORD_NAME_BYTES]; /* of a file named by us */
};

/*
 * Order of work: check the arguments, start the guard, wait for the target, open the file, record,
 * write. The file is opened before the recording, so that a bad path costs no ten seconds.
 */
/* heap, goroutine and the others have routes of their own, and `pillion dump`. */
static int set_type(struct record *r, const char *value, struct err *e)
{
    r->wall = strcmp(value, "wall") == 0;
    if (r->wall || strcmp(value, "cpu") == 0)
        return 0;
    return err_set(e, -EINVAL, "--type takes cpu or wall");
}

static int set_number(const char *value, uint64_t max, const char *what, uint64_t *ret,
                      struct err *e)
{
    if (num_u64(value, strlen(value), 10, max, ret) == 0 && *ret > 0)
        return 0;
    return err_set(e, -EINVAL, "%s takes a number from 1 to %" PRIu64, what, max);
}

/* Whole seconds, as the endpoint takes them. */
static int set_seconds(struct record *r, const char *value, struct err *e)
{
    uint64_t seconds;
    int rc = set_number(value, WIRE_SECONDS_MAX, "--seconds", &seconds, e);

    if (rc == 0)
        r->cpu.duration_ms = (uint32_t)seconds * 1000;
    return rc;
}

static int set_hz(struct record *r, const char *value, struct err *e)
{
    uint64_t hz;
    int rc = set_number(value, WIRE_HZ_MAX, "--hz", &hz, e);

    if (rc == 0)
        r->cpu.hz = (uint32_t)hz;
    r->hz_given = true;
    return rc;
}

static int set_output(struct record *r, const char *value, struct err *e)
{
    /* an empty one is mostly an unset variable of a script */
    if (!value[0])
        return err_set(e, -EINVAL, "-o needs a file name, or - for standard output");
    r->output = value;
    return 0;
}

static int set_format(struct record *r, const char *value, struct err *e)
{
    r->format = render_find(value);
    if (!r->format)
        return err_set(e, -EINVAL, "--format takes one of %s", render_names());
    return 0;
}

static const struct {
    const char *name;
    int (*set)(struct record *r, const char *value, struct err *e);
} options[] = {
    {"--type", set_type}, {"--seconds", set_seconds}, {"--hz", set_hz},
    {"-o", set_output},   {"--output", set_output},   {"--format", set_format},
};

/* One of our own options: the arguments it used, 0 when it is none, or -errno. */
static int own_option(struct record *r, int argc, char **argv, int i, struct err *e)
{
    for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
        const char *value = "";
        int used = options_value(argc, argv, i, options[k].name, &value);
        int rc;

        if (used == 0)
            continue;
        if (used < 0)
            return err_set(e, used, "%s needs a value", options[k].name);
        rc = options[k].set(r, value, e);
        return rc ? rc : used;
    }
    return 0;
}

static int parse(struct record *r, int argc, char **argv, struct err *e)
{
    int used = 0;

    *r = (struct record){.format = render_find("pprof")};
    r->cpu = (struct wire_cpu){
        .duration_ms = 10000, .hz = 100, .flags = WIRE_CPU_LABELS | WIRE_CPU_KERNEL};
    for (int i = 1; i < argc && used >= 0; i += used) {
        used = own_option(r, argc, argv, i, e);
        if (used == 0)
            used = options_all(&r->target, argv, i);
        if (used == 0)
            used = options_ptrace(&r->target, argv[i]);
        if (used == 0)
            used = options_target(&r->target, argc, argv, i, e);
    }
    if (used < 0)
        return used;
    if (r->wall)
        r->cpu.flags |= WIRE_CPU_WALL;
    if (r->wall && !r->hz_given)
        r->cpu.hz = RECORD_WALL_HZ;
    /* gzip(1) refuses this too: a screen full of bytes helps nobody */
    if (r->output && strcmp(r->output, "-") == 0 && r->format->binary && isatty(STDOUT_FILENO))
        return err_set(e, -EINVAL, "a pprof profile is not for a terminal; name a file with -o");
    return 0;
}

/* pillion.cpu.server.pb.gz; what is no safe character of a file name becomes '_'. */
/* The name is the target's own choice: a slash or a leading dot in it must stay harmless. */
static const char *file_name(struct record *r, const struct wire_target *t)
{
    char who[WIRE_NAME_BYTES];

    if (t->name[0])
        (void)snprintf(who, sizeof(who), "%s", t->name);
    else
        (void)snprintf(who, sizeof(who), "%" PRIu32, t->pid);
    for (char *p = who; *p; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              *p == '-' || *p == '_' || (*p == '.' && p != who)))
            *p = '_';
    }
    (void)snprintf(r->name, sizeof(r->name), "pillion.%s.%s%s", r->wall ? "wall" : "cpu", who,
                   r->format->extension);
    return r->name;
}

/* The bulk is mapped only after its seals were checked; nobody can change it under the decoder. */
static int write_profile(const struct record *r, struct output *o, int fd, const char *name,
                         struct err *e)
{
    struct bulk bulk = {0};
    struct buf out;
    int rc = bulk_map(fd, WIRE_PROFILE_MAX_BYTES, &bulk);

    if (rc)
        return err_set(e, rc, "the sampler's profile cannot be read: %s", strerror(-rc));
    buf_init(&out, RECORD_OUT_MAX_BYTES);
    rc = render_profile(r->format, name, bulk.data, bulk.bytes, &out, e);
    if (rc == 0)
        rc = output_write(o, out.data, out.len, e);
    buf_release(&out);
    bulk_release(&bulk);
    return rc;
}

/* What the reader of the profile should know, when it is not what was asked for. */
static void say_how_it_ended(const struct wire_profile *p, bool interrupted)
{
    static const char *const ends[] = {
        [WIRE_ENDED_TIME] = NULL,
        [WIRE_ENDED_EXIT] = "the target ended",
        [WIRE_ENDED_EXEC] = "the target became another program",
        [WIRE_ENDED_CANCEL] = "interrupted",
        [WIRE_ENDED_LIMIT] = "a limit was reached",
    };
    const char *why = interrupted ? ends[WIRE_ENDED_CANCEL] : ends[p->ended];

    if (why)
        (void)fprintf(stderr, "pillion: %s after %.1f s: the profile ends there\n", why,
                      (double)p->duration_ns / 1e9);
    if (p->lost)
        (void)fprintf(stderr, "pillion: %" PRIu64 " samples were lost\n", p->lost);
    if (p->samples == 0)
        (void)fputs(
            "pillion: no samples: the target used no CPU, or in threads that ended too soon\n",
            stderr);
}

/* A missing right for CPU samples has a second way out. */
static int explain(const struct record *r, const struct wire_target *t, int rc, struct err *e)
{
    char why[ERR_TEXT_BYTES];

    if (r->wall || r->target.ptrace || (rc != -EPERM && rc != -EACCES) ||
        !(t->rights & WIRE_RIGHT_MEMORY))
        return rc;
    (void)snprintf(why, sizeof(why), "%s", e->text);
    return err_set(e, rc, "%s; or --ptrace, which stops its threads for each sample", why);
}

static int record(struct record *r, struct guarded *g, struct output *o, struct err *e)
{
    struct ask_sampler_answer answer;
    struct progress progress;
    char what[WIRE_NAME_BYTES + 40];
    char name[WIRE_NAME_BYTES];
    int rc = guarded_ready(g, e);

    if (rc)
        return rc;
    /* copied: news of the target may replace the status while we record */
    (void)snprintf(name, sizeof(name), "%s", g->status.target.name);
    (void)snprintf(what, sizeof(what), "%s (pid %" PRIu32 ")", name, g->status.target.pid);
    rc = output_open(o, r->output ? r->output : file_name(r, &g->status.target), e);
    if (rc)
        return rc;
    progress_begin(&progress, what, r->cpu.duration_ms);
    rc = guarded_cpu(g, &r->cpu, progress_tick, &progress, &answer, e);
    progress_end(&progress);
    if (rc)
        return explain(r, &g->status.target, rc, e);
    rc = write_profile(r, o, answer.fd, name, e);
    (void)close(answer.fd);
    if (rc)
        return rc;
    say_how_it_ended(&answer.body.cpu, g->interrupted);
    /* on standard output: f=$(pillion record ...) is how scripts get at it */
    if (!r->output)
        (void)printf("%s\n", r->name);
    if (progress.shown)
        (void)fprintf(stderr, "%" PRIu64 " samples in %.1f s of %s\n", answer.body.cpu.samples,
                      (double)answer.body.cpu.duration_ns / 1e9, what);
    return 0;
}

int cli_record(int argc, char **argv)
{
    /* as if closed, for output_close() when nothing was opened */
    struct output output = {.fd = -1, .borrowed = true};
    struct guarded guarded;
    struct record r;
    struct err e = {0};
    int rc = parse(&r, argc, argv, &e);

    if (rc)
        return cli_fail(CLI_CANNOT, "%s", e.text);
    rc = guarded_start(&guarded, r.target.args, &e);
    if (rc == 0)
        rc = record(&r, &guarded, &output, &e);
    guarded_stop(&guarded);
    output_close(&output);
    if (rc == 0)
        return cli_flush();
    /* an empty text: the guard has said why, and one line is enough */
    return e.text[0] ? cli_fail(CLI_CANNOT, "%s", e.text) : CLI_CANNOT;
}
