/*
 * Which process is meant, from the file's `target:` or from the command line; config/text.h.
 * plan_check() has the last word on what a choice may look like, so that the guard never refuses
 * what was accepted here.
 */
#include <errno.h>

#include "base/num.h"
#include "config/text.h"

static const struct {
    const char *name;
    bool number;
    const char *right; /* what would be right, for the error */
} kinds[PLAN_SELECT_END] = {
    [PLAN_SELECT_AUTO] = {"auto", false, ""},
    [PLAN_SELECT_PID] = {"pid", true, "a number from 1 to 4194304"},
    [PLAN_SELECT_PROCESS] = {"process", false, "the name of a program, without slashes"},
    [PLAN_SELECT_PORT] = {"port", true, "a number from 1 to 65535"},
    [PLAN_SELECT_CMDLINE] = {"cmdline", false, "a regular expression of at most 256 bytes"},
    [PLAN_SELECT_CONTAINER] = {"container", false, "the first hex digits of a container id"},
    [PLAN_SELECT_ENV] = {"env", false, "NAME=VALUE"},
};

const char *config_target_kind(uint32_t select)
{
    return select < PLAN_SELECT_END ? kinds[select].name : "?";
}

/* "auto" is no kind: it is what holds when nothing is chosen. */
static int find_kind(const char *name, uint32_t *ret)
{
    for (uint32_t i = PLAN_SELECT_AUTO + 1; i < PLAN_SELECT_END; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *ret = i;
            return 0;
        }
    }
    return -ENOENT;
}

int config_target_set(struct config *c, const char *kind, const char *value, struct err *e)
{
    /* the same check as the guard will make, on the same struct */
    struct plan probe = {
        .magic = PLAN_MAGIC,
        .bytes = sizeof(probe),
        .hz_max = 1,
    };
    size_t bytes = strlen(value);
    const char *why;
    char clean[80];

    if (find_kind(kind, &probe.select) != 0)
        return err_set(e, -ENOENT, "\"%s\" is no way to choose a target",
                       err_clean(clean, sizeof(clean), kind, strlen(kind)));
    if (kinds[probe.select].number) {
        if (num_u64(value, bytes, 10, UINT32_MAX, &probe.number) != 0)
            goto bad;
    } else {
        if (bytes >= sizeof(probe.text))
            goto bad;
        memcpy(probe.text, value, bytes);
    }
    if (plan_check(&probe, sizeof(probe), &why) != 0)
        goto bad;
    c->select = probe.select;
    c->select_number = probe.number;
    /* whole: the rest is zero, also where a longer text stood before */
    memcpy(c->select_text, probe.text, sizeof(c->select_text));
    return 0;
bad:
    return err_set(e, -EINVAL, "%s \"%s\": right is %s", kind,
                   err_clean(clean, sizeof(clean), value, bytes), kinds[probe.select].right);
}
