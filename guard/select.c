#include "guard/select.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

static bool match_process(struct select *s, pid_t pid, const struct proc_stat *st)
{
    char exe[PROC_PATH_BYTES];
    char argv[PROC_TEXT_MAX_BYTES];

    if (strcmp(st->comm, s->plan->text) == 0)
        return true;
    if (proc_exe(pid, exe, sizeof(exe)) == 0 && strcmp(proc_base(exe), s->plan->text) == 0)
        return true;
    return proc_read(pid, "cmdline", argv, sizeof(argv)) > 0 &&
           strcmp(proc_base(argv), s->plan->text) == 0;
}

static bool match_cmdline(struct select *s, pid_t pid)
{
    char argv[PROC_TEXT_MAX_BYTES];
    ssize_t n = proc_read(pid, "cmdline", argv, sizeof(argv));

    if (n <= 0)
        return false;
    for (ssize_t i = 0; i + 1 < n; i++) {
        if (argv[i] == '\0')
            argv[i] = ' ';
    }
    return regexec(&s->regex, argv, 0, NULL, 0) == 0;
}

/* A path component of a cgroup line that begins with the id (or "docker-ID.scope", "cri-…-ID"). */
static bool match_container(struct select *s, pid_t pid)
{
    char text[PROC_TEXT_MAX_BYTES];
    const char *at = text;

    if (proc_read(pid, "cgroup", text, sizeof(text)) <= 0)
        return false;
    while ((at = strstr(at, s->plan->text)) != NULL) {
        if (at > text && (at[-1] == '/' || at[-1] == '-' || at[-1] == ':'))
            return true;
        at++;
    }
    return false;
}

static bool match_env(struct select *s, pid_t pid)
{
    ssize_t n = proc_read(pid, "environ", s->big, PROC_ENVIRON_MAX_BYTES);

    for (ssize_t i = 0; i < n;) {
        if (strcmp(s->big + i, s->plan->text) == 0)
            return true;
        i += (ssize_t)strlen(s->big + i) + 1;
    }
    return false;
}

/* Field number n (from 0) of a line, fields apart by spaces; its length, 0: no such field. */
static size_t field(const char *line, unsigned n, const char **ret)
{
    size_t length;

    for (;;) {
        line += strspn(line, " ");
        length = strcspn(line, " \n");
        if (n-- == 0 || length == 0)
            break;
        line += length;
    }
    *ret = line;
    return length;
}

/* /proc/net/tcp (proc(5)): "sl local:port remote:port st …", inode in field 9; st 0A listens. */
static bool listening(const char *line, uint64_t want_port, uint64_t *ret_inode)
{
    const char *at;
    const char *colon;
    uint64_t port;
    size_t n = field(line, 1, &at);

    colon = n ? memchr(at, ':', n) : NULL;
    if (!colon || num_u64(colon + 1, n - (size_t)(colon + 1 - at), 16, 65535, &port) ||
        port != want_port)
        return false;
    n = field(line, 3, &at);
    if (n != 2 || memcmp(at, "0A", 2) != 0)
        return false;
    n = field(line, 9, &at);
    return num_u64(at, n, 10, UINT64_MAX, ret_inode) == 0;
}

static void listening_inodes(struct select *s, const char *name, char *text)
{
    ssize_t n = proc_read(0, name, text, SELECT_NET_MAX_BYTES);

    if (n <= 0)
        return;
    for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        uint64_t inode;

        if (listening(line + 1, s->plan->number, &inode) && s->inodes_count < SELECT_INODES_MAX)
            s->inodes[s->inodes_count++] = inode;
    }
}

static bool match_port(struct select *s, pid_t pid)
{
    char path[64];
    struct dirent *de;
    bool found = false;
    DIR *dir;

    if (s->inodes_count == 0)
        return false;
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (!dir)
        return false;
    for (int i = 0; i < SELECT_FDS_MAX && !found && (de = readdir(dir)) != NULL; i++) {
        char link[64];
        ssize_t n = readlinkat(dirfd(dir), de->d_name, link, sizeof(link) - 1);
        uint64_t inode;

        if (n < 10 || memcmp(link, "socket:[", 8) != 0)
            continue;
        if (num_u64(link + 8, (size_t)n - 9, 10, UINT64_MAX, &inode))
            continue;
        for (size_t k = 0; k < s->inodes_count && !found; k++)
            found = s->inodes[k] == inode;
    }
    (void)closedir(dir);
    return found;
}

bool select_match(struct select *s, pid_t pid, const struct proc_stat *st)
{
    switch ((enum plan_select)s->plan->select) {
    case PLAN_SELECT_PID:
        return (uint64_t)pid == s->plan->number;
    case PLAN_SELECT_PROCESS:
        return match_process(s, pid, st);
    case PLAN_SELECT_PORT:
        return match_port(s, pid);
    case PLAN_SELECT_CMDLINE:
        return match_cmdline(s, pid);
    case PLAN_SELECT_CONTAINER:
        return match_container(s, pid);
    case PLAN_SELECT_ENV:
        return match_env(s, pid);
    case PLAN_SELECT_AUTO:
        return true;
    case PLAN_SELECT_END:
    default:
        return false;
    }
}

int select_init(struct select *s, const struct plan *plan)
{
    memset(s, 0, sizeof(*s));
    s->plan = plan;
    s->big = malloc(PROC_ENVIRON_MAX_BYTES);
    if (!s->big)
        return -ENOMEM;
    if (plan->select == PLAN_SELECT_CMDLINE) {
        if (regcomp(&s->regex, plan->text, REG_EXTENDED | REG_NOSUB) != 0)
            return -EINVAL; /* the plan was checked: only memory is left as a reason */
        s->have_regex = true;
    }
    if (plan->select == PLAN_SELECT_PORT) {
        char *text = malloc(SELECT_NET_MAX_BYTES);

        if (!text)
            return -ENOMEM;
        listening_inodes(s, "net/tcp", text);
        listening_inodes(s, "net/tcp6", text);
        free(text);
    }
    return 0;
}

void select_release(struct select *s)
{
    if (s->have_regex)
        regfree(&s->regex);
    s->have_regex = false;
    free(s->big);
    s->big = NULL;
}
