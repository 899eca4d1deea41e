/*
 * The target is checked here, for the better error, and again by the guard's plan; both see the
 * same text, since it is handed on as it came.
 */
#include "cli/options.h"

#include <errno.h>

#include "cli/pattern.h"
#include "config/config.h"

int options_value(int argc, char **argv, int i, const char *name, const char **ret_value)
{
    size_t bytes = strlen(name);

    if (strncmp(argv[i], name, bytes) != 0)
        return 0;
    if (argv[i][bytes] == '=' && bytes > 2) {
        *ret_value = argv[i] + bytes + 1;
        return 1;
    }
    if (argv[i][bytes] != '\0')
        return 0;
    if (i + 1 >= argc)
        return -EINVAL;
    *ret_value = argv[i + 1];
    return 2;
}

/* Each comes once: a place is left for it. */
static void append(struct options_target *t, char *arg)
{
    size_t n = 0;

    while (n < OPTIONS_ARGS && t->args[n])
        n++;
    t->args[n] = n < OPTIONS_ARGS ? arg : NULL;
}

int options_all(struct options_target *t, char **argv, int i)
{
    if (strcmp(argv[i], "--all") != 0)
        return 0;
    for (size_t k = 0; t->args[k]; k++) {
        if (strcmp(t->args[k], "--all") == 0)
            return 1; /* twice is as good */
    }
    append(t, argv[i]);
    return 1;
}

/* ${scratch} is only there to be checked into: it is large (config.h). */
static int check(struct config *scratch, struct options_target *t, int argc, char **argv, int i,
                 struct err *e)
{
    char clean[80];
    int used;

    config_defaults(scratch);
    used = config_target_option(scratch, argc, argv, i, e);
    if (used < 0)
        return used;
    if (used == 0)
        return err_set(e, -EINVAL, "unknown argument \"%s\"; `pillion help %s` lists them",
                       err_clean(clean, sizeof(clean), argv[i], strlen(argv[i])), argv[0]);
    if (t->named)
        return err_set(e, -EINVAL, "more than one target is named");
    t->named = true;
    for (int k = 0; k < used; k++)
        append(t, argv[i + k]);
    if (scratch->select == PLAN_SELECT_CMDLINE && pattern_check(scratch->select_text, e) != 0)
        return -EINVAL;
    return used;
}

int options_ptrace(struct options_target *t, char *arg)
{
    if (strcmp(arg, "--ptrace") != 0)
        return 0;
    if (!t->ptrace)
        append(t, arg);
    t->ptrace = true;
    return 1;
}

int options_target(struct options_target *t, int argc, char **argv, int i, struct err *e)
{
    struct config *scratch = malloc(sizeof(*scratch));
    int used;

    if (!scratch)
        return err_set(e, -ENOMEM, "no memory");
    used = check(scratch, t, argc, argv, i, e);
    free(scratch);
    return used;
}
