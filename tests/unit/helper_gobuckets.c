#include "tests/unit/helper_gobuckets.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/helper_gotarget.h"

enum {
    PATH_BYTES = 256,
};

/* Lines until "ready" or "done"; the last one before it is kept. */
static int wait_for_answer(struct helper_gobuckets *g)
{
    char line[sizeof(g->line)];

    for (;;) {
        int r = helper_target_line(&g->t, line, sizeof(line));

        if (r != 0 || strcmp(line, "done") == 0 || strcmp(line, "ready") == 0)
            return r;
        memcpy(g->line, line, sizeof(line));
    }
}

static int spawn(struct helper_gobuckets *g, char *path)
{
    char number[16];
    char *argv[] = {path, number, g->dir, NULL};
    int fds[2], r;

    if (pipe(fds) != 0 || fcntl(fds[1], F_SETFD, FD_CLOEXEC) != 0)
        return -errno;
    g->commands = fds[1];
    (void)snprintf(number, sizeof(number), "%d", fds[0]);
    r = helper_target_spawn(&g->t, argv);
    (void)close(fds[0]);
    return r == 0 ? wait_for_answer(g) : r;
}

static int open_runtime(struct helper_gobuckets *g)
{
    struct err e = {0};
    size_t bytes;
    char *maps = helper_target_maps(&g->t, &bytes);
    int r = maps ? space_new(&g->t.target, &g->space) : -EIO;

    if (r == 0)
        r = space_refresh(g->space, maps, bytes, &e);
    if (r == 0 && !space_go(g->space))
        r = err_set(&e, -ENOENT, "%s", space_note(g->space));
    if (r == 0)
        r = go_runtime_open(space_go(g->space), &g->t.target, &g->rt, &e);
    if (r != 0)
        (void)fprintf(stderr, "gobuckets: %d %s\n", r, e.text);
    free(maps);
    return r;
}

int helper_gobuckets_start(struct helper_gobuckets *g, const char *toolchain,
                           const struct helper_goway *way)
{
    char path[PATH_BYTES];
    int r = helper_goway_build(toolchain, "gobuckets", way, path, sizeof(path));

    memset(g, 0, sizeof(*g));
    g->commands = -1;
    g->t.out_fd = -1;
    if (r != 0)
        return r;
    (void)snprintf(g->dir, sizeof(g->dir), "/tmp/gobuckets-XXXXXX");
    if (!mkdtemp(g->dir) || spawn(g, path) != 0 || open_runtime(g) != 0) {
        helper_gobuckets_release(g);
        return 1;
    }
    return 0;
}

static void remove_file(const struct helper_gobuckets *g, const char *name)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/%s", g->dir, name);
    (void)unlink(path);
}

void helper_gobuckets_release(struct helper_gobuckets *g)
{
    static const char *const files[] = {"memstats",           "heap.pb.gz",      "heap.txt",
                                        "allocs.pb.gz",       "allocs.txt",      "block.pb.gz",
                                        "block.txt",          "mutex.pb.gz",     "mutex.txt",
                                        "threadcreate.pb.gz", "threadcreate.txt"};

    space_free(g->space);
    helper_target_release(&g->t);
    if (g->commands >= 0)
        (void)close(g->commands);
    for (size_t i = 0; g->dir[0] && i < sizeof(files) / sizeof(files[0]); i++)
        remove_file(g, files[i]);
    if (g->dir[0])
        (void)rmdir(g->dir);
    memset(g, 0, sizeof(*g));
    g->commands = -1;
    g->t.out_fd = -1;
}

int helper_gobuckets_do(struct helper_gobuckets *g, const char *commands)
{
    int r = 0;

    for (; r == 0 && *commands; commands++)
        r = write(g->commands, commands, 1) == 1 ? wait_for_answer(g) : -errno;
    return r;
}

char *helper_gobuckets_file(const struct helper_gobuckets *g, const char *name, size_t *ret_bytes)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/%s", g->dir, name);
    return helper_target_slurp(path, ret_bytes);
}
