/*
 * helper_backend.h: tests/e2e/servers/backend.py as a child process, and certificates for it. What
 * it can be told stands at its top.
 */
#ifndef TESTS_UNIT_HELPER_BACKEND_H
#define TESTS_UNIT_HELPER_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    HELPER_BACKEND_ARGS_MAX = 24,
    HELPER_BACKEND_PATH = 128,
};

struct helper_backend {
    pid_t pid;
    int in; /* closing it ends the server */
    uint16_t port;
    char log[HELPER_BACKEND_PATH]; /* JSON lines */
};

/** helper_backend_start(b, folder, args): ${args} end with NULL; the log is folder/NAME.log with a
 * name of its own. Ends the test program when it cannot. */
void helper_backend_start(struct helper_backend *b, const char *folder, const char *const *args);
void helper_backend_stop(struct helper_backend *b); /* repeatable */

/** helper_backend_count(b, text): lines of its log that hold ${text} ("" : all). */
size_t helper_backend_count(const struct helper_backend *b, const char *text);

/**
 * helper_backend_certificates(folder): by openssl(1): ca.crt, other-ca.crt, and signed by ca:
 * good.crt/.key (localhost, 127.0.0.1, backend.example), name.crt (elsewhere.example), old.crt
 * (expired), client.crt/.key. 0, or -1 without openssl.
 */
int helper_backend_certificates(const char *folder);

/** helper_backend_folder(out): a new one below /tmp; helper_backend_remove(folder) takes it away.
 */
void helper_backend_folder(char out[static HELPER_BACKEND_PATH]);
void helper_backend_remove(const char *folder);

#endif
