/*
 * pillion-sidecar: faces the network, holds nothing else. Started by the guard:
 *
 *     pillion-sidecar --guard-fd N ARGS    ARGS: what the user gave to `pillion run`
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "base/sandbox.h"
#include "sidecar/app.h"
#include "sidecar/confine.h"

#if defined(__SANITIZE_ADDRESS__)
/* The leak check at exit needs to trace ourselves, which PR_SET_DUMPABLE 0 forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

enum {
    EXIT_CANNOT = 2, /* the guard does not start us again for this one */
    GUARD_FD_MAX = 1023,
    CLOSING_TURNS = 8,
};

static int usage(void)
{
    (void)fprintf(stderr, "pillion-sidecar is started by pillion-guard: use `pillion run`\n");
    return EXIT_CANNOT;
}

/* A number of our own guard, yet checked like any other: 0 to 2 are what everything prints to. */
static int guard_fd(int argc, char **argv, int *ret)
{
    uint64_t fd;

    if (argc < 3 || strcmp(argv[1], "--guard-fd") != 0 ||
        num_u64(argv[2], strlen(argv[2]), 10, GUARD_FD_MAX, &fd) || fd <= STDERR_FILENO)
        return -EINVAL;
    *ret = (int)fd;
    return 0;
}

/* Everything but the standard three and the guard's; a late close of a library then hits nothing.
 */
static void close_others(int keep)
{
    (void)close_range(STDERR_FILENO + 1, (unsigned)keep - 1, 0);
    (void)close_range((unsigned)keep + 1, ~0U, 0);
}

/*
 * Read, listen, confine, serve. What fails before the loop turns is for the person who starts us:
 * one plain line, and an exit code that keeps the guard from trying again.
 */
static int run(uv_loop_t *loop, int fd, int argc, char **argv)
{
    struct app *app = NULL;
    struct err e = {0};
    int r = app_new(loop, fd, argc, argv, &app, &e);
    int code;

    /* ---- the sandbox: the listeners are there, nothing from the network was read yet ---- */
    if (r == 0)
        r = confine_enter(app_config(app), &e);
    if (r == 0)
        r = app_begin(app, &e);
    if (r) {
        (void)fprintf(stderr, "pillion: %s\n", e.text);
        (void)app_end(app);
        return EXIT_CANNOT;
    }
    (void)uv_run(loop, UV_RUN_DEFAULT);
    code = app_end(app);
    log_info("ended", LOG_I64("exit", code));
    return code;
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    int fd, code;

    sandbox_undumpable();
    if (guard_fd(argc, argv, &fd))
        return usage();
    if (fd > STDERR_FILENO + 1)
        close_others(fd);
    else
        (void)close_range((unsigned)fd + 1, ~0U, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN); /* a terminal sends it to all: the guard turns it into SIGTERM */
    log_setup("sidecar", LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
    (void)confine_loop(); /* a kernel without seccomp is told of by confine_enter() */
    if (uv_loop_init(&loop)) {
        (void)fprintf(stderr, "pillion: cannot make an event loop\n");
        return EXIT_CANNOT;
    }
    argv[2] = argv[0]; /* config_from_args() skips one */
    code = run(&loop, fd, argc - 2, argv + 2);
    for (int i = 0; i < CLOSING_TURNS; i++) /* lets closed handles go, waits for none */
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    (void)uv_loop_close(&loop);
    return code;
}
