/*
 * Written by show_map_vma() of fs/proc/task_mmu.c: fixed columns up to the inode, then blanks, then
 * a path that may hold anything but a newline. Numbers are taken by their digits alone: no sign, no
 * blank, no prefix, and what does not fit 64 bits is no line of the kernel's.
 */
#include "guard/mapline.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "base/num.h"

/* Digits up to this very character, which is passed over. */
static bool number(const char **p, const char *digits, unsigned base, char end, uint64_t *ret)
{
    size_t n = strspn(*p, digits);

    if (num_u64(*p, n, base, UINT64_MAX, ret) || (*p)[n] != end)
        return false;
    *p += n + 1;
    return true;
}

static bool hex(const char **p, char end, uint64_t *ret)
{
    return number(p, "0123456789abcdef", 16, end, ret);
}

/* "rw-p ": the second and the fourth are what we need; 's' is shared with others. */
static bool perms(const char **p, struct mapline *ret)
{
    if (strnlen(*p, 5) < 5 || (*p)[4] != ' ')
        return false;
    ret->writable = (*p)[1] == 'w';
    ret->private = (*p)[3] == 'p';
    *p += 5;
    return true;
}

bool mapline_parse(const char *line, struct mapline *ret)
{
    uint64_t offset;
    uint64_t major;
    uint64_t minor;
    size_t n;

    if (!hex(&line, '-', &ret->start) || !hex(&line, ' ', &ret->end) || !perms(&line, ret) ||
        !hex(&line, ' ', &offset) || !hex(&line, ':', &major) || !hex(&line, ' ', &minor))
        return false;
    n = strspn(line, "0123456789");
    if (num_u64(line, n, 10, UINT64_MAX, &ret->inode))
        return false;
    line += n;
    line += strspn(line, " "); /* padded to a column; a path begins with a slash or a bracket */
    n = strlen(line);
    if (n >= sizeof(ret->path))
        return false;
    ret->dev = makedev((unsigned)major, (unsigned)minor);
    memcpy(ret->path, line, n + 1);
    return true;
}

bool mapline_unescape(char *path)
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
