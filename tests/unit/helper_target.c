#include "tests/unit/helper_target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATH_TEXT_BYTES = 4096,
};

static int read_memory(void *ctx, uint64_t address, void *out, size_t bytes)
{
    struct helper_target *t = ctx;
    struct iovec local = {out, bytes};
    struct iovec remote = {(void *)(uintptr_t)address, bytes};
    ssize_t n;

    t->reads++;
    if (t->fail_read != 0)
        return t->fail_read;
    n = process_vm_readv(t->pid, &local, 1, &remote, 1, 0);
    if (n < 0)
        return -errno;
    return (size_t)n == bytes ? 0 : -EFAULT;
}

/* A bad range ends process_vm_readv(2) early, so each range goes alone: slow and simple. */
static int read_ranges(void *ctx, struct target_range *ranges, size_t count)
{
    struct helper_target *t = ctx;

    if (t->fail_read != 0)
        return t->fail_read;
    for (size_t i = 0; i < count; i++) {
        struct iovec local = {ranges[i].out, ranges[i].bytes};
        struct iovec remote = {(void *)(uintptr_t)ranges[i].address, ranges[i].bytes};
        ssize_t n = process_vm_readv(t->pid, &local, 1, &remote, 1, 0);

        t->reads++;
        if (n < 0 && errno == ESRCH)
            return -ESRCH;
        ranges[i].got = n < 0 ? 0 : (uint32_t)n;
    }
    return 0;
}

/* Does the open file have this inode? Else it is closed. */
static int checked(int fd, uint64_t inode)
{
    struct stat st;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == inode)
        return fd;
    close(fd);
    return -ESTALE;
}

static int open_path(const struct helper_target *t, const char *path, uint64_t inode)
{
    char text[PATH_TEXT_BYTES];
    int fd;

    (void)snprintf(text, sizeof text, "/proc/%d/exe", (int)t->pid);
    fd = checked(open(text, O_RDONLY | O_CLOEXEC | O_NONBLOCK), inode);
    if (fd >= 0)
        return fd;
    (void)snprintf(text, sizeof text, "/proc/%d/root%s", (int)t->pid, path);
    return checked(open(text, O_RDONLY | O_CLOEXEC | O_NONBLOCK), inode);
}

static int open_file(void *ctx, uint64_t start, uint64_t inode)
{
    struct helper_target *t = ctx;
    char *maps = NULL, *save = NULL;
    int rc = -ENOENT;

    t->opens++;
    if (t->fail_open != 0)
        return t->fail_open;
    maps = helper_target_maps(t, NULL);
    if (!maps)
        return -ESRCH;
    for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *path = strchr(line, '/');

        if (strtoull(line, NULL, 16) == start && path) {
            rc = open_path(t, path, inode);
            break;
        }
    }
    free(maps);
    return rc;
}

static const struct target_ops helper_ops = {
    .read = read_memory, .readv = read_ranges, .open = open_file};

void helper_target_attach(struct helper_target *t, pid_t pid)
{
    *t = (struct helper_target){.pid = pid, .out_fd = -1};
    t->target.ops = &helper_ops;
    t->target.ctx = t;
}

int helper_target_fork(struct helper_target *t)
{
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    helper_target_attach(t, pid);
    t->ours = 1;
    return 0;
}

/* The child's side: the pipe `failed` closes itself on a good execve(2), else carries errno. */
static void become(char *const argv[], int out, int failed)
{
    int code;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    execv(argv[0], argv);
    code = errno;
    if (write(failed, &code, sizeof code) < 0)
        _exit(126);
    _exit(127);
}

int helper_target_spawn(struct helper_target *t, char *const argv[])
{
    int out[2], failed[2], code = 0;
    ssize_t n;
    pid_t pid;

    if (pipe2(out, O_CLOEXEC) != 0)
        return -errno;
    if (pipe2(failed, O_CLOEXEC) != 0) {
        close(out[0]);
        close(out[1]);
        return -EMFILE;
    }
    pid = fork();
    if (pid == 0)
        become(argv, out[1], failed[1]);
    close(out[1]);
    close(failed[1]);
    n = pid < 0 ? -1 : read(failed[0], &code, sizeof code);
    close(failed[0]);
    if (n != 0) {
        close(out[0]);
        if (pid > 0)
            waitpid(pid, NULL, 0);
        return n == (ssize_t)sizeof code ? -code : -EAGAIN;
    }
    helper_target_attach(t, pid);
    t->ours = 1;
    t->out_fd = out[0];
    return 0;
}

int helper_target_line(struct helper_target *t, char *out, size_t out_bytes)
{
    size_t n = 0;
    char c;

    while (read(t->out_fd, &c, 1) == 1) {
        if (c == '\n') {
            out[n] = '\0';
            return 0;
        }
        if (n + 1 < out_bytes)
            out[n++] = c;
    }
    return -EPIPE;
}

void helper_target_release(struct helper_target *t)
{
    if (t->ours) {
        kill(t->pid, SIGKILL);
        waitpid(t->pid, NULL, 0);
    }
    if (t->out_fd >= 0)
        close(t->out_fd);
    t->ours = 0;
    t->out_fd = -1;
}

char *helper_target_slurp(const char *path, size_t *ret_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0, cap = 65536;
    char *text = NULL;
    ssize_t n;

    if (fd < 0)
        return NULL;
    text = malloc(cap + 1);
    while (text && (n = read(fd, text + len, cap - len)) > 0) {
        len += (size_t)n;
        if (len == cap && cap < HELPER_MAPS_MAX_BYTES) {
            char *grown = realloc(text, cap * 2 + 1);

            if (!grown)
                break;
            text = grown;
            cap *= 2;
        }
    }
    close(fd);
    if (!text)
        return NULL;
    text[len] = '\0';
    if (ret_bytes)
        *ret_bytes = len;
    return text;
}

char *helper_target_maps(const struct helper_target *t, size_t *ret_bytes)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)t->pid);
    return helper_target_slurp(path, ret_bytes);
}
