/*
 * helper_http.h: a server of sidecar/http in a child process, with routes that show what a test
 * wants to see, and small clients for it. The child ends when the parent does, and its exit status
 * is the sanitizers' verdict.
 *
 *   /hello            200 "hello\n"             /echo     the body back
 *   /rope?bytes=N     the same as a rope
 *   /big?bytes=N      N bytes of a pattern, shared by all who ask; &own=1: by nobody
 *   /wait             no answer, tells "gone"
 *   /late?ms=N        answered after N ms        /deaf?ms= the same without on_gone
 *   /flow?bytes=N     the same, pushed in pieces (&piece=P); &end=break, &end=never
 *   /csp              an own policy              /stat     counters and memory as text
 *   /drain            server_drain()             /reload   server_reload() of the given files
 *   anything else     404. "X-Pprof-Token: good" makes the connection an authenticated one.
 */
#ifndef TESTS_UNIT_HELPER_HTTP_H
#define TESTS_UNIT_HELPER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct helper_http {
    pid_t pid;
    int control; /* closing it ends the child */
    int events;  /* lines: "gone PATH", "done STATUS BYTES PATH" */
    int tls_port, plain_port;
    char unix_path[64];
};

struct helper_http_options {
    uint32_t connections, per_address; /* 0: many */
    const char *certificate, *key;     /* NULL: self-signed */
    const char *host;                  /* one more allowed Host */
    const char *listen;                /* address; NULL: 127.0.0.1 */
};

/** helper_http_start(h, options): ends the test program when it cannot. */
void helper_http_start(struct helper_http *h, const struct helper_http_options *options);
/** helper_http_stop(h): the child's exit status: 0 when nothing leaked and nothing broke. */
int helper_http_stop(struct helper_http *h);
/** helper_http_event(h, want, timeout_ms): wait for a line with ${want}. */
bool helper_http_event(struct helper_http *h, const char *want, int timeout_ms);
/** helper_http_stat(h, name): a number of /stat. */
long helper_http_stat(const struct helper_http *h, const char *name);

/** helper_http_connect(port): a TCP connection to 127.0.0.1, or -1. */
int helper_http_connect(int port);
/** helper_http_read(fd, out, bytes, timeout_ms): all until the end; -1 on time-out, -2 on reset. */
ssize_t helper_http_read(int fd, char *out, size_t bytes, int timeout_ms);
/** helper_http_answer(fd, out, bytes, timeout_ms): one answer (head and Content-Length): status. */
int helper_http_answer(int fd, char *out, size_t bytes, int timeout_ms);
/** helper_http_ask(port, request, out, bytes): a new plain connection, one request: its status. */
int helper_http_ask(int port, const char *request, char *out, size_t bytes);
/** helper_http_pattern(i): byte i of /big. */
unsigned char helper_http_pattern(uint64_t i);

/* A TLS client of mbedTLS that does not check the certificate. */
struct helper_tls;
/** helper_tls_connect(port, alpn): after the handshake, NULL when it failed. alpn may be NULL. */
struct helper_tls *helper_tls_connect(int port, const char *alpn);
int helper_tls_fd(const struct helper_tls *t);
const char *helper_tls_version(const struct helper_tls *t);
bool helper_tls_write(struct helper_tls *t, const char *text);
/** helper_tls_read(t, out, bytes): like read(2); 0 at close_notify, -1 when broken. */
ssize_t helper_tls_read(struct helper_tls *t, void *out, size_t bytes);
/** helper_tls_close(t, notify): with or without close_notify. */
void helper_tls_close(struct helper_tls *t, bool notify);

#endif
