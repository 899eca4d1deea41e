/*
 * Any bytes where a client's Certificate message is due (TLS 1.2): the tap reads what mbedTLS
 * would. The same bytes by pieces have to come to the same, whatever the pieces are.
 */
#include "sidecar/http/tls_chain.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static enum tls_peer feed(const uint8_t *data, size_t bytes, size_t piece)
{
    struct tls_chain_tap t = {.used = 0};
    enum tls_peer v = TLS_PEER_OK;

    for (size_t at = 0; at < bytes && v == TLS_PEER_OK; at += piece)
        v = tls_chain_tap(&t, data + at, bytes - at < piece ? bytes - at : piece);
    tls_chain_tap_release(&t);
    if (v != TLS_PEER_OK && v != TLS_PEER_DEAR && v != TLS_PEER_TOO_DEEP && v != TLS_PEER_REFUSED)
        abort();
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    enum tls_peer whole = feed(data, bytes, bytes ? bytes : 1);

    if (feed(data, bytes, 1) != whole || feed(data, bytes, 7) != whole)
        abort();
    return 0;
}
