/*
 * files.h: every file and folder that a configuration names, from the rows of config/table.c: what
 * is watched for changes, what stays readable in the sandbox, what nobody else should read. A new
 * key with a path is in it by itself.
 */
#ifndef CONFIG_FILES_H
#define CONFIG_FILES_H

#include "config/keys.h"

/* Where the kubelet puts a service account's token, its CA and its namespace into every Pod. */
#define CONFIG_SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

/** Called with the key ("auth.tokens.file"); ${path} is not empty. */
typedef void (*config_file_fn)(void *data, const char *key, enum config_file use, const char *path);

/**
 * config_files(c, fn, data): call ${fn} for each; the configuration itself is not among them. With
 * auth.kubernetes, also the service account's where no others are named.
 */
void config_files(const struct config *c, config_file_fn fn, void *data);

/** config_connects(c): does anything in it open connections, so that names must be resolved? */
bool config_connects(const struct config *c);

#endif
