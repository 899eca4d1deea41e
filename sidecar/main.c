/*
 * pillion-sidecar: faces the network, holds nothing else. Started by the guard:
 *
 *     pillion-sidecar --guard-fd N ARGS    ARGS: what the user gave to `pillion run`
 *
 * or by `pillion check --connect`, to try the backends once, without guard, target and listeners:
 *
 *     pillion-sidecar --connect ARGS
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "base/sandbox.h"
#include "sidecar/app.h"
#include "sidecar/confine.h"
#include "sidecar/environment.h"
#include "sidecar/forward/try.h"

#if defined(__SANITIZE_ADDRESS__)
/* The leak check at exit needs to trace ourselves, which PR_SET_DUMPABLE 0 forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

enum {
    EXIT_NO = 1,     /* --connect: a backend refuses us */
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
    if (r == 0) {
        (void)environment_keep(app_config(app));
        r = confine_enter(app_config(app), &e);
    }
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

/* Confined as always: what a backend answers is as hostile here. */
static int connect_once(uv_loop_t *loop, int argc, char **argv)
{
    struct config *c = calloc(1, sizeof(*c));
    struct err e = {0};
    int code = EXIT_CANNOT, r;

    r = c ? config_from_args(c, argc, argv, &e) : err_set(&e, -ENOMEM, "no memory");
    if (r == 0)
        r = confine_enter(c, &e);
    if (r == 0) {
        r = try_backends(loop, c, stdout);
        code = r < 0 ? EXIT_CANNOT : r > 0 ? EXIT_NO : 0;
    } else {
        (void)fprintf(stderr, "pillion: %s\n", e.text);
    }
    free(c);
    return code;
}

int main(int argc, char **argv)
{
    bool once = argc > 1 && strcmp(argv[1], "--connect") == 0;
    uv_loop_t loop;
    int fd = STDERR_FILENO, code;

    sandbox_undumpable();
    if (!once && guard_fd(argc, argv, &fd))
        return usage();
    if (fd > STDERR_FILENO + 1)
        close_others(fd);
    else
        (void)close_range((unsigned)fd + 1, ~0U, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!once) /* a terminal sends it to all: the guard turns it into SIGTERM */
        (void)signal(SIGINT, SIG_IGN);
    /* what a backend says once is said once: on standard output */
    log_setup("sidecar", once ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
    (void)confine_loop(); /* a kernel without seccomp is told of by confine_enter() */
    if (uv_loop_init(&loop)) {
        (void)fprintf(stderr, "pillion: cannot make an event loop\n");
        return EXIT_CANNOT;
    }
    if (once) {
        code = connect_once(&loop, argc - 1, argv + 1); /* config_from_args() skips one */
    } else {
        argv[2] = argv[0];
        code = run(&loop, fd, argc - 2, argv + 2);
    }
    for (int i = 0; i < CLOSING_TURNS; i++) /* lets closed handles go, waits for none */
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    (void)uv_loop_close(&loop);
    return code;
}
