#include "config/cidr.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/num.h"

enum {
    CIDR_MAPPED_BITS = 96, /* of ::ffff:0:0/96 (RFC 4291, 2.5.5.2) */
};

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* The address in front of the slash; returns the bits before its own first one, -EINVAL. */
static int parse_address(const char *text, size_t bytes, uint8_t ret[16])
{
    char one[INET6_ADDRSTRLEN];

    if (bytes >= sizeof(one))
        return -EINVAL;
    memcpy(one, text, bytes);
    one[bytes] = '\0';
    if (inet_pton(AF_INET6, one, ret) == 1)
        return 0;
    memcpy(ret, mapped, sizeof(mapped));
    return inet_pton(AF_INET, one, ret + sizeof(mapped)) == 1 ? CIDR_MAPPED_BITS : -EINVAL;
}

/* Does a bit behind the prefix stand in the address? */
static bool has_rest(const struct config_cidr *c)
{
    for (unsigned i = c->bits; i < 128; i++) {
        if (c->address[i / 8] & (0x80u >> (i % 8)))
            return true;
    }
    return false;
}

int config_cidr_parse(const char *text, struct config_cidr *ret, struct err *e)
{
    const char *slash = strchr(text, '/');
    size_t bytes = slash ? (size_t)(slash - text) : strlen(text);
    struct config_cidr c = {.bits = 128};
    int before = parse_address(text, bytes, c.address);
    uint64_t bits = 0;
    char clean[80];

    if (before < 0 ||
        (slash && num_u64(slash + 1, strlen(slash + 1), 10, (uint64_t)(128 - before), &bits) != 0))
        return err_set(e, -EINVAL,
                       "\"%s\" is no range; right are 10.0.0.0/8, 2001:db8::/32, 127.0.0.1",
                       err_clean(clean, sizeof(clean), text, strlen(text)));
    if (slash)
        c.bits = (uint8_t)((uint64_t)before + bits);
    if (has_rest(&c))
        return err_set(e, -EINVAL, "\"%s\" has bits behind its prefix; which one is wrong?",
                       err_clean(clean, sizeof(clean), text, strlen(text)));
    *ret = c;
    return 0;
}

void config_cidr_print(const struct config_cidr *c, struct buf *out)
{
    bool v4 = c->bits >= CIDR_MAPPED_BITS && memcmp(c->address, mapped, sizeof(mapped)) == 0;
    char text[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(v4 ? AF_INET : AF_INET6, c->address + (v4 ? sizeof(mapped) : 0), text,
                    sizeof(text));
    buf_printf(out, "%s/%u", text, c->bits - (v4 ? CIDR_MAPPED_BITS : 0u));
}

static bool holds(const struct config_cidr *c, const uint8_t address[static 16])
{
    unsigned whole = c->bits / 8, rest = c->bits % 8;
    unsigned mask = 0xff00u >> rest; /* its low byte has the upper `rest` bits */

    if (memcmp(c->address, address, whole) != 0)
        return false;
    return rest == 0 || ((c->address[whole] ^ address[whole]) & mask & 0xff) == 0;
}

bool config_cidr_holds(const struct config_cidr *list, size_t count,
                       const uint8_t address[static 16])
{
    for (size_t i = 0; i < count; i++) {
        if (holds(&list[i], address))
            return true;
    }
    return false;
}
