#include "sidecar/http/tls_rules.h"

#include "sidecar/http/tls_load.h"

/* TLS 1.3 first; for TLS 1.2 the order is ours, for 1.3 the client's. */
static const int SUITES[] = {
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};
/* What every client of the last ten years has one of; no finite-field groups. */
static const uint16_t GROUPS[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};
/* h2 must not stand here: `go tool pprof https://` would take it, and this server would not. */
static const char *ALPN[] = {"http/1.1", NULL};

int tls_rules_set(mbedtls_ssl_config *c, int endpoint, mbedtls_ctr_drbg_context *random,
                  struct err *e)
{
    int m = mbedtls_ssl_config_defaults(c, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT);

    if (m)
        return tls_load_failed(e, m, "TLS settings");
    mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, random);
    mbedtls_ssl_conf_min_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_ciphersuites(c, SUITES);
    /* A ticket would let a client back in without a look at what has changed since. */
    mbedtls_ssl_conf_session_tickets(c, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_renegotiation(c, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_tls13_key_exchange_modes(c, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
    if (endpoint == MBEDTLS_SSL_IS_SERVER) {
        mbedtls_ssl_conf_new_session_tickets(c, 0);
        mbedtls_ssl_conf_groups(c, GROUPS); /* as a client: what the server's certificate has */
    }
    m = mbedtls_ssl_conf_alpn_protocols(c, ALPN);
    return m ? tls_load_failed(e, m, "TLS settings") : 0;
}
