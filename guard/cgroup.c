#include "guard/cgroup.h"

#include <stddef.h>
#include <string.h>

static const char hex[] = "0123456789abcdef";

/* The last run of exactly 64 hex digits in the line: inner containers stand behind outer ones. */
static const char *last_id(const char *line, size_t bytes)
{
    const char *found = NULL;
    size_t i = 0;

    while (i < bytes) {
        size_t run = strspn(line + i, hex);

        if (run > bytes - i)
            run = bytes - i;
        if (run == CGROUP_ID_BYTES - 1)
            found = line + i;
        i += run + 1;
    }
    return found;
}

/* Version 1 has a line for each controller; a manager that sets only some still sets the same id.
 */
bool cgroup_container(const char *text, char ret[static CGROUP_ID_BYTES])
{
    const char *found = NULL;

    ret[0] = '\0';
    while (*text && !found) {
        size_t bytes = strcspn(text, "\n");

        found = last_id(text, bytes);
        text += bytes + (text[bytes] == '\n');
    }
    if (!found)
        return false;
    memcpy(ret, found, CGROUP_ID_BYTES - 1);
    ret[CGROUP_ID_BYTES - 1] = '\0';
    return true;
}
