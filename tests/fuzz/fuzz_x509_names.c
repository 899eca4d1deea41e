/*
 * Any bytes as a client certificate: what comes out of it must be names that mean one thing. The
 * names are then held against a list, as those of a verified one would be.
 */
#include "auth/certificate.h"
#include "auth/x509_names.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct config_certificate LIST[] = {
    {.name = "wide", .uri = "spiffe://td.example/*"},
    {.name = "dns", .dns = "host.example"},
    {.name = "email", .email = "a@b.example"},
    {.name = "cn", .cn = "client"},
};

static void check(const struct auth_peer *peer)
{
    size_t at = 0, uris = 0, common = 0;

    if (peer->verified || peer->count > AUTH_PEER_NAMES_MAX || peer->used > AUTH_PEER_TEXT_BYTES)
        abort();
    for (size_t i = 0; i < peer->count; i++) {
        const char *text = peer->text + peer->names[i].at;
        size_t n;

        if (peer->names[i].at != at || peer->names[i].kind > AUTH_NAME_CN)
            abort();
        n = strnlen(text, peer->used - at);
        if (n == 0 || n == peer->used - at || n >= AUTH_PEER_NAME_BYTES)
            abort();
        for (size_t k = 0; k < n; k++) {
            if ((unsigned char)text[k] < ' ' || text[k] == 0x7f)
                abort();
        }
        uris += peer->names[i].kind == AUTH_NAME_URI;
        common += peer->names[i].kind == AUTH_NAME_CN;
        at += n + 1;
    }
    if (at != peer->used || uris > 1 || common > 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct auth_peer peer;
    int r = auth_x509_names(data, bytes, &peer);

    if (r) {
        if ((r != -EBADMSG && r != -ENOTUNIQ && r != -E2BIG && r != -ENOMEM) || peer.count)
            abort();
        return 0;
    }
    check(&peer);
    if (auth_certificate_find(LIST, 4, &peer) != -ENOENT) /* nobody has verified it */
        abort();
    peer.verified = true;
    r = auth_certificate_find(LIST, 4, &peer);
    if (r != -ENOENT && (r < 0 || r >= 4))
        abort();
    return 0;
}
