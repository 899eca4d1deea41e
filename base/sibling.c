#include "base/sibling.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

/* Seen from the folder of the running program, in this order. */
/* The first is the build tree and the image, the others are both directions of an installation. */
static const char *const places[] = {"", "../libexec/pillion/", "../../bin/"};

/* The folder of the running program with its slash; proc(5): exe is the path after all symlinks. */
static int own_folder(char *out, size_t bytes)
{
    ssize_t n = readlink("/proc/self/exe", out, bytes);
    char *slash;

    if (n < 0)
        return -errno;
    if ((size_t)n >= bytes)
        return -ENAMETOOLONG; /* readlink(2) cuts silently and sets no NUL */
    out[n] = '\0';
    slash = strrchr(out, '/');
    if (!slash)
        return -ENOENT;
    slash[1] = '\0';
    return 0;
}

/* Only root and our own file's owner may have made it, or can change it. */
static bool is_theirs(const char *path, uid_t owner)
{
    struct stat st;

    return stat(path, &st) == 0 && (st.st_uid == 0 || st.st_uid == owner) &&
           (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The program, and the folder that says which program it is. */
static bool may_be_started(const char *path)
{
    char folder[PATH_MAX];
    struct stat own;

    if (getauxval(AT_SECURE) == 0) /* nothing was gained by starting us: nothing to be taken */
        return true;
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path + 1), path);
    return stat("/proc/self/exe", &own) == 0 && is_theirs(path, own.st_uid) &&
           is_theirs(folder, own.st_uid);
}

int sibling_path(const char *name, char *out, size_t bytes)
{
    char folder[PATH_MAX];
    char path[PATH_MAX];
    int r = own_folder(folder, sizeof(folder));

    if (r)
        return r;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int n = snprintf(path, sizeof(path), "%s%s%s", folder, places[i], name);
        struct stat st;

        if (n < 0 || (size_t)n >= sizeof(path))
            return -ENAMETOOLONG;
        /* a folder passes access(2) X_OK too */
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || access(path, X_OK) != 0)
            continue;
        if (!may_be_started(path))
            return -EPERM;
        if ((size_t)n >= bytes)
            return -ENAMETOOLONG;
        memcpy(out, path, (size_t)n + 1);
        return 0;
    }
    return -ENOENT;
}
