/*
 * verbs.h: the verbs of the command `pillion`, one function each; main.c has their table. Each gets
 * its own argv (argv[0] is the verb) and returns the exit code. What goes wrong is one line on
 * standard error, by cli_fail().
 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

/* What the exit codes mean to whoever calls us: part of the interface. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_NO = 1,     /* the answer is "no": the check failed */
    CLI_CANNOT = 2, /* cannot run, or bad usage */
};

int cli_run(int argc, char **argv);
int cli_plan(int argc, char **argv);
int cli_record(int argc, char **argv);
int cli_dump(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_token(int argc, char **argv);

/** cli_fail(code, fmt, ...): "pillion: text" on standard error; returns ${code}. */
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** cli_flush(): standard output is really written, or CLI_CANNOT with the reason said. */
int cli_flush(void);

#endif
