/*
 * The token goes to standard output by one write(2) and nowhere else: no stdio buffer keeps it, the
 * log never sees it, and process titles and environments do not carry it. The buffer is cleared.
 */
#include "sidecar/banner.h"

#include <errno.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 4096,
    EXAMPLE_SECONDS = 10,
};

/* What a client on this machine dials: a wildcard is reached by loopback. */
static void reachable(struct buf *out, const char *address, size_t bytes)
{
    static const struct {
        const char *wild, *instead;
    } rows[] = {{"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t wild = strlen(rows[i].wild);

        if (bytes > wild && memcmp(address, rows[i].wild, wild) == 0) {
            buf_puts(out, rows[i].instead);
            buf_put(out, address + wild, bytes - wild);
            return;
        }
    }
    buf_put(out, address, bytes);
}

void banner_text(struct buf *out, const struct config *c, const char *admin, const char *token)
{
    size_t bytes = strcspn(admin, ",");

    if (strncmp(admin, "unix:", 5) == 0) { /* pprof cannot dial it, curl can */
        buf_puts(out, "curl -k --unix-socket '");
        buf_put(out, admin + 5, bytes - 5);
        buf_printf(out, "' -H 'Authorization: Bearer %s' -o cpu.pb.gz '%s://localhost", token,
                   c->admin.tls_off ? "http" : "https");
    } else {
        buf_printf(out, "go tool pprof '%s://any:%s@", c->admin.tls_off ? "http" : "https+insecure",
                   token);
        reachable(out, admin, bytes);
    }
    buf_printf(out, "/debug/pprof/profile?seconds=%d'", EXAMPLE_SECONDS);
}

void banner_print(const struct config *c, const char *admin, const char *token)
{
    struct buf line;
    ssize_t n;

    if (!admin[0] || (!token[0] && !isatty(STDERR_FILENO)))
        return;
    buf_init(&line, LINE_MAX_BYTES);
    banner_text(&line, c, admin, token[0] ? token : "TOKEN");
    buf_putc(&line, '\n');
    if (!line.failed) {
        do {
            n = write(STDOUT_FILENO, line.data, line.len); /* closed: nobody wants to know it */
        } while (n < 0 && errno == EINTR);
        memset(line.data, 0, line.len);
    }
    buf_release(&line);
}
