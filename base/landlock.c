/*
 * Landlock (landlock(7)): no file but those named, no TCP bind or connect, no signal and no
 * abstract socket out of the domain. It also stops ptrace and process_vm_readv of processes
 * outside, even of our own uid. Debian 12's <linux/landlock.h> is ABI 2: numbers are ours, from
 * include/uapi/linux/landlock.h of Linux 6.12.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    LL_CREATE_RULESET = 444,
    LL_ADD_RULE = 445,
    LL_RESTRICT_SELF = 446,
    LL_RULE_PATH_BENEATH = 1,
    LL_RULE_NET_PORT = 2,
    LL_ABI_NET = 4,
    LL_ABI_MAX = 7,
};

#define LL_FS_WRITE_FILE  UINT64_C(2)
#define LL_FS_READ_FILE   UINT64_C(4)
#define LL_FS_READ_DIR    UINT64_C(8)
#define LL_FS_REMOVE_FILE UINT64_C(0x20)
#define LL_FS_MAKE_DIR    UINT64_C(0x80)
#define LL_FS_MAKE_REG    UINT64_C(0x100)
#define LL_FS_REFER       UINT64_C(0x2000) /* links and renames between folders; ABI 2 */
#define LL_NET_TCP        UINT64_C(3)      /* bind, connect */
#define LL_NET_CONNECT    UINT64_C(2)
#define LL_SCOPE          UINT64_C(3) /* abstract unix sockets, signals */

#define LL_FS_READ (LL_FS_READ_FILE | LL_FS_READ_DIR)
#define LL_FS_KEEP \
    (LL_FS_READ | LL_FS_WRITE_FILE | LL_FS_REMOVE_FILE | LL_FS_MAKE_DIR | LL_FS_MAKE_REG)

struct ll_ruleset {
    uint64_t fs, net, scoped;
};

struct ll_path {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

struct ll_port {
    uint64_t access, port;
};

/* Every file right that this ABI knows, so that all of them are denied unless allowed. */
static uint64_t fs_rights(long abi)
{
    static const uint64_t all[LL_ABI_MAX + 1] = {0,      0x1fff, 0x3fff, 0x7fff,
                                                 0x7fff, 0xffff, 0xffff, 0xffff};

    return all[abi];
}

/* Rights that make no sense for a plain file are an error there: it gets what it can have. */
static int allow_path(int ruleset, const char *path, uint64_t rights)
{
    struct ll_path rule = {.access = rights & (LL_FS_READ_FILE | LL_FS_WRITE_FILE)};
    struct stat st;
    int r = 0;

    rule.fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.fd < 0)
        return errno == ENOENT || errno == EACCES ? 0 : -errno; /* cannot be read anyway */
    if (fstat(rule.fd, &st) == 0 && S_ISDIR(st.st_mode))
        rule.access = rights;
    if (syscall(LL_ADD_RULE, ruleset, LL_RULE_PATH_BENEATH, &rule, 0) != 0)
        r = -errno;
    (void)close(rule.fd);
    return r;
}

int landlock_allow_paths(const struct sandbox_want *want, int ruleset)
{
    uint64_t keep = LL_FS_KEEP;
    int r = 0;

    for (size_t i = 0; i < want->read_paths_count && r == 0; i++)
        r = allow_path(ruleset, want->read_paths[i], LL_FS_READ);
    if (syscall(LL_CREATE_RULESET, NULL, 0, 1u) >= 2) /* ABI 1 refuses such links to everybody */
        keep |= LL_FS_REFER;
    for (size_t i = 0; i < want->write_paths_count && r == 0; i++)
        r = allow_path(ruleset, want->write_paths[i], keep);
    return r;
}

/* UDP is not Landlock's business; of TCP, what is not named here is refused with EACCES. */
static int allow_ports(const struct sandbox_want *want, int ruleset)
{
    int r = 0;

    for (size_t i = 0; i < want->ports_count && r == 0; i++) {
        struct ll_port rule = {.access = LL_NET_CONNECT, .port = want->ports[i]};

        if (syscall(LL_ADD_RULE, ruleset, LL_RULE_NET_PORT, &rule, 0) != 0)
            r = -errno;
    }
    return r;
}

int landlock_enter(const struct sandbox_want *want)
{
    long abi = syscall(LL_CREATE_RULESET, NULL, 0, 1u /* which ABI? */);
    struct ll_ruleset set = {0};
    size_t bytes;
    int fd;
    int r = 0;

    if (abi < 1)
        return 0; /* no such kernel, or switched off: said in the log line */
    if (abi > LL_ABI_MAX)
        abi = LL_ABI_MAX;
    set.fs = fs_rights(abi);
    set.net = abi >= LL_ABI_NET ? LL_NET_TCP : 0;
    set.scoped = abi >= 6 ? LL_SCOPE : 0;
    bytes = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    fd = (int)syscall(LL_CREATE_RULESET, &set, bytes, 0);
    if (fd < 0)
        return -errno;
    if (want->allow)
        r = want->allow(want, fd);
    if (r == 0 && abi >= LL_ABI_NET)
        r = allow_ports(want, fd);
    if (r == 0 && syscall(LL_RESTRICT_SELF, fd, 0) != 0)
        r = -errno;
    (void)close(fd);
    return r ? r : (int)abi;
}
