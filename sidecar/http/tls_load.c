/*
 * The files are the administrator's, but a wrong path in the configuration must not hang or fill
 * the program: a FIFO, a device or an endless file is refused before it is read.
 */
#include "sidecar/http/tls_load.h"

#include <mbedtls/error.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

int tls_load_failed(struct err *e, int mbed, const char *what)
{
    char text[128];

    mbedtls_strerror(mbed, text, sizeof(text));
    return err_set(e, -EINVAL, "%s: %s (-0x%04x)", what, text, (unsigned)-mbed);
}

static int failed_file(struct err *e, const char *path)
{
    int code = errno ? -errno : -EIO;

    return err_set(e, code, "%s: %s", path, uv_strerror(code));
}

int tls_load_file(const char *path, size_t max_bytes, unsigned char **ret, size_t *ret_bytes,
                  struct err *e)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    struct stat st;
    int r = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st)) {
        r = failed_file(e, path);
        goto out;
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max_bytes) {
        r = err_set(e, -EINVAL, "%s: not a regular file of at most %zu bytes", path, max_bytes);
        goto out;
    }
    data = malloc(max_bytes + 1);
    if (!data) {
        r = err_set(e, -ENOMEM, "out of memory");
        goto out;
    }
    while (bytes < max_bytes) {
        ssize_t n = read(fd, data + bytes, max_bytes - bytes);

        if (n < 0 && errno != EINTR) {
            r = failed_file(e, path);
            goto out;
        }
        if (n == 0)
            break;
        bytes += n > 0 ? (size_t)n : 0;
    }
    data[bytes] = '\0';
    *ret = data;
    *ret_bytes = bytes;
    data = NULL;
out:
    tls_load_wipe(data, bytes);
    if (fd >= 0)
        (void)close(fd);
    return r;
}

/* Also for certificates: it is simpler to wipe both than to know which it is. */
void tls_load_wipe(unsigned char *data, size_t bytes)
{
    if (data)
        explicit_bzero(data, bytes);
    free(data);
}

int64_t tls_load_time(const mbedtls_x509_time *t)
{
    struct tm tm = {.tm_year = t->year - 1900,
                    .tm_mon = t->mon - 1,
                    .tm_mday = t->day,
                    .tm_hour = t->hour,
                    .tm_min = t->min,
                    .tm_sec = t->sec};

    return (int64_t)timegm(&tm);
}
