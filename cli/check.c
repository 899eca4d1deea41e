/*
 * `pillion check`: does the configuration hold, what is it with all defaults, and what in it is
 * weaker than it need be? With --connect instead of printing: does each backend take a profile?
 */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/sibling.h"
#include "cli/expires.h"
#include "cli/pattern.h"
#include "cli/secrets.h"
#include "cli/verbs.h"
#include "config/files.h"
#include "config/weak.h"

enum {
    CHECK_OUT_MAX_BYTES = 4 * CONFIG_FILE_MAX_BYTES, /* what is printed, with every default */
};

/* To standard error, so that standard output stays a configuration. */
static void warn(const char *where, const char *what)
{
    (void)fprintf(stderr, "pillion: warning: %s: %s\n", where, what);
}

static void warn_of_weak(void *data, const char *where, const char *what)
{
    (void)data;
    warn(where, what);
}

static void warn_of_end(const char *path)
{
    char why[128];

    if (expires_check(path, (int64_t)time(NULL), why, sizeof(why)) == 1)
        warn(path, why);
}

/*
 * Is it there, who else may read it, does it end soon? A missing file is only a warning:
 * configurations are checked in CI, where the secrets are not. The sidecar refuses to start without
 * them.
 */
static void warn_of_file(void *data, const char *key, enum config_file use, const char *path)
{
    struct stat st;

    (void)data;
    (void)key;
    if (stat(path, &st) != 0)
        warn(path, strerror(errno));
    else if (use == CONFIG_FILE_SECRET && (st.st_mode & S_IROTH))
        warn(path, "everybody on this machine can read it; chmod o-r");
    else if (use == CONFIG_FILE_FOLDER && (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
        warn(path, "everybody on this machine can write to it; chmod o-w");
    else if (use == CONFIG_FILE_CERTIFICATE)
        warn_of_end(path);
}

/* Into memory first: half a configuration on standard output looks like a whole one. */
static int print(const struct config *c)
{
    struct buf out;
    int r = CLI_CANNOT;

    buf_init(&out, CHECK_OUT_MAX_BYTES);
    config_print(c, &out);
    if (out.failed)
        (void)cli_fail(r, "no memory");
    else if (fwrite(out.data, 1, out.len, stdout) != out.len)
        (void)cli_fail(r, "standard output: %s", strerror(errno));
    else
        r = cli_flush();
    buf_release(&out);
    return r;
}

/*
 * This program has no network code: the sidecar has, and is confined. Only on success there is no
 * return. ${argv} without the option that brought us here.
 */
static int connect_by_sidecar(int argc, char **argv)
{
    static char title[] = "pillion-sidecar", option[] = "--connect";
    char **args = calloc((size_t)argc + 2, sizeof(*args));
    char path[PATH_MAX];
    int r = sibling_path("pillion-sidecar", path, sizeof(path));

    if (r)
        r = cli_fail(CLI_CANNOT,
                     "pillion-sidecar is neither beside this program nor in ../libexec/pillion: %s",
                     strerror(-r));
    else if (!args)
        r = cli_fail(CLI_CANNOT, "no memory");
    else {
        args[0] = title;
        args[1] = option;
        memcpy(args + 2, argv + 1, (size_t)(argc - 1) * sizeof(*args)); /* argv[0] is the verb */
        (void)execv(path, args);
        r = cli_fail(CLI_CANNOT, "%s: %s", path, strerror(errno));
    }
    free(args);
    return r;
}

/* Taken out of the arguments: is it there? */
static bool take_connect(int *argc, char **argv)
{
    int n = 0;

    for (int i = 0; i < *argc; i++) {
        if (i == 0 || strcmp(argv[i], "--connect") != 0)
            argv[n++] = argv[i];
    }
    argv[n] = NULL;
    if (n == *argc)
        return false;
    *argc = n;
    return true;
}

int cli_check(int argc, char **argv)
{
    bool connects = take_connect(&argc, argv);
    struct config *c = malloc(sizeof(*c));
    struct err e;
    int r;

    if (!c)
        return cli_fail(CLI_CANNOT, "no memory");
    r = config_from_args(c, argc, argv, &e);
    if (r == 0)
        r = pattern_check_config(c, argc, argv, &e);
    if (r == 0) {
        /* exit 0 with warnings: weak is allowed, and whoever set it may have a reason */
        r = connects ? CLI_DONE : print(c);
        config_files(c, warn_of_file, NULL);
        config_weak(c, warn_of_weak, NULL);
        secrets_of_environment(c, environ, warn);
    } else {
        /* what is written there is wrong: "no"; anything else kept us from looking */
        r = cli_fail(r == -EINVAL ? CLI_NO : CLI_CANNOT, "%s", e.text);
    }
    free(c);
    return connects && r == CLI_DONE ? connect_by_sidecar(argc, argv) : r;
}
