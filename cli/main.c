/*
 * The command `pillion`: finds the verb in a table and runs it. The same table is the help.
 */
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "cli/verbs.h"
#include "config/keys.h"

/* Verbs of interface.md that wait for their issue are in the table too: help shows what will come.
 */
static int cli_version(int argc, char **argv);
static int cli_help(int argc, char **argv);
static int cli_later(int argc, char **argv);

#define TARGET_HELP                                                                             \
    "TARGET: --pid N | --process NAME | --port N | --cmdline REGEX | --container ID-PREFIX |\n" \
    "        --env NAME=VALUE; none: the only other application in this PID namespace\n"

#define ALL_HELP                                                                                  \
    "--all: every process that matches and its descendants, in one CPU profile with the labels\n" \
    "        pid and process\n"

struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *args;
    const char *what; /* NULL: not for people */
    const char *more; /* for `help VERB` */
};

static const struct verb verbs[] = {
    {"run", cli_run, "[--config FILE] [TARGET [--all]] [--listen ADDR]...", "the sidecar",
     "Serves profiles of the target until SIGTERM or Ctrl-C.\n" TARGET_HELP ALL_HELP},
    {"record", cli_record,
     "[TARGET [--all]] [--type cpu|wall] [--seconds 10] [--hz 100] [-o FILE] "
     "[--format FORMAT] [--ptrace]",
     "one profile into a file, without a server",
     "FORMAT: pprof (default), folded, speedscope, text. -o - is standard output; without -o the\n"
     "file is named after the target, and its name is printed. Ctrl-C ends early and keeps what\n"
     "there is. --type wall shows where all threads are, waiting ones too, at 20 Hz; it needs no\n"
     "perf. --ptrace: where perf is refused, sample CPU time by stopping threads for some\n"
     "microseconds, 100 times a second at most.\n" TARGET_HELP ALL_HELP},
    {"top", cli_later, "[TARGET] [--once] [--json]", "live view in the terminal", NULL},
    {"dump", cli_dump, "[TARGET] [--format FORMAT | --all]", "goroutines, now",
     "FORMAT: text (default: groups, busiest first), json (the same), debug1 and stacks (as\n"
     "net/http/pprof shows goroutines with debug=1 and debug=2); --all is stacks. The target is\n"
     "not stopped. Go programs only.\n" TARGET_HELP},
    {"doctor", cli_doctor, "[TARGET] [--json]",
     "what can be profiled here, and what would grant the rest",
     "Tries each system call that a profile needs on the target, says who both sides are, why what "
     "is\n"
     "refused is refused, and the lines of YAML that grant it. Exit 0 when every right is there, "
     "1\n"
     "when one is missing. Without TARGET, and without an only other application: this machine "
     "alone.\n" TARGET_HELP},
    {"diff", cli_later, "BASE NEW", "what became dearer or cheaper", NULL},
    {"gate", cli_later, "BASE NEW", "exit 1 when it became dearer", NULL},
    {"merge", cli_later, "FILE...", "several profiles into one", NULL},
    {"convert", cli_later, "FILE", "into another format", NULL},
    {"report", cli_later, "FILE", "for people to read", NULL},
    {"check", cli_check, "[--connect] [--config FILE] [TARGET] [--listen ADDR]...",
     "validate the configuration and print it, secrets hidden",
     "Exit 1 when it does not hold. `pillion help config` lists the keys. --connect prints no\n"
     "configuration but sends each backend one profile, empty where it takes such and labelled\n"
     "pillion_check, and says what it answered; exit 1 when one refuses.\n"},
    {"token", cli_token, "", "a new token and its sha256 line for the configuration",
     "The token is the first line; the configuration needs only the second.\n"},
    {"plan", cli_plan, "", NULL, NULL},
    {"version", cli_version, "", "which version this is", NULL},
    {"help", cli_help, "[VERB | config]", "this list, one verb, or the configuration's keys", NULL},
};

enum {
    VERBS = sizeof(verbs) / sizeof(verbs[0]),
    KEY_COLUMN = 32, /* of the help, behind the longest key and what it is in */
};

/* One line, whatever happens: scripts read the last line, people the only one. */
int cli_fail(int code, const char *fmt, ...)
{
    va_list ap;

    (void)fputs("pillion: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    return code;
}

int cli_flush(void)
{
    /* stdio buffers: a full disk shows only here, and exit code 0 would be a lie */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CLI_DONE;
    return cli_fail(CLI_CANNOT, "standard output: %s", strerror(errno));
}

static const struct verb *find(const char *name)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(name, verbs[i].name) == 0)
            return &verbs[i];
    }
    return NULL;
}

static int cli_version(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return cli_fail(CLI_CANNOT, "version takes no arguments");
    (void)printf("pillion %s\n", PILLION_VERSION);
    return cli_flush();
}

static int cli_later(int argc, char **argv)
{
    (void)argc;
    return cli_fail(CLI_CANNOT, "%s is not built yet", argv[0]);
}

/* Asked for: standard output and exit 0. After a mistake: standard error and 2. */
static void print_usage(FILE *to)
{
    (void)fputs("usage: pillion VERB ...\n\n", to);
    for (size_t i = 0; i < VERBS; i++) {
        if (verbs[i].what)
            (void)fprintf(to, "  %-8s  %s%s\n", verbs[i].name, verbs[i].what,
                          verbs[i].run == cli_later ? " (not built yet)" : "");
    }
    (void)fputs("\n" TARGET_HELP
                "`pillion help VERB` says more. Exit codes: 0 done, 1 the answer is "
                "no, 2 cannot run or\nbad usage, 3 inconclusive.\n",
                to);
}

/* The keys as they nest in the file, each with what it takes. */
static void print_keys(void)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    char right[160];

    for (size_t i = 0; i < count; i++) {
        const struct config_key *k = &keys[i];
        int indent = (int)(2 * config_key_depth(k));

        (void)printf("%*s%-*s %s (%s)\n", indent, "", KEY_COLUMN - indent, config_key_name(k),
                     k->help, config_key_takes(k, right, sizeof(right)));
    }
}

static int cli_help(int argc, char **argv)
{
    const struct verb *v;

    if (argc > 2)
        return cli_fail(CLI_CANNOT, "help takes one verb");
    if (argc < 2) {
        print_usage(stdout);
        return cli_flush();
    }
    if (strcmp(argv[1], "config") == 0) {
        print_keys();
        return cli_flush();
    }
    v = find(argv[1]);
    /* plan is between us and the guard */
    if (!v || !v->what)
        return cli_fail(CLI_CANNOT, "no verb of that name; `pillion help` lists them");
    (void)printf("usage: pillion %s %s\n%s%s\n%s", v->name, v->args, v->what,
                 v->run == cli_later ? " (not built yet)" : "", v->more ? v->more : "");
    return cli_flush();
}

int main(int argc, char **argv)
{
    static char help[] = "help", version[] = "version";
    const struct verb *v;

    if (argc < 2) {
        print_usage(stderr);
        return CLI_CANNOT;
    }
    /* what everybody types first; the verbs stay the only real spelling */
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        argv[1] = help;
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    v = find(argv[1]);
    if (!v)
        return cli_fail(CLI_CANNOT, "no verb of that name; `pillion help` lists them");
    return v->run(argc - 1, argv + 1);
}
