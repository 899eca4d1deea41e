#include "guard/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "guard/mapline.h"

/* Where st_dev of a file is not the device that /proc/PID/maps shows (statfs(2), f_type). */
#define FS_OVERLAY UINT32_C(0x794c7630)
#define FS_BTRFS   UINT32_C(0x9123683e)

/* Read maps line by line: the one mapping that starts there. */
static int mapping_find(pid_t pid, const struct wire_file *want, struct mapline *ret)
{
    char path[64];
    char *line = NULL;
    size_t cap = 0;
    size_t total = 0;
    ssize_t n;
    FILE *f;
    int r = -ENOENT;

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return -errno;
    while (r == -ENOENT && total < WIRE_MAPS_MAX_BYTES && (n = getline(&line, &cap, f)) > 0) {
        total += (size_t)n;
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        if (mapline_parse(line, ret) && ret->start == want->start && ret->inode == want->inode &&
            ret->path[0] == '/')
            r = 0;
    }
    free(line);
    (void)fclose(f);
    return r;
}

/* Hold what the path names beneath the target's root, without opening it. */
static int hold_beneath_root(pid_t pid, const char *path)
{
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    char root[64];
    int saved;
    int dir;
    int fd;

    (void)snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
    dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
    saved = errno;
    (void)close(dir);
    return fd < 0 ? -saved : fd;
}

/*
 * Is what we hold the mapping's file? 0: a regular file, the same inode on the same device. 1: the
 * same, but its file system shows another device in maps, so the inode's number is all we have.
 */
static int is_mapped_file(int fd, const struct mapline *m)
{
    struct statfs fs;
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (st.st_ino != m->inode)
        return -ESTALE; /* replaced by another file of that name */
    if (st.st_dev == m->dev)
        return 0;
    if (fstatfs(fd, &fs) != 0)
        return -errno;
    return (uint32_t)fs.f_type == FS_OVERLAY || (uint32_t)fs.f_type == FS_BTRFS ? 1 : -ESTALE;
}

/* The held file itself, whatever its name means by now (proc(5), /proc/PID/fd). */
static int open_held(int held)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", held);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/*
 * With the target's rights over files and not ours, which pass over all permissions: an inode's
 * number can be had twice in one tree of file systems, and the other one may not be the target's
 * to read. setfsuid(2) tells nothing; that it was done shows in a second call.
 */
static int open_held_as(int held, int64_t uid, int64_t gid)
{
    bool passes_all = sandbox_caps() & (UINT64_C(1) << CAP_DAC_READ_SEARCH);
    long old_gid = syscall(SYS_setfsgid, gid);
    long old_uid = syscall(SYS_setfsuid, uid);
    bool done = syscall(SYS_setfsuid, -1) == uid && syscall(SYS_setfsgid, -1) == gid;
    int fd = done || !passes_all ? open_held(held) : -EACCES;

    (void)syscall(SYS_setfsuid, old_uid);
    (void)syscall(SYS_setfsgid, old_gid);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a change of them makes it fs.suid_dumpable */
    return fd;
}

static int open_beneath_root(pid_t pid, const struct mapline *m)
{
    int held = hold_beneath_root(pid, m->path);
    int64_t uid;
    int64_t gid;
    int fd;

    if (held < 0)
        return held;
    fd = is_mapped_file(held, m);
    if (fd == 0) {
        fd = open_held(held);
    } else if (fd > 0) {
        uid = proc_uid(pid);
        gid = proc_gid(pid);
        fd = uid < 0 || gid < 0 ? -ESRCH : open_held_as(held, uid, gid);
    }
    (void)close(held);
    return fd;
}

/*
 * /proc/PID/exe opens the very file that runs, even when its name is gone. A mapping of its name
 * with another inode is of another file; only overlayfs knows one file by two inodes.
 */
static int open_exe(pid_t pid, const struct mapline *m)
{
    char path[64];
    struct statfs fs;
    struct stat st;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        (st.st_ino == m->inode || (fstatfs(fd, &fs) == 0 && (uint32_t)fs.f_type == FS_OVERLAY)))
        return fd;
    (void)close(fd);
    return -ESTALE;
}

int mapped_open(pid_t pid, const struct wire_file *want, int *ret_fd)
{
    char exe[PROC_PATH_BYTES];
    struct mapline m = {.path = ""};
    int fd = -ESTALE;
    int r = mapping_find(pid, want, &m);

    if (r)
        return r;
    (void)mapline_unescape(m.path);
    if (proc_exe(pid, exe, sizeof(exe)) == 0 && strcmp(exe, m.path) == 0)
        fd = open_exe(pid, &m);
    if (fd == -ESTALE)
        fd = open_beneath_root(pid, &m);
    if (fd < 0)
        return fd;
    *ret_fd = fd;
    return 0;
}
