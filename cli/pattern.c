#include "cli/pattern.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "config/regex.h"
#include "wire/plan.h"

int pattern_check(const char *text, struct err *e)
{
    struct err why;

    if (config_regex_check(text, PLAN_CMDLINE_MAX_BYTES, &why) != 0)
        return err_set(e, -EINVAL, "cmdline: %s", why.text);
    return 0;
}

int pattern_check_config(const struct config *c, int argc, char *const *argv, struct err *e)
{
    char why[ERR_TEXT_BYTES];
    bool from_file = c->path[0] != '\0';

    if (c->select != PLAN_SELECT_CMDLINE || pattern_check(c->select_text, e) == 0)
        return 0;
    for (int i = 0; i < argc; i++)
        from_file = from_file && strncmp(argv[i], "--cmdline", sizeof("--cmdline") - 1) != 0;
    if (!from_file)
        return -EINVAL;
    memcpy(why, e->text, sizeof(why));
    return err_set(e, -EINVAL, "%s: target: %s", c->path, why);
}
