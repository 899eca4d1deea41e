#include "guard/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/num.h"
#include "base/sandbox.h"
#include "guard/proc.h"

/* Where st_dev of a file is not the device that /proc/PID/maps shows (statfs(2), f_type). */
#define FS_OVERLAY UINT32_C(0x794c7630)
#define FS_BTRFS   UINT32_C(0x9123683e)

/* One line of maps: "start-end perms offset major:minor inode   path". */
struct mapping {
    dev_t dev;
    uint64_t inode;
    char path[PROC_PATH_BYTES];
};

static bool hex(const char **p, char end, uint64_t *ret)
{
    size_t n = strspn(*p, "0123456789abcdef");

    if (num_u64(*p, n, 16, UINT64_MAX, ret) || (*p)[n] != end)
        return false;
    *p += n + 1;
    return true;
}

static bool mapping_parse(const char *line, uint64_t want_start, uint64_t want_inode,
                          struct mapping *ret)
{
    uint64_t start;
    uint64_t end;
    uint64_t offset;
    uint64_t major;
    uint64_t minor;
    size_t n;

    if (!hex(&line, '-', &start) || start != want_start || !hex(&line, ' ', &end))
        return false;
    line = strchr(line, ' '); /* behind the permissions */
    if (!line++ || !hex(&line, ' ', &offset) || !hex(&line, ':', &major) ||
        !hex(&line, ' ', &minor))
        return false;
    n = strspn(line, "0123456789");
    if (num_u64(line, n, 10, UINT64_MAX, &ret->inode) || ret->inode != want_inode)
        return false;
    line += n;
    line += strspn(line, " ");
    if (line[0] != '/' || strlen(line) >= sizeof(ret->path))
        return false;
    ret->dev = makedev((unsigned)major, (unsigned)minor);
    memcpy(ret->path, line, strlen(line) + 1);
    return true;
}

/* Read maps line by line: the one mapping that starts there. */
static int mapping_find(pid_t pid, const struct wire_file *want, struct mapping *ret)
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
        if (mapping_parse(line, want->start, want->inode, ret))
            r = 0;
    }
    free(line);
    (void)fclose(f);
    return r;
}

/* The kernel writes a newline in a path as \012, and " (deleted)" behind one that is gone. */
static bool unescape(char *path)
{
    static const char deleted[] = " (deleted)";
    size_t tail = sizeof(deleted) - 1;
    size_t n = strlen(path);
    char *out = path;
    bool gone = n > tail && strcmp(path + n - tail, deleted) == 0;

    if (gone)
        path[n - tail] = '\0';
    for (const char *in = path; *in; out++) {
        if (strncmp(in, "\\012", 4) == 0) {
            *out = '\n';
            in += 4;
        } else {
            *out = *in++;
        }
    }
    *out = '\0';
    return gone;
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
static int is_mapped_file(int fd, const struct mapping *m)
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

static int open_beneath_root(pid_t pid, const struct mapping *m)
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
static int open_exe(pid_t pid, const struct mapping *m)
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
    struct mapping m = {.path = ""};
    int fd = -ESTALE;
    int r = mapping_find(pid, want, &m);

    if (r)
        return r;
    (void)unescape(m.path);
    if (proc_exe(pid, exe, sizeof(exe)) == 0 && strcmp(exe, m.path) == 0)
        fd = open_exe(pid, &m);
    if (fd == -ESTALE)
        fd = open_beneath_root(pid, &m);
    if (fd < 0)
        return fd;
    *ret_fd = fd;
    return 0;
}
