/*
 * Our own certificate. mbedTLS does the parsing and the writing; the checks here are for mistakes
 * that would otherwise show only at the first client: a chain half understood, a key of another
 * certificate.
 */
#include "sidecar/http/tls_own.h"

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/sha256.h>

#include <errno.h>
#include <time.h>

#include "sidecar/http/tls_load.h"

enum {
    OWN_SERIAL_BYTES = 16,
    OWN_CERT_DER_BYTES = 24 * 1024, /* TLS_NAMES_MAX names of 255 bytes and the rest */
    OWN_YEAR_SECONDS = 365 * 86400,
    OWN_BACKDATE_SECONDS = 3600,   /* for clients whose clock is a bit behind */
    OWN_KEY_DER_BYTES = 16 * 1024, /* an RSA key of 16,384 bits has 9 KB */
    OWN_STAMP_BYTES = 15,          /* YYYYMMDDhhmmss and a NUL */
};

void tls_own_init(struct tls_own *o)
{
    memset(o, 0, sizeof(*o));
    mbedtls_x509_crt_init(&o->chain);
    mbedtls_pk_init(&o->key);
}

void tls_own_release(struct tls_own *o)
{
    if (!o)
        return;
    mbedtls_pk_free(&o->key);
    mbedtls_x509_crt_free(&o->chain);
}

/* What the status page and the start line show. An intermediate that ends before us ends us, too.
 */
static void remember(struct tls_own *o)
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char sum[32];

    o->expiry = tls_load_time(&o->chain.valid_to);
    for (const mbedtls_x509_crt *c = o->chain.next; c; c = c->next) {
        int64_t to = tls_load_time(&c->valid_to);

        o->expiry = to < o->expiry ? to : o->expiry;
    }
    if (mbedtls_sha256(o->chain.raw.p, o->chain.raw.len, sum, 0))
        return;
    for (size_t i = 0; i < sizeof(sum); i++) {
        o->sha256[2 * i] = DIGITS[sum[i] >> 4];
        o->sha256[2 * i + 1] = DIGITS[sum[i] & 15];
    }
}

int tls_own_load(struct tls_own *o, const char *certificate, const char *key,
                 mbedtls_ctr_drbg_context *random, struct err *e)
{
    unsigned char *pem = NULL;
    size_t bytes = 0;
    int m;
    int r = tls_load_file(certificate, TLS_FILE_MAX_BYTES, &pem, &bytes, e);

    if (r)
        return r;
    /* > 0 would mean that some certificates of the chain were not understood */
    m = mbedtls_x509_crt_parse(&o->chain, pem, bytes + 1);
    tls_load_wipe(pem, bytes);
    pem = NULL;
    if (m > 0)
        return err_set(e, -EINVAL, "%s: %d certificates of the chain cannot be read", certificate,
                       m);
    if (m < 0) {
        r = tls_load_failed(e, m, "no PEM certificate");
        err_prefix(e, "%s", certificate);
        return r;
    }
    r = tls_load_file(key, TLS_FILE_MAX_BYTES, &pem, &bytes, e);
    if (r)
        return r;
    m = mbedtls_pk_parse_key(&o->key, pem, bytes + 1, NULL, 0, mbedtls_ctr_drbg_random, random);
    tls_load_wipe(pem, bytes);
    if (m) {
        r = tls_load_failed(e, m, "no PEM private key");
        err_prefix(e, "%s", key);
        return r;
    }
    /* a pair that does not fit would fail each handshake, and only there */
    if (mbedtls_pk_check_pair(&o->chain.pk, &o->key, mbedtls_ctr_drbg_random, random))
        return err_set(e, -EINVAL, "%s is not the key of the certificate in %s", key, certificate);
    remember(o);
    return 0;
}

/* SAN entries point into `names`, which must outlive the list. Returns how many there are. */
static size_t make_names(const struct host *names, size_t count, mbedtls_x509_san_list *list)
{
    size_t n = 0;

    for (size_t i = 0; i < count && n < TLS_NAMES_MAX; i++) {
        mbedtls_x509_buf *value = &list[n].node.san.unstructured_name;
        bool v4 = IN6_IS_ADDR_V4MAPPED(&names[i].ip);
        const void *from = names[i].is_ip ? (const void *)(names[i].ip.s6_addr + (v4 ? 12 : 0))
                                          : (const void *)names[i].name;

        if (host_is_any(&names[i]))
            continue;
        list[n].node.type =
            names[i].is_ip ? MBEDTLS_X509_SAN_IP_ADDRESS : MBEDTLS_X509_SAN_DNS_NAME;
        memcpy(&value->p, &from, sizeof(from)); /* read only, whatever the type says */
        value->len = names[i].is_ip ? (v4 ? 4 : 16) : strlen(names[i].name);
        list[n].next = NULL;
        if (n > 0)
            list[n - 1].next = &list[n];
        n++;
    }
    return n;
}

static void stamp(char out[static OWN_STAMP_BYTES], time_t when)
{
    struct tm tm;

    if (!gmtime_r(&when, &tm) || !strftime(out, OWN_STAMP_BYTES, "%Y%m%d%H%M%S", &tm))
        out[0] = '\0';
}

/* Fill in the fields of a leaf that signs itself. 0 or mbedTLS's error. */
static int describe(struct tls_own *o, mbedtls_ctr_drbg_context *random, mbedtls_x509write_cert *w,
                    const mbedtls_x509_san_list *names)
{
    unsigned char server_auth[] = MBEDTLS_OID_SERVER_AUTH;
    unsigned char serial[OWN_SERIAL_BYTES];
    mbedtls_asn1_sequence usage = {.next = NULL};
    char from[OWN_STAMP_BYTES], to[OWN_STAMP_BYTES];
    time_t now = time(NULL);
    int m = mbedtls_ctr_drbg_random(random, serial, sizeof(serial));

    if (m)
        return m;
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and always as long */
    stamp(from, now - OWN_BACKDATE_SECONDS);
    stamp(to, now + OWN_YEAR_SECONDS);
    usage.buf.tag = MBEDTLS_ASN1_OID;
    usage.buf.p = server_auth;
    usage.buf.len = sizeof(server_auth) - 1;
    mbedtls_x509write_crt_set_version(w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(w, &o->key);
    mbedtls_x509write_crt_set_issuer_key(w, &o->key);
    if ((m = mbedtls_x509write_crt_set_serial_raw(w, serial, sizeof(serial))) ||
        (m = mbedtls_x509write_crt_set_validity(w, from, to)) ||
        (m = mbedtls_x509write_crt_set_subject_name(w, "CN=pillion")) ||
        (m = mbedtls_x509write_crt_set_issuer_name(w, "CN=pillion")) ||
        (m = mbedtls_x509write_crt_set_basic_constraints(w, 0, -1)) ||
        (m = mbedtls_x509write_crt_set_key_usage(w, MBEDTLS_X509_KU_DIGITAL_SIGNATURE)) ||
        (m = mbedtls_x509write_crt_set_ext_key_usage(w, &usage)) ||
        (m = mbedtls_x509write_crt_set_subject_alternative_name(w, names)))
        return m;
    return 0;
}

/*
 * The certificate of a first start: good for `https+insecure://` and for pinning its fingerprint.
 * P-256, because each client knows it and a signature costs the least; not a CA, so that importing
 * it as trusted lets it vouch for nobody else.
 */
int tls_own_make(struct tls_own *o, const struct host *names, size_t count,
                 mbedtls_ctr_drbg_context *random, struct err *e)
{
    mbedtls_x509_san_list *list = calloc(TLS_NAMES_MAX, sizeof(*list));
    unsigned char *der = malloc(OWN_CERT_DER_BYTES);
    mbedtls_x509write_cert w;
    int m = MBEDTLS_ERR_X509_ALLOC_FAILED;

    mbedtls_x509write_crt_init(&w);
    if (!list || !der)
        goto out;
    if (make_names(names, count, list) == 0) {
        m = MBEDTLS_ERR_X509_BAD_INPUT_DATA;
        goto out;
    }
    m = mbedtls_pk_setup(&o->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (m == 0)
        m = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(o->key),
                                mbedtls_ctr_drbg_random, random);
    if (m == 0)
        m = describe(o, random, &w, list);
    if (m == 0)
        m = mbedtls_x509write_crt_der(&w, der, OWN_CERT_DER_BYTES, mbedtls_ctr_drbg_random, random);
    /* parsing it back shows that a client can, too; the writer fills the buffer from its end and
     * returns the length */
    if (m > 0)
        m = mbedtls_x509_crt_parse_der(&o->chain, der + OWN_CERT_DER_BYTES - m, (size_t)m);
out:
    mbedtls_x509write_crt_free(&w);
    free(der);
    free(list);
    if (m)
        return tls_load_failed(e, m, "cannot make a self-signed certificate");
    remember(o);
    return 0;
}

int tls_own_copy(struct tls_own *o, const struct tls_own *from, mbedtls_ctr_drbg_context *random,
                 struct err *e)
{
    unsigned char *der = malloc(OWN_KEY_DER_BYTES);
    int m = der ? 0 : MBEDTLS_ERR_PK_ALLOC_FAILED;

    for (const mbedtls_x509_crt *c = &from->chain; c && m == 0; c = c->next)
        m = mbedtls_x509_crt_parse_der(&o->chain, c->raw.p, c->raw.len);
    if (m == 0)
        m = mbedtls_pk_write_key_der(&from->key, der, OWN_KEY_DER_BYTES);
    /* written from the end of the buffer; the length comes back */
    if (m > 0)
        m = mbedtls_pk_parse_key(&o->key, der + OWN_KEY_DER_BYTES - m, (size_t)m, NULL, 0,
                                 mbedtls_ctr_drbg_random, random);
    tls_load_wipe(der, OWN_KEY_DER_BYTES);
    if (m)
        return tls_load_failed(e, m, "cannot keep the certificate");
    remember(o);
    return 0;
}
