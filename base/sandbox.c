#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/caps.h"
#include "base/log.h"

void sandbox_undumpable(void)
{
    struct rlimit none = {0, 0};

    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
}

int sandbox_standard_fds(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* takes the lowest number free, which is this one; any folder will do without /dev */
        if (open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd &&
            open("/", O_PATH) != fd)
            return errno ? -errno : -EBADF;
    }
    return 0;
}

uint64_t sandbox_caps(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {0};

    if (syscall(SYS_capget, &head, data) != 0)
        return 0;
    return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

/* No exec of ours may gain anything: no_new_privs says it once, this says it again. */
static void drop_bounds(void)
{
    for (unsigned long cap = 0; cap < 64; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* without CAP_SETPCAP it stays as it is */
}

int sandbox_set_caps(uint64_t bits)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {0};

    bits &= sandbox_caps();
    data[0].effective = data[0].permitted = (uint32_t)bits;
    data[1].effective = data[1].permitted = (uint32_t)(bits >> 32);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &head, data) != 0 ? -errno : 0;
}

/* A parser that runs wild gets ENOMEM and a clear end, before its machine has none left. */
static void limit_address_space(const struct sandbox_want *want)
{
#ifdef SANDBOX_SANITIZED
    (void)want; /* shadow memory takes terabytes of addresses */
#else
    struct rlimit room;

    if (want->role == SANDBOX_GUARD || getrlimit(RLIMIT_AS, &room) != 0)
        return;
    if (room.rlim_max > (rlim_t)SANDBOX_ADDRESS_GIB << 30)
        room.rlim_cur = room.rlim_max = (rlim_t)SANDBOX_ADDRESS_GIB << 30;
    (void)setrlimit(RLIMIT_AS, &room);
#endif
}

/* Sizes and counts that a runaway parser may not pass. No limit on processes for the guard. */
static int set_limits(const struct sandbox_want *want, struct err *e)
{
    struct rlimit none = {0, 0};
    struct rlimit files;

    (void)setrlimit(RLIMIT_CORE, &none);
    limit_address_space(want);
    if (want->nofile) {
        if (getrlimit(RLIMIT_NOFILE, &files) != 0)
            return err_set(e, -errno, "cannot read RLIMIT_NOFILE");
        /* never up: that takes CAP_SYS_RESOURCE, and a low limit was somebody's wish */
        if (files.rlim_max > want->nofile)
            files.rlim_max = want->nofile;
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            return err_set(e, -errno, "cannot set RLIMIT_NOFILE");
    }
    return 0;
}

/*
 * What sampler and sidecar are refused beyond capabilities. The threads come between the layers
 * that belong to a thread and those that end the making of threads: RLIMIT_NPROC counts them too,
 * and the filter is put over all that are there (SECCOMP_FILTER_FLAG_TSYNC).
 */
static int close_in(const struct sandbox_want *want, struct sandbox_state *s, struct err *e)
{
    struct rlimit none = {0, 0};
    int r;

    s->landlock_abi = landlock_enter(want);
    if (s->landlock_abi < 0)
        return err_set(e, s->landlock_abi, "Landlock: %s", strerror(-s->landlock_abi));
    r = want->threads ? want->threads() : 0;
    if (r)
        return err_set(e, r, "cannot start threads: %s", strerror(-r));
    (void)setrlimit(RLIMIT_NPROC, &none); /* root is exempt by capability, and we have none left */
    s->seccomp = seccomp_enter(want);
    if (s->seccomp < 0)
        return err_set(e, s->seccomp, "seccomp: %s", strerror(-s->seccomp));
    return 0;
}

int sandbox_enter(const struct sandbox_want *want, struct sandbox_state *ret, struct err *e)
{
    struct sandbox_state s = {0};
    int r = set_limits(want, e);

    if (r)
        return r;
    sandbox_undumpable();
    drop_bounds();
    r = sandbox_set_caps(want->keep_caps);
    if (r)
        return err_set(e, r, "cannot drop capabilities: %s", strerror(-r));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set(e, -errno, "cannot set no_new_privs");
    s.no_new_privs = true;
    s.starts_programs = want->role == SANDBOX_GUARD;
    s.uid = getuid();
    s.gid = getgid();
    s.caps = sandbox_caps();
    s.dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
    r = want->role == SANDBOX_GUARD ? 0 : close_in(want, &s, e);
    if (r)
        return r;
    if (ret)
        *ret = s;
    return 0;
}

void sandbox_log(const struct sandbox_state *s)
{
    char caps[CAPS_TEXT_BYTES];
    char landlock[32];
    char filter[32];

    (void)snprintf(landlock, sizeof(landlock), s->landlock_abi ? "abi %d" : "not in this kernel",
                   s->landlock_abi);
#ifdef SANDBOX_PERMISSIVE
    (void)snprintf(filter, sizeof(filter), "refuses nothing"); /* a build for debugging */
#else
    (void)snprintf(filter, sizeof(filter), s->seccomp ? "%d instructions" : "not in this kernel",
                   s->seccomp);
#endif
    log_info("confined", LOG_U64("uid", s->uid), LOG_U64("gid", s->gid),
             LOG_STR("capabilities", caps_text(s->caps, caps, sizeof(caps))),
             LOG_BOOL("no_new_privs", s->no_new_privs), LOG_BOOL("dumpable", s->dumpable),
             LOG_STR("landlock", s->starts_programs ? "no: it starts programs" : landlock),
             LOG_STR("seccomp", s->starts_programs ? "no: it starts programs" : filter));
}
