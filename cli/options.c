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
    if (t->args[0])
        return err_set(e, -EINVAL, "more than one target is named");
    for (int k = 0; k < used && k < OPTIONS_TARGET_ARGS; k++)
        t->args[k] = argv[i + k];
    if (scratch->select == PLAN_SELECT_CMDLINE && pattern_check(scratch->select_text, e) != 0)
        return -EINVAL;
    return used;
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
