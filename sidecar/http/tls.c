/*
 * mbedTLS 3.6 reads and writes through our callbacks, so it never sees a socket, and it never
 * blocks: "later" goes up as -EAGAIN. Its own buffers (16 KB in, 16 KB out, and their heads) are
 * the whole memory of a connection. Random numbers: one CTR_DRBG a struct tls, seeded from
 * getrandom(2) by the library's entropy module; a single-threaded program needs no lock around it.
 */
#include "sidecar/http/tls.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/oid.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum {
    TLS_SERIAL_BYTES = 16,
    TLS_CERT_DER_BYTES = 24 * 1024, /* TLS_NAMES_MAX names of 255 bytes and the rest */
    TLS_YEAR_SECONDS = 365 * 86400,
    TLS_BACKDATE_SECONDS = 3600, /* for clients whose clock is a bit behind */
    TLS_STAMP_BYTES = 15,        /* YYYYMMDDhhmmss and a NUL */
};

struct tls {
    unsigned references;
    bool self_signed;
    int64_t expiry;
    char sha256[TLS_SHA256_HEX_BYTES];
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
};

struct tls_conn {
    struct tls *tls;
    mbedtls_ssl_context ssl;
    tls_send send;
    tls_receive receive;
    void *ctx;
    int error; /* mbedTLS's, 0 while alive */
    bool wants_write;
};

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

static int failed(struct err *e, int mbed, const char *what)
{
    char text[128];

    mbedtls_strerror(mbed, text, sizeof(text));
    return err_set(e, -EINVAL, "%s: %s (-0x%04x)", what, text, (unsigned)-mbed);
}

static int failed_file(struct err *e, const char *path)
{
    int code = errno ? -errno : -EIO;

    return err_set(e, code, "%s: %s", path, uv_strerror(code));
}

/* A whole small file with a NUL after it (mbedtls wants it for PEM). */
static int read_file(const char *path, unsigned char **ret, size_t *ret_bytes, struct err *e)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    struct stat st;
    int r = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st)) {
        r = failed_file(e, path);
        goto out;
    }
    /* a FIFO or a device would hang us, an endless file fill the memory */
    if (!S_ISREG(st.st_mode) || st.st_size > TLS_FILE_MAX_BYTES) {
        r = err_set(e, -EINVAL, "%s: not a regular file of at most %d bytes", path,
                    TLS_FILE_MAX_BYTES);
        goto out;
    }
    data = malloc((size_t)TLS_FILE_MAX_BYTES + 1);
    if (!data) {
        r = err_set(e, -ENOMEM, "out of memory");
        goto out;
    }
    while (bytes < TLS_FILE_MAX_BYTES) {
        ssize_t n = read(fd, data + bytes, TLS_FILE_MAX_BYTES - bytes);

        if (n < 0 && errno != EINTR) {
            r = failed_file(e, path);
            goto out;
        }
        if (n == 0)
            break;
        bytes += n > 0 ? (size_t)n : 0;
    }
    data[bytes] = '\0';
    *ret = data;
    *ret_bytes = bytes + 1;
    data = NULL;
out:
    free(data);
    if (fd >= 0)
        (void)close(fd);
    return r;
}

/* Also for certificates: it is simpler to wipe both than to know which it is. */
static void wipe(unsigned char *data, size_t bytes)
{
    if (data)
        explicit_bzero(data, bytes);
    free(data);
}

static int load(struct tls *t, const char *certificate, const char *key, struct err *e)
{
    unsigned char *pem = NULL;
    size_t bytes = 0;
    int m;
    int r = read_file(certificate, &pem, &bytes, e);

    if (r)
        return r;
    /* > 0 would mean that some certificates of the chain were not understood */
    m = mbedtls_x509_crt_parse(&t->chain, pem, bytes);
    wipe(pem, bytes);
    pem = NULL;
    if (m > 0)
        return err_set(e, -EINVAL, "%s: %d certificates of the chain cannot be read", certificate,
                       m);
    if (m < 0) {
        r = failed(e, m, "no PEM certificate");
        err_prefix(e, "%s", certificate);
        return r;
    }
    r = read_file(key, &pem, &bytes, e);
    if (r)
        return r;
    m = mbedtls_pk_parse_key(&t->key, pem, bytes, NULL, 0, mbedtls_ctr_drbg_random, &t->random);
    wipe(pem, bytes);
    if (m) {
        r = failed(e, m, "no PEM private key");
        err_prefix(e, "%s", key);
        return r;
    }
    /* a pair that does not fit would fail each handshake, and only there */
    if (mbedtls_pk_check_pair(&t->chain.pk, &t->key, mbedtls_ctr_drbg_random, &t->random))
        return err_set(e, -EINVAL, "%s is not the key of the certificate in %s", key, certificate);
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

static void stamp(char out[static TLS_STAMP_BYTES], time_t when)
{
    struct tm tm;

    if (!gmtime_r(&when, &tm) || !strftime(out, TLS_STAMP_BYTES, "%Y%m%d%H%M%S", &tm))
        out[0] = '\0';
}

/* Fill in the fields of a leaf that signs itself. 0 or mbedTLS's error. */
static int describe(struct tls *t, mbedtls_x509write_cert *w, const mbedtls_x509_san_list *names)
{
    unsigned char server_auth[] = MBEDTLS_OID_SERVER_AUTH;
    unsigned char serial[TLS_SERIAL_BYTES];
    mbedtls_asn1_sequence usage = {.next = NULL};
    char from[TLS_STAMP_BYTES], to[TLS_STAMP_BYTES];
    time_t now = time(NULL);
    int m = mbedtls_ctr_drbg_random(&t->random, serial, sizeof(serial));

    if (m)
        return m;
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and always as long */
    stamp(from, now - TLS_BACKDATE_SECONDS);
    stamp(to, now + TLS_YEAR_SECONDS);
    usage.buf.tag = MBEDTLS_ASN1_OID;
    usage.buf.p = server_auth;
    usage.buf.len = sizeof(server_auth) - 1;
    mbedtls_x509write_crt_set_version(w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(w, &t->key);
    mbedtls_x509write_crt_set_issuer_key(w, &t->key);
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
static int make(struct tls *t, const struct host *names, size_t count, struct err *e)
{
    mbedtls_x509_san_list *list = calloc(TLS_NAMES_MAX, sizeof(*list));
    unsigned char *der = malloc(TLS_CERT_DER_BYTES);
    mbedtls_x509write_cert w;
    int m = MBEDTLS_ERR_X509_ALLOC_FAILED;

    mbedtls_x509write_crt_init(&w);
    if (!list || !der)
        goto out;
    if (make_names(names, count, list) == 0) {
        m = MBEDTLS_ERR_X509_BAD_INPUT_DATA;
        goto out;
    }
    m = mbedtls_pk_setup(&t->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (m == 0)
        m = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(t->key),
                                mbedtls_ctr_drbg_random, &t->random);
    if (m == 0)
        m = describe(t, &w, list);
    if (m == 0)
        m = mbedtls_x509write_crt_der(&w, der, TLS_CERT_DER_BYTES, mbedtls_ctr_drbg_random,
                                      &t->random);
    /* parsing it back shows that a client can, too; the writer fills the buffer from its end and
     * returns the length */
    if (m > 0)
        m = mbedtls_x509_crt_parse_der(&t->chain, der + TLS_CERT_DER_BYTES - m, (size_t)m);
out:
    mbedtls_x509write_crt_free(&w);
    free(der);
    free(list);
    return m ? failed(e, m, "cannot make a self-signed certificate") : 0;
}

static int configure(struct tls *t, struct err *e)
{
    mbedtls_ssl_config *c = &t->config;
    int m = mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT);

    if (m)
        return failed(e, m, "TLS settings");
    mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, &t->random);
    mbedtls_ssl_conf_min_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_ciphersuites(c, SUITES);
    mbedtls_ssl_conf_groups(c, GROUPS);
    /* The seam for client certificates: OPTIONAL plus one function that judges the verify result
     * (with REQUIRED the client cannot read the alert, Mbed-TLS/mbedtls #10877). */
    mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_cert_req_ca_list(c, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
    /* A ticket would let a client back in without a look at what has changed since. */
    mbedtls_ssl_conf_session_tickets(c, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_new_session_tickets(c, 0);
    mbedtls_ssl_conf_renegotiation(c, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_tls13_key_exchange_modes(c, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
    m = mbedtls_ssl_conf_alpn_protocols(c, ALPN);
    if (m == 0)
        m = mbedtls_ssl_conf_own_cert(c, &t->chain, &t->key);
    return m ? failed(e, m, "TLS settings") : 0;
}

/* What the status page and the start line show. */
static void remember(struct tls *t)
{
    static const char DIGITS[] = "0123456789abcdef";
    const mbedtls_x509_time *to = &t->chain.valid_to;
    struct tm tm = {.tm_year = to->year - 1900,
                    .tm_mon = to->mon - 1,
                    .tm_mday = to->day,
                    .tm_hour = to->hour,
                    .tm_min = to->min,
                    .tm_sec = to->sec};
    unsigned char sum[32];

    t->expiry = (int64_t)timegm(&tm);
    if (mbedtls_sha256(t->chain.raw.p, t->chain.raw.len, sum, 0))
        return;
    for (size_t i = 0; i < sizeof(sum); i++) {
        t->sha256[2 * i] = DIGITS[sum[i] >> 4];
        t->sha256[2 * i + 1] = DIGITS[sum[i] & 15];
    }
}

int tls_new(const char *certificate, const char *key, const struct host *names, size_t count,
            struct tls **ret, struct err *e)
{
    static const unsigned char PURPOSE[] = "pillion tls";
    struct tls *t = calloc(1, sizeof(*t));
    int r, m;

    if (!t)
        return err_set(e, -ENOMEM, "out of memory");
    t->references = 1;
    t->self_signed = certificate[0] == '\0';
    mbedtls_entropy_init(&t->entropy);
    mbedtls_ctr_drbg_init(&t->random);
    mbedtls_x509_crt_init(&t->chain);
    mbedtls_pk_init(&t->key);
    mbedtls_ssl_config_init(&t->config);
    /* TLS 1.3 computes through PSA; a second call is harmless. After the fork of this process, as
     * CVE-2026-25835 asks for: the guard forks before it execs us. */
    m = psa_crypto_init() == PSA_SUCCESS ? 0 : MBEDTLS_ERR_ERROR_GENERIC_ERROR;
    if (m == 0)
        m = mbedtls_ctr_drbg_seed(&t->random, mbedtls_entropy_func, &t->entropy, PURPOSE,
                                  sizeof(PURPOSE));
    r = m ? failed(e, m, "no random numbers") : 0;
    if (r == 0)
        r = t->self_signed ? make(t, names, count, e) : load(t, certificate, key, e);
    if (r == 0)
        r = configure(t, e);
    if (r) {
        tls_unref(t);
        return r;
    }
    remember(t);
    *ret = t;
    return 0;
}

struct tls *tls_ref(struct tls *t)
{
    assert(t->references > 0);
    t->references++;
    return t;
}

void tls_unref(struct tls *t)
{
    if (!t || --t->references)
        return;
    mbedtls_ssl_config_free(&t->config);
    mbedtls_pk_free(&t->key);
    mbedtls_x509_crt_free(&t->chain);
    mbedtls_ctr_drbg_free(&t->random);
    mbedtls_entropy_free(&t->entropy);
    free(t);
}

bool tls_is_self_signed(const struct tls *t)
{
    return t->self_signed;
}

int64_t tls_expiry(const struct tls *t)
{
    return t->expiry;
}

const char *tls_sha256(const struct tls *t)
{
    return t->sha256;
}

static int bio_send(void *ctx, const unsigned char *data, size_t bytes)
{
    struct tls_conn *c = ctx;
    ssize_t n = c->send(c->ctx, data, bytes);

    /* at most one record and its head, so it fits an int */
    if (n == -EAGAIN)
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    return n < 0 ? MBEDTLS_ERR_NET_SEND_FAILED : (int)n;
}

static int bio_receive(void *ctx, unsigned char *data, size_t bytes)
{
    struct tls_conn *c = ctx;
    ssize_t n = c->receive(c->ctx, data, bytes);

    if (n == -EAGAIN)
        return MBEDTLS_ERR_SSL_WANT_READ;
    return n < 0 ? MBEDTLS_ERR_NET_RECV_FAILED : (int)n; /* 0: mbedTLS sees the end */
}

int tls_conn_new(struct tls *t, tls_send send, tls_receive receive, void *ctx,
                 struct tls_conn **ret)
{
    struct tls_conn *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->tls = tls_ref(t);
    c->send = send;
    c->receive = receive;
    c->ctx = ctx;
    mbedtls_ssl_init(&c->ssl);
    if (mbedtls_ssl_setup(&c->ssl, &t->config)) {
        tls_conn_free(c);
        return -ENOMEM;
    }
    mbedtls_ssl_set_bio(&c->ssl, c, bio_send, bio_receive, NULL);
    *ret = c;
    return 0;
}

void tls_conn_free(struct tls_conn *c)
{
    if (!c)
        return;
    mbedtls_ssl_free(&c->ssl);
    tls_unref(c->tls);
    free(c);
}

/* mbedTLS's result as ours; anything but "later" is the last one. */
static ssize_t outcome(struct tls_conn *c, int m)
{
    if (m >= 0)
        return m;
    c->wants_write = m == MBEDTLS_ERR_SSL_WANT_WRITE;
    if (m == MBEDTLS_ERR_SSL_WANT_READ || m == MBEDTLS_ERR_SSL_WANT_WRITE)
        return -EAGAIN;
    c->error = m;
    return m == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : -EIO;
}

int tls_conn_handshake(struct tls_conn *c)
{
    return c->error ? -EIO : (int)outcome(c, mbedtls_ssl_handshake(&c->ssl));
}

ssize_t tls_conn_read(struct tls_conn *c, void *data, size_t bytes)
{
    return c->error ? -EIO : outcome(c, mbedtls_ssl_read(&c->ssl, data, bytes));
}

ssize_t tls_conn_write(struct tls_conn *c, const void *data, size_t bytes)
{
    /* never more than one record: so a repeated call has the same length whatever comes after */
    if (bytes > TLS_RECORD_BYTES)
        bytes = TLS_RECORD_BYTES;
    return c->error ? -EIO : outcome(c, mbedtls_ssl_write(&c->ssl, data, bytes));
}

int tls_conn_close_notify(struct tls_conn *c)
{
    return c->error ? -EIO : (int)outcome(c, mbedtls_ssl_close_notify(&c->ssl));
}

bool tls_conn_wants_write(const struct tls_conn *c)
{
    return c->wants_write;
}

const char *tls_conn_why(const struct tls_conn *c, char *out, size_t out_bytes)
{
    mbedtls_strerror(c->error, out, out_bytes);
    return out;
}
