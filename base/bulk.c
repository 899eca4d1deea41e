#include "base/bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BULK_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
    BULK_NOEXEC = 8, /* MFD_NOEXEC_SEAL: asked for where sysctl vm.memfd_noexec is 2 */
};

static int write_all(int fd, const unsigned char *p, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, p, bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        p += n;
        bytes -= (size_t)n;
    }
    return 0;
}

int bulk_open(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | BULK_NOEXEC);

    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

int bulk_make(const void *data, size_t bytes)
{
    return bulk_make_of(&(const struct bulk){data, bytes}, 1);
}

int bulk_make_of(const struct bulk *parts, size_t count)
{
    int fd = bulk_open("pillion-bulk");
    int r = 0;

    if (fd < 0)
        return fd;
    for (size_t i = 0; i < count && r == 0; i++)
        r = write_all(fd, parts[i].data, parts[i].bytes);
    if (r == 0 && fcntl(fd, F_ADD_SEALS, BULK_SEALS) != 0)
        r = -errno;
    if (r != 0) {
        (void)close(fd);
        return r;
    }
    return fd;
}

int bulk_map(int fd, size_t max_bytes, struct bulk *ret)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;
    void *p;

    if (seals < 0)
        return -errno;
    if ((seals & BULK_SEALS) != BULK_SEALS)
        return -EPERM;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (st.st_size < 0 || (size_t)st.st_size > max_bytes)
        return -EFBIG;
    if (st.st_size == 0) {
        *ret = (struct bulk){NULL, 0};
        return 0;
    }
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    *ret = (struct bulk){p, (size_t)st.st_size};
    return 0;
}

void bulk_release(struct bulk *b)
{
    if (!b || !b->data)
        return;
    (void)munmap((void *)(uintptr_t)b->data, b->bytes);
    b->data = NULL;
    b->bytes = 0;
}
