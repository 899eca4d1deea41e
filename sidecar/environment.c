#include "sidecar/environment.h"

#include <unistd.h>

#include "base/buf.h"
#include "config/expand.h"
#include "config/slurp.h"

/* What getenv(3) is asked for in sidecar/ and in the libraries; "X_" at the end: all that begin so.
 */
static const char *const known[] = {"HOME",
                                    "SSL_CERT_FILE",
                                    "https_proxy",
                                    "HTTPS_PROXY",
                                    "http_proxy",
                                    "all_proxy",
                                    "ALL_PROXY",
                                    "no_proxy",
                                    "NO_PROXY",
                                    "DD_TRACE_AGENT_URL",
                                    "DD_SITE",
                                    "DD_AGENT_HOST",
                                    "GCE_METADATA_HOST",
                                    "DD_TRACE_AGENT_PORT",
                                    "KUBERNETES_SERVICE_",
                                    "LOCALDOMAIN",
                                    "RES_OPTIONS",
                                    "TZ",
                                    "UV_",
                                    "ASAN_OPTIONS",
                                    "TSAN_OPTIONS",
                                    "POD_NAME",
                                    "POD_NAMESPACE",
                                    "HOSTNAME"};

static bool is_known(const char *name, size_t bytes)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t n = strlen(known[i]);

        if (known[i][n - 1] == '_' ? bytes > n && memcmp(known[i], name, n) == 0
                                   : bytes == n && memcmp(known[i], name, n) == 0)
            return true;
    }
    return false;
}

/* In place, to the last byte: the kernel shows this memory. */
static bool take(char *value)
{
    size_t n = strlen(value);

    if (n == 0)
        return false;
    explicit_bzero(value, n);
    memcpy(value, CONFIG_EXPAND_TAKEN, sizeof(CONFIG_EXPAND_TAKEN));
    return true;
}

size_t environment_keep(const struct config *c)
{
    const char *path = c->path[0] ? c->path : CONFIG_DEFAULT_FILE;
    struct buf text;
    struct err e;
    size_t taken = 0;

    buf_init(&text, CONFIG_FILE_MAX_BYTES);
    /* one that cannot be read any more was read a moment ago: better too much than too little */
    if (slurp_file(path, &text, &e) == 0 || access(path, F_OK) != 0) {
        for (char **v = environ; v && *v; v++) {
            char *value = strchr(*v, '=');
            size_t bytes = value ? (size_t)(value - *v) : 0;

            if (value && !is_known(*v, bytes) && !config_expand_names(&text, *v, bytes) &&
                take(value + 1))
                taken++;
        }
    }
    buf_release(&text);
    return taken;
}
