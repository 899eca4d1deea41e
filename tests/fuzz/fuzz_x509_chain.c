/*
 * X.509 as a stranger shows it: the first two bytes are the length of a revocation list (0: none is
 * configured), then each certificate of his chain with its length before it. It is walked as after
 * a handshake. Nobody but who has the CA's key can make one that is believed: whatever passes has
 * to be the very certificate that this CA has signed.
 */
#include <assert.h>

#include "auth/auth.h"
#include "sidecar/http/tls_peer.h"

enum {
    CHAIN_MAX = 8,
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Made for this test, good until 2126; the key is nowhere. */
static const char CA[] = "-----BEGIN CERTIFICATE-----\n"
                         "MIIBizCCATGgAwIBAgIUSrvc5jlpughBcDbxoWa/6Yl0nFUwCgYIKoZIzj0EAwIw\n"
                         "EjEQMA4GA1UEAwwHZnV6ei1jYTAgFw0yNjExMjEyMzIwMDdaGA8yMTI2MTAyODIz\n"
                         "MjAwN1owEjEQMA4GA1UEAwwHZnV6ei1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
                         "A0IABJc/y6015JOR6V/5jRKhB/os72DfSka1GqZQ5eio//YEwsUwfjqsaafze5J9\n"
                         "lI/ecF81LOwxC/lmYqwVbPM/r0ajYzBhMB0GA1UdDgQWBBTU2y6ZJ4ZcmQtTwVNs\n"
                         "8Teoln8r0TAfBgNVHSMEGDAWgBTU2y6ZJ4ZcmQtTwVNs8Teoln8r0TAPBgNVHRMB\n"
                         "Af8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAKBggqhkjOPQQDAgNIADBFAiEA8e5W\n"
                         "9WNCJqtU+lMtyQV8Ed8BNdk0baB66a3JASsro9YCIA/uOFJjJ9ALu1sQmzqmDb6U\n"
                         "k9pYoeyip8qg3+7gQuZ6\n"
                         "-----END CERTIFICATE-----\n";
static const char CERTIFICATE[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBrDCCAVOgAwIBAgIUO8WwFyNm75+t5HNEWOhaWBwVc+IwCgYIKoZIzj0EAwIw\n"
    "EjEQMA4GA1UEAwwHZnV6ei1jYTAgFw0yNjExMjEyMzIwMDdaGA8yMTI2MTAyODIz\n"
    "MjAwN1owETEPMA0GA1UEAwwGY2xpZW50MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD\n"
    "QgAE15Fr9tYhF5/wrqRjYXtB00Nr7aQasDUevQ62Y+BtS/v82WxGqQYAE7buzGln\n"
    "dokBMhjlxBK8ZSvioRkwfpi1rqOBhTCBgjAJBgNVHRMEAjAAMBMGA1UdJQQMMAoG\n"
    "CCsGAQUFBwMCMCAGA1UdEQQZMBeGFXNwaWZmZTovL3RkLmV4YW1wbGUvYTAdBgNV\n"
    "HQ4EFgQU7SXIOI/6pFeNOMODn44sKXqdToowHwYDVR0jBBgwFoAU1NsumSeGXJkL\n"
    "U8FTbPE3qJZ/K9EwCgYIKoZIzj0EAwIDRwAwRAIgJ4NmcVNcqBqx7TY7+1gh/0TQ\n"
    "GVsvc1cmeHXkgLMxyc0CIApNXwiD0Atcb0ZmCj7NS7qEBUMsipa/fFpT/Sg+kmXI\n"
    "-----END CERTIFICATE-----\n";

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
