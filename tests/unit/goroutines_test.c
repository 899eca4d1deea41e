/*
 * Goroutines read from outside against what the programs say of themselves (net/http/pprof), for
 * each Go release that is here. GO_VERSIONS=all: every one, not only those below.
 * GOROUTINES_CHURN=n: that many goroutines are read from programs that never hold still.
 * long: 30 s
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "profile/profile.h"
#include "sampler/go/glist.h"
#include "sampler/go/gview.h"
#include "sampler/goroutine_profile.h"
#include "sampler/goroutine_stacks.h"
#include "sampler/gosyms.h"
#include "tests/unit/helper_gotarget.h"
#include "tests/unit/helper_goversions.h"
#include "tests/unit/helper_liar.h"
#include "tests/unit/helper_rope.h"

enum {
    TEXT_MAX_BYTES = 64 * 1024 * 1024,
    BLOCKS_MAX = 4096,
};

/* One running program and all that reads it. */
struct subject {
    struct helper_gotarget g;
    struct helper_liar liar;
    struct go_image *image; /* over the liar */
    struct go_runtime rt;
    int port;
    char path[256];
};

static void note_line(void *ctx, const char *text)
{
    struct subject *s = ctx;
    const char *colon = strrchr(text, ':');

    if (strncmp(text, "listen ", 7) == 0 && colon)
        s->port = (int)strtol(colon + 1, NULL, 10);
}

/* 0, or 77: this toolchain is not here. */
static int subject_start_way(struct subject *s, const char *toolchain,
                             const struct helper_goway *way, const char *const *args)
{
    char *argv[32];
    size_t n = 0;
    struct err e = {0};
    int r;

    memset(s, 0, sizeof(*s));
    r = helper_goway_build(toolchain, "goruntime", way, s->path, sizeof(s->path));
    if (r == 77)
        return r;
    assert_int_equal(r, 0);
    argv[n++] = s->path;
    for (; args && *args; args++)
        argv[n++] = strdup(*args);
    argv[n] = NULL;
    assert_int_equal(helper_gotarget_start(&s->g, argv, note_line, s), 0);
    while (n > 1)
        free(argv[--n]);
    helper_liar_init(&s->liar, s->g.t.pid);
    assert_int_equal(go_image_open(s->g.elf, &s->liar.target, s->g.bias, &s->image, &e), 0);
    r = go_runtime_open(s->image, &s->liar.target, &s->rt, &e);
    if (r != 0)
        fail_msg("%s: %s", s->path, e.text);
    assert_true(s->rt.certain);
    return 0;
}

static int subject_start(struct subject *s, const char *toolchain, const char *suffix,
                         const char *flags, const char *const *args)
{
    const struct helper_goway way = {suffix, flags, NULL};

    return subject_start_way(s, toolchain, &way, args);
}

static void subject_stop(struct subject *s)
{
    go_image_free(s->image);
    helper_gotarget_release(&s->g);
}

static struct go_budget plenty(void)
{
    return (struct go_budget){.deadline_ns = clock_mono_ns() + 60 * CLOCK_NS_PER_SEC,
                              .bytes_left = UINT64_C(1) << 34};
}

/* ---- What the program says of itself. */

static char *ask(const struct subject *s, const char *path)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char *text = malloc(TEXT_MAX_BYTES + 1), *body;
    char request[256];
    size_t n = 0;
    ssize_t got;

    assert_non_null(text);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    while (n < TEXT_MAX_BYTES && (got = read(fd, text + n, TEXT_MAX_BYTES - n)) > 0)
        n += (size_t)got;
    close(fd);
    text[n] = '\0';
    body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    memmove(text, body + 4, n - (size_t)(body + 4 - text) + 1);
    return text;
}

static char *build(struct subject *s, enum goroutine_form form, unsigned flags,
                   struct goroutines_counts *ret_counts, size_t *ret_bytes)
{
    struct go_budget budget = plenty();
    struct buf out;
    struct err e = {0};
    char *text;
    int r;

    buf_init(&out, TEXT_MAX_BYTES);
    r = goroutine_profile_build(&s->rt, NULL, form, flags, &budget, &out, ret_counts, &e);
    if (r != 0)
        fail_msg("%s: %d %s", s->path, r, e.text);
    text = malloc(out.len + 1);
    assert_non_null(text);
    memcpy(text, out.data, out.len);
    text[out.len] = '\0';
    if (ret_bytes)
        *ret_bytes = out.len;
    buf_release(&out);
    return text;
}

static char *build_stacks(struct subject *s, bool system, struct goroutines_counts *ret_counts)
{
    struct go_budget budget = plenty();
    struct err e = {0};
    struct rope rope;
    char *text;
    int r;

    rope_init(&rope, ROPE_MAX_BYTES);
    r = goroutine_stacks_build(&s->rt, system, &budget, &rope, ret_counts, &e);
    if (r != 0)
        fail_msg("%s: %d %s", s->path, r, e.text);
    text = helper_rope_text(&rope);
    rope_release(&rope);
    return text;
}

/* ---- debug=2, goroutine by goroutine. */

struct block {
    uint64_t goid;
    char state[128];
    char *body; /* inside the text, cut at its end */
};

/* "main.f(0x1, {0x2, 0x3})" -> "main.f(...)": the last bracket that is closed at the end. */
static void drop_arguments(char *line)
{
    size_t n = strlen(line);
    int depth = 0;

    if (line[0] == '\t' || n == 0 || line[n - 1] != ')' || strncmp(line, "created by", 10) == 0)
        return;
    while (n-- > 0) {
        depth += line[n] == ')';
        depth -= line[n] == '(';
        if (depth == 0)
            break;
    }
    line[n] = '\0';
}

/* Lines of a block, without arguments, one behind the other. */
static void normalize(char *body)
{
    char *out = body;

    for (char *line = body; line && *line;) {
        char *next = strchr(line, '\n');
        size_t n;

        if (next)
            *next++ = '\0';
        drop_arguments(line);
        n = strlen(line);
        memmove(out, line, n);
        out += n;
        *out++ = '\n';
        line = next;
    }
    *out = '\0';
}

/* The state without what goes on: "chan receive, 2 minutes, locked to thread" */
static void drop_minutes(char *state)
{
    char *from = strstr(state, " minutes"), *to = from;

    if (!from)
        return;
    to += strlen(" minutes");
    while (from > state && *from != ',')
        from--;
    memmove(from, to, strlen(to) + 1);
}

static size_t parse(char *text, struct block *blocks)
{
    size_t n = 0;

    for (char *p = text; p && *p;) {
        char *end = strstr(p, "\n\n"), *open = strchr(p, '['), *close = strstr(p, "]:\n");

        if (end)
            *end = '\0';
        if (strncmp(p, "goroutine ", 10) == 0 && open && close && n < BLOCKS_MAX) {
            struct block *b = &blocks[n++];

            b->goid = strtoull(p + 10, NULL, 10);
            *close = '\0';
            (void)snprintf(b->state, sizeof(b->state), "%s", open + 1);
            drop_minutes(b->state);
            b->body = malloc(strlen(close + 3) + 2);
            assert_non_null(b->body);
            memcpy(b->body, close + 3, strlen(close + 3) + 1);
            normalize(b->body);
        }
        p = end ? end + 2 : NULL;
    }
    return n;
}

static void drop_blocks(struct block *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(blocks[i].body);
    free(blocks);
}

static const struct block *find(const struct block *blocks, size_t n, uint64_t goid)
{
    for (size_t i = 0; i < n; i++) {
        if (blocks[i].goid == goid)
            return &blocks[i];
    }
    return NULL;
}

/* Goroutines that answer us, or that the question itself has moved. */
static bool is_parked(const struct block *b)
{
    return strncmp(b->state, "running", 7) != 0 && strncmp(b->state, "runnable", 8) != 0 &&
           !strstr(b->body, "net/http");
}

/* Up to Go 1.20 a deep stack's last frames are not shown: what is shown must be the same. */
static bool same_body(const char *ours, const char *theirs)
{
    const char *elided = strstr(ours, " frames elided...");

    if (strcmp(ours, theirs) == 0)
        return true;
    if (!elided || strstr(theirs, " frames elided..."))
        return false;
    while (elided > ours && *elided != '\n')
        elided--;
    return strncmp(ours, theirs, (size_t)(elided - ours)) == 0;
}

/* Returns how many were compared. */
static size_t compare_debug2(struct subject *s)
{
    struct goroutines_counts counts;
    char *ours_text = build_stacks(s, false, &counts);
    char *theirs_text = ask(s, "/debug/pprof/goroutine?debug=2");
    struct block *ours = calloc(BLOCKS_MAX, sizeof(*ours));
    struct block *theirs = calloc(BLOCKS_MAX, sizeof(*theirs));
    size_t n, m, compared = 0;

    assert_non_null(ours);
    assert_non_null(theirs);
    n = parse(ours_text, ours);
    m = parse(theirs_text, theirs);
    for (size_t i = 0; i < m; i++) {
        const struct block *b = find(ours, n, theirs[i].goid);

        if (!is_parked(&theirs[i]))
            continue;
        if (!b)
            fail_msg("%s: goroutine %" PRIu64 " [%s] is missing:\n%s", s->path, theirs[i].goid,
                     theirs[i].state, theirs[i].body);
        if (strcmp(b->state, theirs[i].state) != 0 || !same_body(b->body, theirs[i].body))
            fail_msg("%s: goroutine %" PRIu64 " is [%s]\n%s\nand not [%s]\n%s", s->path,
                     theirs[i].goid, theirs[i].state, theirs[i].body, b->state, b->body);
        compared++;
    }
    for (size_t i = 0; i < n; i++) {
        if (is_parked(&ours[i]) && !find(theirs, m, ours[i].goid))
            fail_msg("%s: goroutine %" PRIu64 " is made up:\n%s", s->path, ours[i].goid,
                     ours[i].body);
    }
    assert_true(counts.torn <= 2); /* those that have answered just before */
    assert_int_equal(counts.unreadable, 0);
    drop_blocks(ours, n);
    drop_blocks(theirs, m);
    free(ours_text);
    free(theirs_text);
    return compared;
}

/* ---- debug=1: the same groups. */

/* The lines of a group without addresses: "N", labels, "f file:line" …, into ${out}. */
static void group_text(const char *from, const char *end, char *out, size_t out_bytes)
{
    size_t n = 0;

    n += (size_t)snprintf(out, out_bytes, "%ld", strtol(from, NULL, 10));
    for (const char *p = from; p < end;) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        const char *plus;

        eol = eol ? eol : end;
        plus = memchr(p, '+', (size_t)(eol - p));
        if (strncmp(p, "# labels:", 9) == 0) {
            n += (size_t)snprintf(out + n, out_bytes - n, "|%.*s", (int)(eol - p), p);
        } else if (*p == '#' && plus) {
            const char *name = p + 1;

            while (name < plus && (*name == '\t' || *name == ' '))
                name++;
            while (name < plus && *name != '\t' && *name != ' ')
                name++; /* the address */
            while (name < plus && (*name == '\t' || *name == ' '))
                name++;
            n += (size_t)snprintf(out + n, out_bytes - n, "|%.*s", (int)(plus - name), name);
            while (plus < eol && *plus != '\t' && *plus != ' ')
                plus++;
            while (plus < eol && (*plus == '\t' || *plus == ' '))
                plus++;
            n += (size_t)snprintf(out + n, out_bytes - n, " %.*s", (int)(eol - plus), plus);
        }
        assert_true(n < out_bytes);
        p = eol + 1;
    }
}

static size_t frames_in(const char *group)
{
    size_t n = 0;

    for (; *group; group++)
        n += *group == '|';
    return n;
}

/*
 * Groups with the same functions and lines: the runtime may hold several (they differ in pcs only),
 * so their counts are added on both sides.
 */
static void compare_debug1(struct subject *s)
{
    enum { GROUPS = 512, GROUP_BYTES = 64 * 1024 };
    struct goroutines_counts counts;
    char *texts[2] = {build(s, GOROUTINE_DEBUG1, 0, &counts, NULL),
                      ask(s, "/debug/pprof/goroutine?debug=1")};
    char **groups[2];
    size_t n[2] = {0, 0};

    for (int side = 0; side < 2; side++) {
        groups[side] = calloc(GROUPS, sizeof(char *));
        assert_int_equal(strncmp(texts[side], "goroutine profile: total ", 25), 0);
        for (char *p = strchr(texts[side], '\n'), *end; p && p[1]; p = end ? end + 1 : NULL) {
            end = strstr(p + 1, "\n\n");
            groups[side][n[side]] = malloc(GROUP_BYTES);
            group_text(p + 1, end ? end : p + strlen(p), groups[side][n[side]], GROUP_BYTES);
            assert_true(++n[side] < GROUPS);
        }
    }
    for (size_t i = 0; i < n[1]; i++) {
        const char *key = strchr(groups[1][i], '|');
        long ours = 0, theirs = 0;

        if (!key || strstr(key, "net/http") || strstr(key, "busy") || strstr(key, "handler") ||
            frames_in(key) > 25) /* before Go 1.23 32 frames were kept */
            continue;
        for (int side = 0; side < 2; side++) {
            for (size_t k = 0; k < n[side]; k++) {
                const char *other = strchr(groups[side][k], '|');

                if (other && strcmp(other, key) == 0)
                    *(side ? &theirs : &ours) += strtol(groups[side][k], NULL, 10);
            }
        }
        if (ours != theirs)
            fail_msg("%s: %ld, not %ld of %s", s->path, ours, theirs, key);
    }
    for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < n[side]; k++)
            free(groups[side][k]);
        free(groups[side]);
        free(texts[side]);
    }
}

/* ---- pprof. */

static bool has_label(const struct profile *p, size_t i, const char *key, const char *value)
{
    struct profile_label l;

    for (size_t j = 0; profile_get_label(p, i, j, &l); j++) {
        if (strcmp(l.key, key) == 0 && (!value || (l.str && strcmp(l.str, value) == 0)))
            return true;
    }
    return false;
}

static int64_t labelled(const struct profile *p, const char *key, const char *value)
{
    struct profile_sample_view v;
    int64_t sum = 0;

    for (size_t i = 0; profile_get_sample(p, i, &v); i++)
        sum += has_label(p, i, key, value) ? v.values[0] : 0;
    return sum;
}

static void check_pprof(struct subject *s)
{
    struct goroutines_counts counts;
    struct profile *p = NULL;
    struct err e = {0};
    size_t bytes;
    char *data = build(s, GOROUTINE_PPROF, 0, &counts, &bytes);

    assert_int_equal(profile_decode(data, bytes, &p, &e), 0);
    assert_int_equal(profile_validate(p, &e), 0);
    assert_string_equal(profile_type_name(p, 0), "goroutine");
    assert_string_equal(profile_type_unit(p, 0), "count");
    assert_string_equal(profile_period_type(p), "goroutine");
    assert_int_equal(profile_period(p), 1);
    assert_int_equal(profile_total(p, 0), counts.user);
    assert_true(profile_samples(p) < counts.user); /* folded */
    assert_int_equal(labelled(p, "tenant", "acme"), 3);
    assert_int_equal(labelled(p, "empty", NULL), 3);
    assert_int_equal(labelled(p, "only", "one"), 2); /* one by inheritance */
    profile_free(p);
    free(data);

    data = build(s, GOROUTINE_PPROF, GOROUTINE_PROFILE_DETAIL, &counts, &bytes);
    assert_int_equal(profile_decode(data, bytes, &p, &e), 0);
    assert_int_equal(profile_samples(p), counts.user); /* each by itself */
    assert_int_equal(labelled(p, "goid", NULL), counts.user);
    assert_int_equal(labelled(p, "state", NULL), counts.user);
    assert_true(labelled(p, "wait_reason", "chan receive") > 20);
    assert_true(labelled(p, "created_by", "main.parkAll") > 80);
    profile_free(p);
    free(data);
}

static void check_groups(struct subject *s)
{
    struct goroutines_counts counts;
    char *text = build(s, GOROUTINE_GROUPED, 0, &counts, NULL);
    long before = INT32_MAX;

    for (char *p = strstr(text, "\n\n"); p; p = strstr(p + 2, "\n\n")) {
        if (p[2] >= '0' && p[2] <= '9') {
            long n = strtol(p + 2, NULL, 10);

            assert_true(n <= before); /* busiest first */
            before = n;
        }
    }
    assert_non_null(strstr(text, "created by main.parkAll"));
    free(text);
    text = build(s, GOROUTINE_JSON, 0, &counts, NULL);
    assert_non_null(strstr(text, "\"state\":\"chan receive (nil chan)\""));
    assert_non_null(strstr(text, "\"tenant\":\"acme\""));
    free(text);
}

static void test_equal_to_the_programs_own(void **state)
{
    size_t compared = 0, programs = 0;

    (void)state;
    for (const char *const *t = helper_goversions(); *t; t++) {
        for (const struct helper_goway *way = helper_goways(*t); way->suffix; way++) {
            struct subject s;
            size_t n;

            if (subject_start_way(&s, *t, way, NULL) != 0)
                continue;
            n = compare_debug2(&s);
            assert_true(n > 80);
            compared += n;
            programs++;
            compare_debug1(&s);
            check_pprof(&s);
            check_groups(&s);
            subject_stop(&s);
        }
    }
    print_message("%zu goroutines of %zu programs are equal\n", compared, programs);
    if (programs == 0)
        skip();
}

/* With goroutines in C, back in Go from C, and a finalizer that does not return. */
static void test_cgo_and_finalizers(void **state)
{
    static const char *const args[] = {"-cgo=2", "-finalizer", NULL};
    struct goroutines_counts counts;
    struct subject s;
    char *text;

    (void)state;
    (void)setenv("CGO_ENABLED", "1", 1);
    if (subject_start(&s, "local", "-cgo-s", "'-ldflags=-s -w'", args) != 0) {
        (void)unsetenv("CGO_ENABLED");
        skip();
    }
    (void)unsetenv("CGO_ENABLED");
    assert_true(compare_debug2(&s) > 80);
    text = build_stacks(&s, false, &counts);
    assert_non_null(strstr(text, "main._Cfunc_sleepInC"));
    assert_non_null(strstr(text, "runtime.runFinalizers"));
    free(text);
    text = build(&s, GOROUTINE_JSON, 0, &counts, NULL);
    assert_non_null(strstr(text, "\"in_cgo\":true"));
    free(text);
    /* the runtime's own are there on demand, and are not the user's */
    text = build_stacks(&s, true, &counts);
    assert_true(counts.system >= 3);
    free(text);
    subject_stop(&s);
}

/* ---- Depth. */

struct deepest {
    uint32_t depth;
    bool truncated;
};

static int note_depth(void *ctx, const struct goroutine *g)
{
    struct deepest *d = ctx;

    if (g->depth > d->depth) {
        d->depth = g->depth;
        d->truncated = g->flags & GOROUTINE_TRUNCATED;
    }
    return 0;
}

/* GOROUTINES_DEPTH_MAX frames are whole, one more is marked. */
static void test_depth(void **state)
{
    struct deepest first = {0};
    uint32_t others = 0;

    (void)state;
    for (int extra = -1; extra <= 1; extra++) {
        struct goroutines_counts counts;
        struct go_budget budget = plenty();
        struct deepest d = {0};
        struct subject s;
        struct err e = {0};
        char flag[64];
        const char *args[] = {flag, "-kinds=1", NULL};
        uint32_t frames = extra < 0 ? 300 : GOROUTINES_DEPTH_MAX - others + (uint32_t)extra;

        (void)snprintf(flag, sizeof(flag), "-recurse=%u", frames);
        if (subject_start(&s, "local", "-s", "'-ldflags=-s -w'", args) != 0)
            skip();
        assert_int_equal(goroutines_read(&s.rt, &budget, note_depth, &d, &counts, &e), 0);
        if (extra < 0) {
            first = d;
            others = d.depth - frames;
            assert_false(first.truncated);
            assert_int_equal(counts.truncated, 0);
        } else {
            assert_int_equal(d.depth, GOROUTINES_DEPTH_MAX);
            assert_int_equal(counts.truncated, extra);
            assert_int_equal(d.truncated, extra == 1);
        }
        subject_stop(&s);
    }
}

/* ---- Programs that never hold still: no stack that cannot be. */

enum { NAMES_MAX = 1024 };

struct churn {
    struct gosyms syms;
    uint64_t read, with_stack, wrong, pairs;
};

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* main.climb4 -> 4; -1: it is none. */
static int level(const char *name, const char *family)
{
    size_t n = strlen(family);

    return starts(name, family) && name[n] >= '0' && name[n] <= '9' && name[n + 1] == '\0'
               ? name[n] - '0'
               : -1;
}

static bool is_root(const char *name)
{
    static const char *const roots[] = {"main.pingFirst",   "main.pingSecond", "main.spawnedClimb",
                                        "main.spawnedDive", "main.allocator",  "main.grown",
                                        "main.caller"};

    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        if (strcmp(name, roots[i]) == 0)
            return true;
    }
    return false;
}

/* May ${name} be called by ${caller}, called by ${above}? See tests/targets/goruntime/churn.go. */
static bool may_be(const char *name, const char *caller, const char *above)
{
    static const char *const families[] = {"main.climb", "main.dive"};
    static const struct {
        const char *name;
        int family;
    } under[] = {{"main.sendUnder", 0},
                 {"main.readUnder", 0},
                 {"main.allocate", 0},
                 {"main.recvUnder", 1},
                 {"main.callUnder", 1}};

    for (int f = 0; f < 2; f++) {
        int n = level(name, families[f]);

        if (n > 0)
            return level(caller, families[f]) == n - 1;
        if (n == 0)
            return is_root(caller);
    }
    for (size_t i = 0; i < sizeof(under) / sizeof(under[0]); i++) {
        if (strcmp(name, under[i].name) == 0)
            return starts(caller, "main.") && level(above, families[under[i].family]) >= 0;
    }
    if (strcmp(name, "main.growUnder") == 0)
        return strcmp(caller, "main.growUnder") == 0 || level(above, "main.dive") >= 0;
    if (is_root(name))
        return starts(caller, "runtime.goexit") || strstr(caller, ".gowrap") ||
               strstr(caller, ".func");
    return true;
}

static const struct gosyms_sym *symbol(struct churn *c, const struct goroutine *g, uint32_t i)
{
    uint32_t index;
    const struct gosyms_sym *sym =
        gosyms_get(&c->syms, g->exact[i] ? g->pcs[i] : g->pcs[i] - 1, &index);

    assert_non_null(sym);
    return sym;
}

static bool is_possible(struct churn *c, const struct goroutine *g)
{
    const char *names[NAMES_MAX + 2];
    size_t n = 0;

    for (uint32_t i = 0; i < g->depth; i++) /* so that texts do not move in the next loop */
        (void)symbol(c, g, i);
    for (uint32_t i = 0; i < g->depth; i++) {
        const struct gosyms_sym *sym = symbol(c, g, i);

        for (uint32_t k = 0; k < sym->count && n < NAMES_MAX; k++)
            names[n++] = gosyms_text(&c->syms, gosyms_frame(&c->syms, sym, k)->name);
    }
    names[n] = names[n + 1] = "";
    for (size_t i = 0; i < n; i++) {
        c->pairs++;
        if (!may_be(names[i], names[i + 1], names[i + 2])) {
            print_message("impossible: %s called by %s called by %s [%s] goid %" PRIu64 "\n",
                          names[i], names[i + 1], names[i + 2], g->state, g->goid);
            return false;
        }
    }
    return n > 0 && (starts(names[n - 1], "runtime.goexit") || (g->flags & GOROUTINE_TRUNCATED));
}

static int check_churn(void *ctx, const struct goroutine *g)
{
    struct churn *c = ctx;

    c->read++;
    if (g->depth == 0 || (g->flags & GOROUTINE_SYSTEM))
        return 0;
    c->with_stack++;
    if (!is_possible(c, g))
        c->wrong++;
    return 0;
}

static void churn_with(const char *toolchain, uint64_t wanted)
{
    static const char *const args[] = {"-kinds=1", "-spawn=2", "-ping=40", "-alloc=2",
                                       "-grow=2",  "-calls=2", NULL};
    struct goroutines_counts counts, sum = {0};
    struct churn *c = calloc(1, sizeof(*c));
    struct subject s;

    if (subject_start(&s, toolchain, "-s", "'-ldflags=-s -w'", args) != 0) {
        free(c);
        return;
    }
    assert_non_null(c);
    gosyms_init(&c->syms, s.image);
    while (c->read < wanted) {
        struct go_budget budget = plenty();
        struct err e = {0};
        int r = goroutines_read(&s.rt, &budget, check_churn, c, &counts, &e);

        if (r != 0)
            fail_msg("%s: %d %s", s.path, r, e.text);
        sum.torn += counts.torn;
        sum.unreadable += counts.unreadable;
        sum.truncated += counts.truncated;
        sum.running += counts.running;
        sum.user += counts.user;
    }
    print_message("%s: %" PRIu64 " read, %" PRIu64 " with a stack, %" PRIu64 " pairs; torn %" PRIu64
                  ", unreadable %" PRIu64 ", truncated %" PRIu64 ", running %" PRIu64
                  "; wrong %" PRIu64 "\n",
                  toolchain, c->read, c->with_stack, c->pairs, sum.torn, sum.unreadable,
                  sum.truncated, sum.running, c->wrong);
    assert_int_equal(c->wrong, 0);
    assert_int_equal(sum.truncated, 0);
    assert_true(c->with_stack * 10 > c->read * 8);
    gosyms_release(&c->syms);
    free(c);
    subject_stop(&s);
}

static void test_churn(void **state)
{
    const char *more = getenv("GOROUTINES_CHURN");
    uint64_t wanted = more ? strtoull(more, NULL, 10) : 150000;

    (void)state;
    churn_with("1.22.12", wanted);
    churn_with("local", wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_to_the_programs_own),
        cmocka_unit_test(test_cgo_and_finalizers),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_churn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
