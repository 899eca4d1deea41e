/*
 * Any text as X-Forwarded-For, and as a range: the client that comes out is the last address that
 * is not trusted, so adding one on the left changes nothing, and a range that is taken holds its
 * own address and prints as what is read back.
 */
#include <string.h>

#include "config/cidr.h"
#include "sidecar/http/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void try_range(const char *text)
{
    struct config_cidr c, again;
    struct buf out;

    if (config_cidr_parse(text, &c, NULL))
        return;
    buf_init(&out, 256);
    config_cidr_print(&c, &out);
    if (c.bits > 128 || !config_cidr_holds(&c, 1, c.address) ||
        config_cidr_parse(buf_text(&out), &again, NULL) || again.bits != c.bits ||
        memcmp(again.address, c.address, sizeof(c.address)) != 0)
        abort();
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char lie[] = "192.0.2.77,";
    char text[FORWARDED_MAX_BYTES + sizeof(lie) + 16];
    struct config_cidr trusted;
    uint8_t client[16], other[16];
    bool ours;

    if (bytes > FORWARDED_MAX_BYTES + 8)
        return 0;
    (void)config_cidr_parse("10.0.0.0/8", &trusted, NULL);
    memcpy(text, lie, sizeof(lie));
    memcpy(text + sizeof(lie) - 1, data, bytes);
    text[sizeof(lie) - 1 + bytes] = '\0';
    try_range(text + sizeof(lie) - 1);
    if (forwarded_client(text + sizeof(lie) - 1, &trusted, 1, client))
        return 0;
    ours = config_cidr_holds(&trusted, 1, client);
    /* all trusted: then the address on the left is the client now; else it is not asked */
    if (forwarded_client(text, &trusted, 1, other) == 0 && !ours &&
        memcmp(client, other, sizeof(client)) != 0)
        abort();
    return 0;
}
