/*
 * `pillion plan`: started once by the guard, without privileges. Reads the configuration and hands
 * back the few numbers that the guard needs, so that no YAML ever meets a privilege.
 */
#include <errno.h>
#include <unistd.h>

#include "cli/pattern.h"
#include "cli/verbs.h"
#include "config/config.h"

static int write_plan(const struct plan *plan)
{
    ssize_t n;

    /* smaller than PIPE_BUF: a pipe takes it whole (pipe(7)) */
    do {
        n = write(PLAN_FD, plan, sizeof(*plan));
    } while (n < 0 && errno == EINTR);
    /* anything else: a person typed the verb, there is no pipe at that descriptor */
    if (n == (ssize_t)sizeof(*plan))
        return CLI_DONE;
    return cli_fail(CLI_CANNOT, "plan is for pillion-guard, which reads it at descriptor %d",
                    PLAN_FD);
}

int cli_plan(int argc, char **argv)
{
    struct config *c = malloc(sizeof(*c));
    struct plan plan;
    struct err e;
    const char *why = "";
    int r;

    if (!c)
        return cli_fail(CLI_CANNOT, "no memory");
    r = config_from_args(c, argc, argv, &e);
    if (r == 0)
        r = pattern_check_config(c, argc, argv, &e);
    if (r == 0) {
        config_plan(c, &plan);
        /* the guard checks again; here the reason still reaches a person */
        if (plan_check(&plan, sizeof(plan), &why) != 0)
            r = err_set(&e, -EINVAL, "plan: %s", why);
    }
    free(c);
    return r ? cli_fail(CLI_CANNOT, "%s", e.text) : write_plan(&plan);
}
