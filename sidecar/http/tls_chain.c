/*
 * The tap reads what mbedTLS will read, so where the two could differ the tap is the stricter one:
 * lengths have to fit to the byte. A certificate that does not parse is left out, since mbedTLS
 * either leaves it out of the chain as well (an algorithm it does not know) or ends the handshake.
 */
#include "sidecar/http/tls_chain.h"

#include <mbedtls/rsa.h>
#include <mbedtls/ssl.h>

#include <stdlib.h>
#include <string.h>

static bool is_dear_rsa(mbedtls_rsa_context *rsa)
{
    mbedtls_mpi exponent;
    bool dear;

    mbedtls_mpi_init(&exponent);
    dear = mbedtls_rsa_get_len(rsa) * 8 > TLS_CHAIN_RSA_MAX_BITS ||
           mbedtls_rsa_export(rsa, NULL, NULL, NULL, NULL, &exponent) != 0 ||
           mbedtls_mpi_bitlen(&exponent) > TLS_CHAIN_RSA_EXPONENT_MAX_BITS;
    mbedtls_mpi_free(&exponent);
    return dear;
}

static bool is_dear_curve(const mbedtls_ecp_keypair *key)
{
    mbedtls_ecp_group_id id = mbedtls_ecp_keypair_get_group_id(key);

    return id != MBEDTLS_ECP_DP_SECP256R1 && id != MBEDTLS_ECP_DP_SECP384R1 &&
           id != MBEDTLS_ECP_DP_SECP521R1;
}

bool tls_chain_is_dear(const mbedtls_x509_crt *crt)
{
    if (mbedtls_pk_get_type(&crt->pk) == MBEDTLS_PK_RSA)
        return is_dear_rsa(mbedtls_pk_rsa(crt->pk));
    return mbedtls_pk_get_type(&crt->pk) != MBEDTLS_PK_ECKEY ||
           is_dear_curve(mbedtls_pk_ec(crt->pk));
}

enum tls_peer tls_chain_look(const mbedtls_x509_crt *chain)
{
    size_t n = 0;

    for (; chain; chain = chain->next) {
        if (++n > TLS_CHAIN_CERTIFICATES_MAX)
            return TLS_PEER_TOO_DEEP;
        if (tls_chain_is_dear(chain))
            return TLS_PEER_DEAR;
    }
    return TLS_PEER_OK;
}

static size_t get24(const unsigned char *p)
{
    return (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
}

/* The body: the list's length, and then each certificate's with its bytes. */
static enum tls_peer look_at_list(const unsigned char *p, size_t bytes)
{
    enum tls_peer v = TLS_PEER_OK;
    mbedtls_x509_crt chain;
    size_t one;

    if (bytes < 3 || get24(p) != bytes - 3)
        return TLS_PEER_REFUSED;
    mbedtls_x509_crt_init(&chain);
    for (p += 3, bytes -= 3; bytes && v == TLS_PEER_OK; p += one, bytes -= one) {
        if (bytes < 3 || get24(p) > bytes - 3) {
            v = TLS_PEER_REFUSED;
            break;
        }
        one = get24(p) + 3;
        if (mbedtls_x509_crt_parse_der_nocopy(&chain, p + 3, one - 3) == 0)
            v = tls_chain_look(&chain);
    }
    mbedtls_x509_crt_free(&chain);
    return v;
}

static enum tls_peer begin_message(struct tls_chain_tap *t)
{
    size_t bytes = get24(t->start + 1);

    if (t->start[0] != MBEDTLS_SSL_HS_CERTIFICATE) {
        t->done = true; /* out of turn: mbedTLS's business */
        return TLS_PEER_OK;
    }
    if (bytes > TLS_CHAIN_MESSAGE_MAX_BYTES)
        return TLS_PEER_REFUSED;
    t->message = malloc(bytes + 1); /* never of no size */
    t->wanted += bytes;
    return t->message ? TLS_PEER_OK : TLS_PEER_REFUSED;
}

/* Some of a record's content, at most up to the end of what is wanted; how many bytes it took. */
static size_t take(struct tls_chain_tap *t, const unsigned char *data, size_t bytes,
                   enum tls_peer *ret)
{
    size_t n = t->wanted - t->used;

    n = n < bytes ? n : bytes;
    n = n < t->record_left ? n : t->record_left;
    if (t->used < sizeof(t->start))
        memcpy(t->start + t->used, data, n);
    else
        memcpy(t->message + t->used - sizeof(t->start), data, n);
    t->used += n;
    t->record_left -= n;
    if (t->used == sizeof(t->start) && !t->message)
        *ret = begin_message(t);
    if (*ret == TLS_PEER_OK && !t->done && t->message && t->used == t->wanted) {
        *ret = look_at_list(t->message, t->used - sizeof(t->start));
        t->done = true;
    }
    return n;
}

enum tls_peer tls_chain_tap(struct tls_chain_tap *t, const unsigned char *data, size_t bytes)
{
    enum tls_peer v = TLS_PEER_OK;

    if (t->wanted == 0)
        t->wanted = sizeof(t->start);
    while (bytes && !t->done && v == TLS_PEER_OK) {
        size_t n = 1;

        if (t->record_left) {
            n = take(t, data, bytes, &v);
        } else {
            t->head[t->head_bytes++] = *data;
            if (t->head_bytes == sizeof(t->head)) {
                t->head_bytes = 0;
                t->record_left = (size_t)t->head[3] << 8 | t->head[4];
                t->done = t->head[0] != MBEDTLS_SSL_MSG_HANDSHAKE;
            }
        }
        data += n;
        bytes -= n;
    }
    if (t->done || v != TLS_PEER_OK)
        tls_chain_tap_release(t);
    return v;
}

void tls_chain_tap_release(struct tls_chain_tap *t)
{
    if (!t)
        return;
    free(t->message);
    t->message = NULL;
    t->done = true;
}
