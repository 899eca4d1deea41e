/*
 * secrets.h: secrets that the configuration takes from the environment. They stand in
 * /proc/PID/environ of the guard for as long as it runs, each child of a shell has them, and a
 * `kubectl describe` or a crash report shows them: files can be renewed and have an owner.
 */
#ifndef CLI_SECRETS_H
#define CLI_SECRETS_H

#include "config/config.h"

/** Called with the variable's name and a text for people; never with its value. */
typedef void (*secrets_fn)(const char *name, const char *what);

/**
 * secrets_of_environment(c, env, fn): call ${fn} for each variable of ${env} (NULL-terminated,
 * "NAME=value") that the file of ${c} names and whose name or value is that of a secret, and for
 * each whose value is one of our own tokens.
 */
void secrets_of_environment(const struct config *c, char *const *env, secrets_fn fn);

/** secrets_looks(name, name_bytes, value): is it a secret by its name ("…_TOKEN", but not
 * "…_TOKEN_FILE") or by its value (a token of ours, a JSON Web Token)? Empty ones are none. */
bool secrets_looks(const char *name, size_t name_bytes, const char *value);

#endif
