#include "sidecar/http/forwarded.h"

#include <errno.h>
#include <string.h>

#include "config/cidr.h"
#include "sidecar/http/host.h"

static const char SPACE[] = " \t";

/* One entry, without the spaces around it. host_parse() takes names too: those are refused. */
static int parse_entry(const char *s, size_t bytes, uint8_t ret[static 16])
{
    char text[HOST_NAME_BYTES];
    struct host h;

    while (bytes && strchr(SPACE, s[0])) {
        s++;
        bytes--;
    }
    while (bytes && strchr(SPACE, s[bytes - 1]))
        bytes--;
    if (bytes == 0 || bytes >= sizeof(text))
        return -EINVAL;
    memcpy(text, s, bytes);
    text[bytes] = '\0';
    if (host_parse(text, &h) || !h.is_ip)
        return -EINVAL;
    memcpy(ret, &h.ip, 16);
    return 0;
}

int forwarded_client(const char *list, const struct config_cidr *trusted, size_t count,
                     uint8_t ret[static 16])
{
    uint8_t client[16] = {0};
    size_t entries = 0;

    if (strlen(list) > FORWARDED_MAX_BYTES)
        return -EINVAL;
    /* from the left: who is not trusted takes the place of all before him */
    for (const char *s = list;;) {
        size_t bytes = strcspn(s, ",");
        uint8_t one[16];

        if (++entries > FORWARDED_MAX || parse_entry(s, bytes, one))
            return -EINVAL;
        if (entries == 1 || !config_cidr_holds(trusted, count, one))
            memcpy(client, one, sizeof(client));
        if (s[bytes] == '\0')
            break;
        s += bytes + 1;
    }
    memcpy(ret, client, sizeof(client));
    return 0;
}
