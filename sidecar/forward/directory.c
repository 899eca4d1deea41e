/*
 * A folder as a backend: each profile as one file, gzip pprof, for whatever else there is. Written
 * under a name that begins with a dot, then renamed, so that nobody who watches the folder ever
 * reads half of one. The same item gives the same name: writing it again changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/forward/backend.h"
#include "sidecar/forward/file_name.h"

static int write_all(int fd, const unsigned char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, data, bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        bytes -= (size_t)n;
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

static int write_file(int folder, const char *temporary, const struct backend_input *in)
{
    int fd, r;

    (void)unlinkat(folder, temporary, 0); /* of a try that was cut short */
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    r = write_all(fd, in->gzip, in->gzip_bytes);
    if (close(fd) != 0 && r == 0)
        r = -errno;
    return r;
}

static int deliver(const struct backend_plan *plan, const struct backend_input *in, struct err *e)
{
    char name[FILE_NAME_BYTES], temporary[FILE_NAME_BYTES + 8];
    int folder, r;

    /* made anew when it was deleted under us; what cannot be made is told by open(2) */
    (void)mkdirat(AT_FDCWD, plan->config.path, 0750);
    folder = open(plan->config.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_set(e, -errno, "%s: %m", plan->config.path);
    file_name_flat(in->item, backend_service(plan, in->item), name);
    (void)snprintf(temporary, sizeof(temporary), ".%s.part", name);
    r = write_file(folder, temporary, in);
    if (r == 0 && (renameat(folder, temporary, folder, name) != 0 || fsync(folder) != 0))
        r = -errno;
    if (r) {
        (void)unlinkat(folder, temporary, 0);
        errno = -r;
        (void)err_set(e, r, "%s/%s: %m", plan->config.path, name);
    }
    (void)close(folder);
    return r;
}

const struct backend_ops backend_directory = {
    .name = "directory",
    .deliver = deliver,
    .idempotent = true,
};
