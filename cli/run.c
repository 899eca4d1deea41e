/*
 * `pillion run`: becomes the guard, which reads the same arguments (by way of `pillion plan`).
 */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/sibling.h"
#include "cli/verbs.h"

int cli_run(int argc, char **argv)
{
    static char title[] = "pillion-guard"; /* what ps shows */
    char **args = calloc((size_t)argc + 2, sizeof(*args));
    char path[PATH_MAX];
    int r = sibling_path("pillion-guard", path, sizeof(path));

    /* exec and not fork: signals, exit code and pid are then the guard's own */
    if (r)
        r = cli_fail(CLI_CANNOT,
                     "pillion-guard is neither beside this program nor in ../libexec/pillion: %s",
                     strerror(-r));
    else if (!args)
        r = cli_fail(CLI_CANNOT, "no memory");
    else {
        args[0] = title;
        memcpy(args + 1, argv, (size_t)argc * sizeof(*args)); /* argv[0] is the verb */
        (void)execv(path, args);
        r = cli_fail(CLI_CANNOT, "%s: %s", path, strerror(errno));
    }
    free(args);
    return r;
}
