/*
 * The command line's part of the configuration: --config, TARGET and --listen win over the file.
 */
#include <errno.h>
#include <unistd.h>

#include "config/text.h"
#include "config/verify.h"

/*
 * Is argv[i] the option ${name}? Returns the number of arguments it takes (1: --opt=value, 2: --opt
 * value) with its value, 0 when it is another, -EINVAL when the value is missing.
 */
static int option(int argc, char **argv, int i, const char *name, const char **ret_value,
                  struct err *e)
{
    size_t bytes = strlen(name);

    if (strncmp(argv[i], name, bytes) != 0)
        return 0;
    if (argv[i][bytes] == '=') {
        *ret_value = argv[i] + bytes + 1;
        return 1;
    }
    if (argv[i][bytes] != '\0')
        return 0;
    if (i + 1 >= argc)
        return err_set(e, -EINVAL, "%s needs a value", name);
    *ret_value = argv[i + 1];
    return 2;
}

int config_target_option(struct config *c, int argc, char **argv, int i, struct err *e)
{
    for (uint32_t select = PLAN_SELECT_AUTO + 1; select < PLAN_SELECT_END; select++) {
        const char *kind = config_target_kind(select);
        const char *value = "";
        char name[32];
        struct err why;
        int used, r;

        (void)snprintf(name, sizeof(name), "--%s", kind);
        used = option(argc, argv, i, name, &value, e);
        if (used == 0)
            continue;
        if (used < 0)
            return used;
        r = config_target_set(c, kind, value, &why);
        return r ? err_set(e, -EINVAL, "--%s", why.text) : used;
    }
    return 0;
}

/* The one option without a value: target.unsafe.ptrace_sampling, for `pillion record`. */
static bool is_ptrace(const char *arg)
{
    return strcmp(arg, "--ptrace") == 0;
}

/* Read --config or the default file; the other arguments are looked at by the second pass. */
static int read_file(struct config *c, int argc, char **argv, struct err *e)
{
    const char *path = NULL;

    for (int i = 1; i < argc; i++) {
        const char *value = "";
        int used = option(argc, argv, i, "--config", &value, e);

        if (used < 0)
            return -EBADRQC;
        if (used == 0) {
            /* every other option of ours takes a value: --process --config means a process */
            i += strncmp(argv[i], "--", 2) == 0 && !strchr(argv[i], '=') &&
                 strcmp(argv[i], "--all") != 0 && !is_ptrace(argv[i]);
            continue;
        }
        if (path)
            return err_set(e, -EBADRQC, "--config is given twice");
        path = value;
        i += used - 1;
    }
    if (!path && access(CONFIG_DEFAULT_FILE, F_OK) == 0)
        path = CONFIG_DEFAULT_FILE;
    /* the file named by hand must be there; the default one may be missing */
    if (path)
        return config_read(c, path, e);
    config_defaults(c);
    return 0;
}

/* The first --listen replaces the file's addresses, further ones are added. */
/* Errors of arguments carry no position: the shell shows them right above. */
static int take_listen(struct config *c, const char *value, size_t taken, struct err *e)
{
    struct config_address a;
    struct err why;

    if (config_address_parse(value, &a, &why) != 0)
        return err_set(e, -EBADRQC, "--listen: %s", why.text);
    if (taken >= CONFIG_LISTEN_MAX)
        return err_set(e, -EBADRQC, "--listen: at most %d addresses", CONFIG_LISTEN_MAX);
    if (taken == 0)
        memset(c->admin.listen, 0, sizeof(c->admin.listen));
    memcpy(&c->admin.listen[taken], &a, sizeof(a));
    c->admin.listens = taken + 1;
    return 0;
}

/* The whole usage in one line: the reader has a terminal and no manual at hand. */
static int unknown(const char *arg, struct err *e)
{
    char clean[80];

    return err_set(
        e, -EBADRQC,
        "unknown argument \"%s\"; right are [--config FILE] [--pid N | --process NAME | "
        "--port N | --cmdline REGEX | --container ID | --env NAME=VALUE] [--all] [--listen ADDR]",
        err_clean(clean, sizeof(clean), arg, strlen(arg)));
}

/* One option; returns how many arguments it used. */
static int take(struct config *c, int argc, char **argv, int i, size_t *targets, size_t *listens,
                struct err *e)
{
    const char *value = "";
    int used = option(argc, argv, i, "--config", &value, e);
    int r;

    if (used)
        return used < 0 ? -EBADRQC : used; /* read_file() has taken it */
    if (is_ptrace(argv[i])) {
        c->unsafe.ptrace_sampling = true;
        return 1;
    }
    used = option(argc, argv, i, "--listen", &value, e);
    if (used > 0) {
        r = take_listen(c, value, (*listens)++, e);
        return r ? r : used;
    }
    if (strcmp(argv[i], "--all") == 0) { /* beside a target, or of the file's */
        c->all = true;
        return 1;
    }
    if (used == 0)
        used = config_target_option(c, argc, argv, i, e);
    if (used < 0)
        return -EBADRQC;
    if (used == 0)
        return unknown(argv[i], e);
    if ((*targets)++ > 0)
        return err_set(e, -EBADRQC, "more than one target is named");
    return used;
}

int config_from_args(struct config *c, int argc, char **argv, struct err *e)
{
    size_t targets = 0, listens = 0;
    const char *at = "";
    int r = read_file(c, argc, argv, e);

    for (int i = 1; r == 0 && i < argc;) {
        int used = take(c, argc, argv, i, &targets, &listens, e);

        if (used < 0)
            return -EBADRQC;
        i += used;
    }
    /* again, because the arguments may have broken what held in the file */
    return r ? r : config_verify(c, &at, e);
}
