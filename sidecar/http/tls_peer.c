/*
 * Order of the verdict: first whether the chain is anybody's at all, since nothing else in it means
 * anything before; then what its issuer has said of it; last what we make of its content. Whatever
 * mbedTLS may find that is not known here is a refusal, too: only a clean result is "ok".
 */
#include "sidecar/http/tls_peer.h"

#include <mbedtls/oid.h>
#include <mbedtls/ssl.h>

#include <errno.h>

#include "auth/x509_names.h"
#include "sidecar/http/tls_chain.h"
#include "sidecar/http/tls_load.h"

#define CRL_END "-----END X509 CRL-----"

static const struct {
    unsigned char alert;
    const char *text;
} VERDICTS[TLS_PEERS] = {
    [TLS_PEER_NONE] = {116, "a client certificate is required"}, /* certificate_required */
    [TLS_PEER_OK] = {0, "the client certificate is valid"},
    [TLS_PEER_UNKNOWN_CA] = {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA,
                             "the client certificate's chain does not lead to a CA of "
                             "admin.tls.client_ca (an intermediate may be missing)"},
    [TLS_PEER_TOO_DEEP] = {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA,
                           "the client certificate's chain has more than three issuers"},
    [TLS_PEER_REVOKED] = {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED,
                          "the client certificate, or an issuer's, is revoked"},
    [TLS_PEER_EXPIRED] = {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED,
                          "the client certificate, or an issuer's, has expired"},
    [TLS_PEER_NOT_YET] = {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED,
                          "the client certificate, or an issuer's, is not valid yet"},
    [TLS_PEER_WRONG_USAGE] = {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT,
                              "the certificate is not for TLS clients (extended key usage "
                              "clientAuth, key usage digitalSignature)"},
    [TLS_PEER_WEAK] = {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT,
                       "the client certificate's chain has a weak key or signature"},
    [TLS_PEER_DEAR] = {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT,
                       "a key in the client certificate's chain is too dear to check: RSA of more "
                       "than 4096 bits or with an exponent of more than 32, or a curve other "
                       "than P-256, P-384 and P-521"},
    [TLS_PEER_NO_CRL] = {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED,
                         "no trustworthy revocation list of an issuer of the client certificate "
                         "is in admin.tls.crl"},
    [TLS_PEER_STALE_CRL] = {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED,
                            "the revocation list in admin.tls.crl is stale or not valid yet"},
    [TLS_PEER_MANY_URIS] = {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT,
                            "the client certificate has more than one URI"},
    [TLS_PEER_BAD_NAMES] = {MBEDTLS_SSL_ALERT_MSG_BAD_CERT,
                            "the client certificate's names are too long, too many or malformed"},
    [TLS_PEER_REFUSED] = {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED,
                          "the client certificate was not accepted"},
};

void tls_trust_init(struct tls_trust *t)
{
    memset(t, 0, sizeof(*t));
    mbedtls_x509_crt_init(&t->ca);
    mbedtls_x509_crl_init(&t->crl);
}

void tls_trust_release(struct tls_trust *t)
{
    if (!t)
        return;
    mbedtls_x509_crt_free(&t->ca);
    mbedtls_x509_crl_free(&t->crl);
}

/* Strict, unlike programs that read the system's bundle: this file is written for us, and a CA that
 * is not understood would lock its clients out in silence. */
static int load_ca(struct tls_trust *t, const char *path, struct err *e)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    int m, r = tls_load_file(path, TLS_FILE_MAX_BYTES, &data, &bytes, e);

    if (r)
        return r;
    m = mbedtls_x509_crt_parse(&t->ca, data, bytes + 1);
    tls_load_wipe(data, bytes);
    if (m > 0)
        return err_set(e, -EINVAL, "%s: %d of the CA certificates cannot be read", path, m);
    if (m < 0) {
        r = tls_load_failed(e, m, "no CA certificate");
        err_prefix(e, "%s", path);
        return r;
    }
    return 0;
}

/* mbedTLS wants another list after each blank line at the end (-0x1080), so nothing is left after
 * the last one. Returns the length with its NUL; DER, which has no text, is of its exact length. */
static size_t trim_crl(unsigned char *data, size_t bytes)
{
    unsigned char *end = NULL, *at = data;

    while ((at = memmem(at, bytes - (size_t)(at - data), CRL_END, sizeof(CRL_END) - 1)) != NULL) {
        at += sizeof(CRL_END) - 1;
        end = at;
    }
    if (!end)
        return bytes;
    *end = '\0';
    return (size_t)(end - data) + 1;
}

static int load_crl(struct tls_trust *t, const char *path, struct err *e)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    int m, r = tls_load_file(path, TLS_CRL_MAX_BYTES, &data, &bytes, e);

    if (r)
        return r;
    m = mbedtls_x509_crl_parse(&t->crl, data, trim_crl(data, bytes));
    tls_load_wipe(data, bytes);
    if (m) {
        r = tls_load_failed(e, m, "not a certificate revocation list that can be read");
        err_prefix(e, "%s", path);
        return r;
    }
    t->has_crl = true;
    return 0;
}

int tls_trust_load(struct tls_trust *t, const struct tls_settings *s, struct err *e)
{
    int r;

    t->client_auth = s->client_auth;
    if (s->client_auth == CONFIG_CLIENT_OFF)
        return 0;
    if (!s->client_ca || s->client_ca[0] == '\0')
        return err_set(e, -EINVAL, "admin.tls.client_auth needs admin.tls.client_ca");
    r = load_ca(t, s->client_ca, e);
    for (size_t i = 0; i < s->crls_count && r == 0; i++)
        r = load_crl(t, s->crls[i], e);
    return r;
}

int64_t tls_trust_stale(const struct tls_trust *t)
{
    int64_t first = 0;

    if (!t->has_crl)
        return 0;
    for (const mbedtls_x509_crl *c = &t->crl; c; c = c->next) {
        int64_t to = tls_load_time(&c->next_update);

        first = first == 0 || to < first ? to : first;
    }
    return first;
}

static bool same_name(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
    return a->len == b->len && a->len && memcmp(a->p, b->p, a->len) == 0;
}

/* By the bytes of the name. mbedTLS then finds this very list: what is equal in bytes is so in its
 * more lenient comparison as well. It passes over lists without a version (an empty struct). */
static bool has_crl_of(const struct tls_trust *t, const mbedtls_x509_buf *issuer)
{
    for (const mbedtls_x509_crl *c = &t->crl; c; c = c->next) {
        if (c->version != 0 && same_name(&c->issuer_raw, issuer))
            return true;
    }
    return false;
}

/* An issuer may say "any" of what it vouches for; a client's own has to name it, or nothing. */
static bool is_for_clients(const mbedtls_x509_crt *crt, bool own)
{
    size_t n = 0;

    if (own && mbedtls_x509_crt_check_key_usage(crt, MBEDTLS_X509_KU_DIGITAL_SIGNATURE))
        return false;
    if (!mbedtls_x509_crt_has_ext_type(crt, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE))
        return true;
    for (const mbedtls_x509_sequence *s = &crt->ext_key_usage; s; s = s->next) {
        if (n++ == TLS_PEER_USAGES_MAX)
            return false;
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_CLIENT_AUTH, &s->buf) == 0 ||
            (!own && MBEDTLS_OID_CMP(MBEDTLS_OID_ANY_EXTENDED_KEY_USAGE, &s->buf) == 0))
            return true;
    }
    return false;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is that of mbedTLS's callbacks */
int tls_look_at(void *look, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct tls_look *l = look;
    /* the first is the top: a trust anchor, which nobody can revoke but who wrote the bundle; one
     * that is its own top (a pinned leaf) has itself as issuer */
    bool top = !l->walking;

    l->walking = true;
    l->flags |= *flags;
    if (depth > TLS_PEER_DEPTH_MAX)
        l->too_deep = true;
    if (!is_for_clients(crt, depth == 0))
        l->wrong_usage = true;
    if (l->trust->has_crl && (!top || depth == 0) && !has_crl_of(l->trust, &crt->issuer_raw))
        l->no_crl = true;
    if (depth == 0 && tls_chain_is_dear(crt))
        return MBEDTLS_ERR_X509_FATAL_ERROR;
    if (depth == 0)
        l->whole = true;
    return 0;
}

static enum tls_peer verdict_of(const struct tls_look *l, uint32_t f)
{
    const uint32_t weak = MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK |
                          MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCRL_BAD_MD |
                          MBEDTLS_X509_BADCRL_BAD_PK | MBEDTLS_X509_BADCRL_BAD_KEY;
    const uint32_t usage = MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
                           MBEDTLS_X509_BADCERT_NS_CERT_TYPE;
    const uint32_t stale = MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE;

    if (l->too_deep)
        return TLS_PEER_TOO_DEEP;
    if (f & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return TLS_PEER_UNKNOWN_CA;
    if (f & MBEDTLS_X509_BADCERT_REVOKED)
        return TLS_PEER_REVOKED;
    if (f & MBEDTLS_X509_BADCERT_EXPIRED)
        return TLS_PEER_EXPIRED;
    if (f & MBEDTLS_X509_BADCERT_FUTURE)
        return TLS_PEER_NOT_YET;
    if (l->wrong_usage || (f & usage))
        return TLS_PEER_WRONG_USAGE;
    if (f & weak)
        return TLS_PEER_WEAK;
    if (l->no_crl || (f & MBEDTLS_X509_BADCRL_NOT_TRUSTED))
        return TLS_PEER_NO_CRL;
    if (f & stale)
        return TLS_PEER_STALE_CRL;
    return f == 0 && l->whole ? TLS_PEER_OK : TLS_PEER_REFUSED;
}

enum tls_peer tls_peer_judge(const struct tls_look *look, uint32_t result,
                             const mbedtls_x509_crt *crt, struct auth_peer *ret_names)
{
    enum tls_peer v;
    int r;

    if (look->trust->client_auth == CONFIG_CLIENT_OFF || !crt)
        return TLS_PEER_NONE;
    v = verdict_of(look, look->flags | result);
    if (v != TLS_PEER_OK)
        return v;
    r = auth_x509_names(crt->raw.p, crt->raw.len, ret_names);
    if (r == -ENOTUNIQ)
        return TLS_PEER_MANY_URIS;
    if (r)
        return TLS_PEER_BAD_NAMES;
    ret_names->verified = true;
    return TLS_PEER_OK;
}

enum tls_peer tls_peer_again(struct tls_trust *trust, mbedtls_x509_crt *crt,
                             struct auth_peer *ret_names)
{
    struct tls_look look = {.trust = trust};
    uint32_t flags = 0;
    int m = 0;

    if (crt && trust->client_auth != CONFIG_CLIENT_OFF) {
        m = mbedtls_x509_crt_verify(crt, &trust->ca, trust->has_crl ? &trust->crl : NULL, NULL,
                                    &flags, tls_look_at, &look);
    }
    /* all bits set for a fatal error, and nothing that happened by halves is a clean result */
    if (m && flags == 0)
        look.flags |= MBEDTLS_X509_BADCERT_OTHER;
    return tls_peer_judge(&look, flags, crt, ret_names);
}

bool tls_peer_refused(enum tls_peer verdict, const struct tls_trust *trust)
{
    if (verdict == TLS_PEER_NONE)
        return trust->client_auth == CONFIG_CLIENT_REQUIRED;
    return verdict != TLS_PEER_OK;
}

const char *tls_peer_text(enum tls_peer verdict)
{
    return VERDICTS[(unsigned)verdict < TLS_PEERS ? verdict : TLS_PEER_REFUSED].text;
}

unsigned char tls_peer_alert(enum tls_peer verdict)
{
    return VERDICTS[(unsigned)verdict < TLS_PEERS ? verdict : TLS_PEER_REFUSED].alert;
}
