/*
 * X.509 as a stranger shows it: the first two bytes are the length of a revocation list (0: none is
 * configured), then each certificate of his chain with its length before it. It is walked as after
 * a handshake. Nobody but who has the CA's key can make one that is believed: whatever passes has
 * to be the very certificate that this CA has signed.
 */
#include <assert.h>

#include "auth/auth.h"
#include "sidecar/http/tls_peer.h"
#include "tests/fuzz/certificates.h"

enum {
    CHAIN_MAX = 8,
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct tls_trust trust;
static mbedtls_x509_crt signed_one;

static size_t take_length(const uint8_t **data, size_t *bytes)
{
    size_t n;

    if (*bytes < 2)
        return 0;
    n = (size_t)(*data)[0] | (size_t)(*data)[1] << 8;
    *data += 2;
    *bytes -= 2;
    return n < *bytes ? n : *bytes;
}

/* The end of the memory is the end of what may be read. */
static int parse(mbedtls_x509_crt *chain, const uint8_t *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);
    int r;

    assert(copy);
    memcpy(copy, data, bytes);
    r = mbedtls_x509_crt_parse_der(chain, copy, bytes);
    free(copy);
    return r;
}

static void check(mbedtls_x509_crt *chain)
{
    static struct auth_peer names;
    enum tls_peer verdict;

    memset(&names, 0, sizeof(names));
    verdict = tls_peer_again(&trust, chain, &names);
    assert(verdict < TLS_PEERS && tls_peer_text(verdict));
    assert(names.verified == (verdict == TLS_PEER_OK));
    assert(verdict == TLS_PEER_OK || tls_peer_alert(verdict));
    assert(verdict != TLS_PEER_OK || (chain->raw.len == signed_one.raw.len &&
                                      memcmp(chain->raw.p, signed_one.raw.p, chain->raw.len) == 0));
    assert(tls_peer_refused(verdict, &trust) ==
           (verdict != TLS_PEER_OK && verdict != TLS_PEER_NONE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    mbedtls_x509_crt chain;
    size_t n = take_length(&data, &bytes);

    mbedtls_x509_crl_init(&trust.crl);
    trust.has_crl = n > 0;
    if (n > 0 && mbedtls_x509_crl_parse_der(&trust.crl, data, n)) {
        mbedtls_x509_crl_free(&trust.crl);
        return 0;
    }
    (void)tls_trust_stale(&trust);
    data += n;
    bytes -= n;
    mbedtls_x509_crt_init(&chain);
    for (int i = 0; i < CHAIN_MAX && bytes > 0; i++) {
        n = take_length(&data, &bytes);
        if (parse(&chain, data, n))
            break;
        data += n;
        bytes -= n;
    }
    if (chain.raw.p)
        check(&chain);
    mbedtls_x509_crt_free(&chain);
    mbedtls_x509_crl_free(&trust.crl);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    tls_trust_init(&trust);
    trust.client_auth = CONFIG_CLIENT_OPTIONAL;
    mbedtls_x509_crt_init(&signed_one);
    if (mbedtls_x509_crt_parse(&trust.ca, (const unsigned char *)CA, sizeof(CA)) ||
        mbedtls_x509_crt_parse(&signed_one, (const unsigned char *)CERTIFICATE,
                               sizeof(CERTIFICATE)))
        abort();
    return 0;
}
