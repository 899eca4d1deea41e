/*
 * One CTR_DRBG a struct trust, seeded after this process was forked (CVE-2026-25835), as in
 * http/tls.c. A connection keeps a reference for as long as mbedTLS holds a pointer to the
 * settings, so that a reload changes nothing under its feet.
 */
#include "sidecar/client/trust.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include <assert.h>
#include <errno.h>

#include "sidecar/http/tls_load.h"
#include "sidecar/http/tls_own.h"
#include "sidecar/http/tls_rules.h"

/* The system's CAs, as many places as there are share them. */
struct roots {
    unsigned references;
    mbedtls_x509_crt chain;
};

struct trust {
    unsigned references;
    bool own_ca;
    struct roots *roots; /* the system's; NULL: not needed (yet) */
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt ca;
    struct tls_own own; /* certificate and key, or neither */
    mbedtls_ssl_config config;
};

/*
 * The one bundle of this program: a megabyte that each of up to twenty places would otherwise have
 * for itself. Mutable and static, against the rule, because places do not know each other and the
 * content is the same for all; single-threaded like all of the loop.
 */
static struct roots *the_roots;

/* Odd roots are in every bundle sooner or later: what cannot be read vouches for nobody. */
static int load_cas(const char *path, mbedtls_x509_crt *chain, struct err *e)
{
    unsigned char *pem = NULL;
    size_t bytes = 0;
    int m;
    int r = tls_load_file(path, TRUST_BUNDLE_MAX_BYTES, &pem, &bytes, e);

    if (r)
        return r;
    m = mbedtls_x509_crt_parse(chain, pem, bytes + 1); /* with its NUL */
    free(pem);
    if (m < 0 || chain->version == 0) {
        r = m < 0 ? tls_load_failed(e, m, "no PEM certificate")
                  : err_set(e, -EINVAL, "no certificate in it can be read");
        err_prefix(e, "%s", path);
    }
    return r;
}

static int configure(struct trust *t, struct err *e)
{
    mbedtls_ssl_config *c = &t->config;
    int m = 0, r = tls_rules_set(c, MBEDTLS_SSL_IS_CLIENT, &t->random, e);

    if (r)
        return r;
    /* nothing is ever sent to whom was not verified: never OPTIONAL, never NONE */
    mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_REQUIRED);
    if (t->own.chain.version)
        m = mbedtls_ssl_conf_own_cert(c, &t->own.chain, &t->own.key);
    if (t->own_ca)
        mbedtls_ssl_conf_ca_chain(c, &t->ca, NULL);
    return m ? tls_load_failed(e, m, "TLS settings") : 0;
}

static int load(struct trust *t, const struct config_client_tls *want, struct err *e)
{
    static const unsigned char PURPOSE[] = "pillion client";
    int m = psa_crypto_init() == PSA_SUCCESS ? 0 : MBEDTLS_ERR_ERROR_GENERIC_ERROR;
    int r = 0;

    if (m == 0)
        m = mbedtls_ctr_drbg_seed(&t->random, mbedtls_entropy_func, &t->entropy, PURPOSE,
                                  sizeof(PURPOSE));
    if (m)
        return tls_load_failed(e, m, "no random numbers");
    if (want && want->ca[0]) {
        t->own_ca = true;
        r = load_cas(want->ca, &t->ca, e);
    }
    if (r == 0 && want && (want->certificate[0] || want->key[0]))
        r = tls_own_load(&t->own, want->certificate, want->key, &t->random, e);
    return r ? r : configure(t, e);
}

int trust_new(const struct config_client_tls *want, struct trust **ret, struct err *e)
{
    struct trust *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return err_set(e, -ENOMEM, "out of memory");
    t->references = 1;
    mbedtls_entropy_init(&t->entropy);
    mbedtls_ctr_drbg_init(&t->random);
    mbedtls_x509_crt_init(&t->ca);
    tls_own_init(&t->own);
    mbedtls_ssl_config_init(&t->config);
    r = load(t, want, e);
    if (r)
        trust_unref(t);
    else
        *ret = t;
    return r;
}

struct trust *trust_ref(struct trust *t)
{
    assert(t->references > 0);
    t->references++;
    return t;
}

static void roots_unref(struct roots *roots)
{
    if (!roots || --roots->references)
        return;
    mbedtls_x509_crt_free(&roots->chain);
    free(roots);
}

void trust_unref(struct trust *t)
{
    if (!t || --t->references)
        return;
    mbedtls_ssl_config_free(&t->config);
    tls_own_release(&t->own);
    mbedtls_x509_crt_free(&t->ca);
    mbedtls_ctr_drbg_free(&t->random);
    mbedtls_entropy_free(&t->entropy);
    roots_unref(t->roots);
    free(t);
}

const char *trust_bundle(size_t i)
{
    /* the places that Go's crypto/x509 looks at, root_linux.go */
    static const char *const PLACES[TRUST_BUNDLES] = {
        "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, distroless */
        "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL 6 */
        "/etc/ssl/ca-bundle.pem",                            /* OpenSUSE */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL 7 */
        "/etc/ssl/cert.pem",                                 /* Alpine */
    };
    const char *named = getenv("SSL_CERT_FILE");

    if (named && named[0]) /* then it is the only one, as for curl and Go */
        return i == 0 ? named : NULL;
    return i < TRUST_BUNDLES ? PLACES[i] : NULL;
}

void trust_forget_bundle(void)
{
    roots_unref(the_roots);
    the_roots = NULL;
}

static int read_bundle(struct err *e)
{
    struct roots *roots = calloc(1, sizeof(*roots));
    int r = -ENOENT;

    if (!roots)
        return err_set(e, -ENOMEM, "out of memory");
    roots->references = 1;
    mbedtls_x509_crt_init(&roots->chain);
    for (size_t i = 0; r == -ENOENT && trust_bundle(i); i++)
        r = load_cas(trust_bundle(i), &roots->chain, e);
    if (r) {
        roots_unref(roots);
        err_prefix(e, "the system's CA certificates");
        return r;
    }
    the_roots = roots;
    return 0;
}

int trust_config(struct trust *t, const struct mbedtls_ssl_config **ret, struct err *e)
{
    if (!t->own_ca && !t->roots) {
        int r = the_roots ? 0 : read_bundle(e);

        if (r)
            return r;
        the_roots->references++;
        t->roots = the_roots;
        mbedtls_ssl_conf_ca_chain(&t->config, &t->roots->chain, NULL);
    }
    *ret = &t->config;
    return 0;
}

const char *trust_complaint(uint32_t verdict, const char *name, char *out, size_t bytes)
{
    /* most telling first; several may hold */
    static const struct {
        uint32_t bit;
        const char *text;
    } WORDS[] = {
        {MBEDTLS_X509_BADCERT_CN_MISMATCH, "is not for that name"},
        {MBEDTLS_X509_BADCERT_EXPIRED, "has expired"},
        {MBEDTLS_X509_BADCERT_FUTURE, "is not valid yet: is the clock right?"},
        {MBEDTLS_X509_BADCERT_REVOKED, "is revoked"},
        {MBEDTLS_X509_BADCERT_NOT_TRUSTED, "is not from a CA that is trusted here"},
        {MBEDTLS_X509_BADCERT_MISSING, "is missing"},
        {MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
             MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
         "is not one for servers"},
        {MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK,
         "has a key or a signature that is too weak"},
    };
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]) && n < bytes; i++) {
        int w = 0;

        if (verdict & WORDS[i].bit)
            w = n ? snprintf(out + n, bytes - n, ", %s", WORDS[i].text)
                  : snprintf(out, bytes, "certificate of %s %s", name, WORDS[i].text);
        n += w > 0 ? (size_t)w : 0;
    }
    if (verdict && n == 0)
        (void)snprintf(out, bytes, "certificate of %s cannot be verified", name);
    return out;
}
