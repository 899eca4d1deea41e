/*
 * `pillion check`: does the configuration hold, what is it with all defaults, and what in it is
 * weaker than it need be?
 */
#include <errno.h>
#include <sys/stat.h>

#include "cli/pattern.h"
#include "cli/verbs.h"
#include "config/config.h"

enum {
    CHECK_OUT_MAX_BYTES = 4 * CONFIG_FILE_MAX_BYTES, /* what is printed, with every default */
};

/* To standard error, so that standard output stays a configuration. */
static void warn(const char *where, const char *what)
{
    (void)fprintf(stderr, "pillion: warning: %s: %s\n", where, what);
}

/* A file with a secret: is it there, and who else may read it? Empty: none is named. */
/*
 * A missing file is only a warning: configurations are checked in CI, where the secrets are not.
 * The sidecar refuses to start without them.
 */
static void warn_of_file(const char *path)
{
    struct stat st;

    if (!path[0])
        return;
    if (stat(path, &st) != 0)
        warn(path, strerror(errno));
    else if (st.st_mode & S_IROTH)
        warn(path, "everybody on this machine can read it; chmod o-r");
}

static void warn_of_weak(const struct config *c)
{
    struct buf scopes;

    warn_of_file(c->admin.key);
    for (size_t i = 0; i < c->auth.tokens_count; i++)
        warn_of_file(c->auth.tokens[i].file);
    if (c->admin.tls_off)
        warn("admin.tls: off", "tokens and profiles cross the socket in plain text");
    if (c->auth.anonymous == 0)
        return;
    buf_init(&scopes, ERR_TEXT_BYTES);
    buf_puts(&scopes, "whoever reaches the endpoint may: ");
    config_scopes_print(c->auth.anonymous, &scopes);
    warn("auth.anonymous", buf_text(&scopes));
    buf_release(&scopes);
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

int cli_check(int argc, char **argv)
{
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
        r = print(c);
        warn_of_weak(c);
    } else {
        /* what is written there is wrong: "no"; anything else kept us from looking */
        r = cli_fail(r == -EINVAL ? CLI_NO : CLI_CANNOT, "%s", e.text);
    }
    free(c);
    return r;
}
