/*
 * mbedTLS 3.6 reads and writes through our callbacks, so it never sees a socket, and it never
 * blocks: "later" goes up as -EAGAIN. Its own buffers (16 KB in, 16 KB out, and their heads) are
 * the whole memory of a connection. Random numbers: one CTR_DRBG a struct tls, seeded from
 * getrandom(2) by the library's entropy module; a single-threaded program needs no lock around it.
 */
#include "sidecar/http/tls.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/rsa.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include <assert.h>
#include <errno.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "sidecar/http/tls_chain.h"
#include "sidecar/http/tls_load.h"
#include "sidecar/http/tls_own.h"
#include "sidecar/http/tls_peer.h"
#include "sidecar/http/tls_rules.h"

enum {
    TLS_TICKETS_MAX = 8, /* in a row, that a server may send to us as its client */
};

struct tls {
    unsigned references;
    bool self_signed;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    struct tls_own own;
    struct tls_trust trust;
    mbedtls_ssl_config config;
};

struct tls_conn {
    struct tls *tls;   /* NULL: a client's */
    struct tls *judge; /* whose trust the verdict is by; another one after a reload */
    mbedtls_ssl_context ssl;
    tls_send send;
    tls_receive receive;
    void *ctx;
    int error; /* mbedTLS's, 0 while alive */
    bool wants_write;
    unsigned char alert; /* that mbedTLS has not sent and we should; 0: none */
    const char *why;     /* for it; NULL: mbedTLS's words for the error */
    bool blamed;         /* for the certificate that was shown, not for the lack of one */
    struct tls_chain_tap tap;
    size_t shown_bytes;  /* TLS 1.3: since the client's certificate is due */
    bool unverified;     /* mbedTLS was told to parse it only */
    enum tls_peer chain; /* then: may it be verified? */
    struct tls_look look;
    enum tls_peer verdict;
    uint64_t judged_ns;
    struct auth_peer *peer; /* NULL without a certificate */
};

static int configure(struct tls *t, struct err *e)
{
    mbedtls_ssl_config *c = &t->config;
    int m, r = tls_rules_set(c, MBEDTLS_SSL_IS_SERVER, &t->random, e);

    if (r)
        return r;
    /* never REQUIRED: tls_peer.h tells why, and has what makes up for it */
    mbedtls_ssl_conf_authmode(c, t->trust.client_auth == CONFIG_CLIENT_OFF
                                     ? MBEDTLS_SSL_VERIFY_NONE
                                     : MBEDTLS_SSL_VERIFY_OPTIONAL);
    if (t->trust.client_auth != CONFIG_CLIENT_OFF)
        mbedtls_ssl_conf_ca_chain(c, &t->trust.ca, t->trust.has_crl ? &t->trust.crl : NULL);
    /* which CAs we believe is nobody's business before he has shown a certificate */
    mbedtls_ssl_conf_cert_req_ca_list(c, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
    m = mbedtls_ssl_conf_own_cert(c, &t->own.chain, &t->own.key);
    return m ? tls_load_failed(e, m, "TLS settings") : 0;
}

static int take_own(struct tls *t, const struct tls_settings *s, struct err *e)
{
    if (s->keep)
        return tls_own_copy(&t->own, &s->keep->own, &t->random, e);
    if (t->self_signed)
        return tls_own_make(&t->own, s->names, s->names_count, &t->random, e);
    return tls_own_load(&t->own, s->certificate, s->key, &t->random, e);
}

int tls_new(const struct tls_settings *s, struct tls **ret, struct err *e)
{
    static const unsigned char PURPOSE[] = "pillion tls";
    struct tls *t = calloc(1, sizeof(*t));
    int r, m;

    if (!t)
        return err_set(e, -ENOMEM, "out of memory");
    t->references = 1;
    t->self_signed = s->keep ? s->keep->self_signed : s->certificate[0] == '\0';
    mbedtls_entropy_init(&t->entropy);
    mbedtls_ctr_drbg_init(&t->random);
    tls_own_init(&t->own);
    tls_trust_init(&t->trust);
    mbedtls_ssl_config_init(&t->config);
    /* TLS 1.3 computes through PSA; a second call is harmless. After the fork of this process, as
     * CVE-2026-25835 asks for: the guard forks before it execs us. */
    m = psa_crypto_init() == PSA_SUCCESS ? 0 : MBEDTLS_ERR_ERROR_GENERIC_ERROR;
    if (m == 0)
        m = mbedtls_ctr_drbg_seed(&t->random, mbedtls_entropy_func, &t->entropy, PURPOSE,
                                  sizeof(PURPOSE));
    r = m ? tls_load_failed(e, m, "no random numbers") : 0;
    if (r == 0)
        r = take_own(t, s, e);
    if (r == 0)
        r = tls_trust_load(&t->trust, s, e);
    if (r == 0)
        r = configure(t, e);
    if (r) {
        tls_unref(t);
        return r;
    }
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
    tls_own_release(&t->own);
    tls_trust_release(&t->trust);
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
    return t->own.expiry;
}

int64_t tls_crl_expiry(const struct tls *t)
{
    return tls_trust_stale(&t->trust);
}

const char *tls_sha256(const struct tls *t)
{
    return t->own.sha256;
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

/* No function of the library's tells it: its state is a private field, of which ssl.h has the
 * names.
 */
static bool certificate_is_due(const struct tls_conn *c)
{
    return c->tls && c->tls->trust.client_auth != CONFIG_CLIENT_OFF &&
           c->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_CLIENT_CERTIFICATE;
}

/*
 * The client's certificates are coming: none of them may cost more than it is worth (tls_chain.h).
 * With NONE mbedTLS parses them and verifies nothing; it looks at that word when all of the message
 * is there. (If the message was empty, it would end the handshake for it; but then it was short,
 * unless somebody pads it to more than TLS_CHAIN_SMALL_BYTES.)
 */
static int look_ahead(struct tls_conn *c, const unsigned char *data, size_t bytes)
{
    if (mbedtls_ssl_get_version_number(&c->ssl) == MBEDTLS_SSL_VERSION_TLS1_2) {
        c->chain = tls_chain_tap(&c->tap, data, bytes);
        return c->chain == TLS_PEER_OK ? 0 : MBEDTLS_ERR_X509_FATAL_ERROR;
    }
    c->shown_bytes += bytes;
    if (c->shown_bytes > TLS_CHAIN_SMALL_BYTES && !c->unverified) {
        c->unverified = true;
        mbedtls_ssl_set_hs_authmode(&c->ssl, MBEDTLS_SSL_VERIFY_NONE);
    }
    return 0;
}

static int bio_receive(void *ctx, unsigned char *data, size_t bytes)
{
    struct tls_conn *c = ctx;
    ssize_t n = c->receive(c->ctx, data, bytes);
    int m;

    if (n == -EAGAIN)
        return MBEDTLS_ERR_SSL_WANT_READ;
    if (n > 0 && certificate_is_due(c) && (m = look_ahead(c, data, (size_t)n)) != 0)
        return m;
    return n < 0 ? MBEDTLS_ERR_NET_RECV_FAILED : (int)n; /* 0: mbedTLS sees the end */
}

static int conn_new(const mbedtls_ssl_config *config, tls_send send, tls_receive receive, void *ctx,
                    struct tls_conn **ret)
{
    struct tls_conn *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->send = send;
    c->receive = receive;
    c->ctx = ctx;
    c->chain = TLS_PEER_OK;
    mbedtls_ssl_init(&c->ssl);
    if (mbedtls_ssl_setup(&c->ssl, config)) {
        tls_conn_free(c);
        return -ENOMEM;
    }
    mbedtls_ssl_set_bio(&c->ssl, c, bio_send, bio_receive, NULL);
    *ret = c;
    return 0;
}

int tls_conn_new(struct tls *t, tls_send send, tls_receive receive, void *ctx,
                 struct tls_conn **ret)
{
    struct tls_conn *c;
    int r = conn_new(&t->config, send, receive, ctx, &c);

    if (r)
        return r;
    c->tls = tls_ref(t);
    c->judge = tls_ref(t);
    c->look.trust = &t->trust;
    mbedtls_ssl_set_verify(&c->ssl, tls_look_at, &c->look);
    *ret = c;
    return 0;
}

int tls_conn_new_client(const struct mbedtls_ssl_config *config, const char *name, tls_send send,
                        tls_receive receive, void *ctx, struct tls_conn **ret)
{
    struct tls_conn *c;
    int r = conn_new(config, send, receive, ctx, &c);

    if (r)
        return r;
    /* without a name any certificate of a known CA would do */
    if (mbedtls_ssl_set_hostname(&c->ssl, name)) {
        tls_conn_free(c);
        return -EINVAL;
    }
    *ret = c;
    return 0;
}

uint32_t tls_conn_verdict(const struct tls_conn *c)
{
    return mbedtls_ssl_get_verify_result(&c->ssl);
}

void tls_conn_free(struct tls_conn *c)
{
    if (!c)
        return;
    mbedtls_ssl_free(&c->ssl);
    tls_chain_tap_release(&c->tap);
    tls_unref(c->judge);
    tls_unref(c->tls);
    free(c->peer);
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
    c->alert = 0; /* not even that may follow */
    return m == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : -EIO;
}

/* Take the verdict; the names are kept on the heap, since most connections have none. */
static int judge(struct tls_conn *c, enum tls_peer verdict, const struct auth_peer *names)
{
    struct auth_peer *kept = NULL;

    c->judged_ns = clock_mono_ns();
    c->verdict = verdict;
    if (verdict == TLS_PEER_OK) {
        kept = malloc(sizeof(*kept));
        if (!kept)
            return -ENOMEM;
        *kept = *names;
    }
    free(c->peer);
    c->peer = kept;
    return tls_peer_refused(verdict, &c->judge->trust) ? -EACCES : 0;
}

/*
 * A client that cannot sign with its certificate's key: in TLS 1.2 mbedTLS ends without a word, and
 * here alone one may be added, since nothing of ours is encrypted yet. (In TLS 1.3 it has sent one,
 * under keys that the client has left behind: nothing can be done.) No other part of our side of a
 * handshake verifies a signature, so the error has one meaning.
 */
static void own_alert(struct tls_conn *c)
{
    bool signature = c->error == MBEDTLS_ERR_ECP_VERIFY_FAILED ||
                     c->error == MBEDTLS_ERR_RSA_VERIFY_FAILED ||
                     c->error == MBEDTLS_ERR_RSA_INVALID_PADDING;

    if (c->error == MBEDTLS_ERR_X509_FATAL_ERROR) { /* tls_look_at()'s */
        c->blamed = true;
        c->why = tls_peer_text(TLS_PEER_DEAR);
    }
    if (!signature)
        return;
    c->blamed = true;
    c->why = "the client has not the key of the certificate that it shows";
    if (mbedtls_ssl_get_version_number(&c->ssl) == MBEDTLS_SSL_VERSION_TLS1_2)
        c->alert = MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR;
}

/* Nothing is read or written any more, but for an alert. */
static int refuse(struct tls_conn *c, enum tls_peer verdict, bool alert)
{
    c->verdict = verdict;
    c->blamed = verdict != TLS_PEER_NONE;
    c->alert = alert ? tls_peer_alert(verdict) : 0;
    c->why = tls_peer_text(verdict);
    c->error = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
    return -EACCES;
}

/*
 * As mbedtls_ssl_handshake() does it, with a look at a chain that was parsed only: next comes the
 * signature by its first key, which must not be dear. What else is wrong with it can wait for the
 * end, where the client can read why.
 */
static int walk(struct tls_conn *c)
{
    const mbedtls_ssl_session *session;
    bool looked = false;
    int m = 0;

    while (m == 0 && !mbedtls_ssl_is_handshake_over(&c->ssl)) {
        m = mbedtls_ssl_handshake_step(&c->ssl);
        if (m || !c->unverified || looked || certificate_is_due(c))
            continue;
        looked = true;
        session = c->ssl.MBEDTLS_PRIVATE(session_negotiate);
        if (!session || !session->MBEDTLS_PRIVATE(peer_cert))
            continue; /* the handshake is over */
        c->chain = tls_chain_look(session->MBEDTLS_PRIVATE(peer_cert));
        if (tls_chain_is_dear(session->MBEDTLS_PRIVATE(peer_cert)))
            m = MBEDTLS_ERR_X509_FATAL_ERROR;
    }
    return m;
}

/* What comes of the certificate once the handshake is over. */
static enum tls_peer verdict_of(struct tls_conn *c, struct auth_peer *ret_names)
{
    const mbedtls_x509_crt *shown = mbedtls_ssl_get_peer_cert(&c->ssl);
    mbedtls_x509_crt *crt = NULL;

    if (!c->unverified)
        return tls_peer_judge(&c->look, mbedtls_ssl_get_verify_result(&c->ssl), shown, ret_names);
    if (c->chain != TLS_PEER_OK)
        return c->chain;
    memcpy(&crt, &shown, sizeof(void *)); /* only read, whatever the verifier's type says */
    return tls_peer_again(&c->judge->trust, crt, ret_names);
}

int tls_conn_handshake(struct tls_conn *c)
{
    struct auth_peer names;
    int r;

    if (c->error)
        return -EIO;
    r = (int)outcome(c, walk(c));
    if (r == -EIO && c->chain != TLS_PEER_OK) /* in TLS 1.3 no alert can be read here */
        return refuse(c, c->chain, !c->unverified);
    if (r == -EIO && c->tls)
        own_alert(c);
    if (r || !c->tls) /* a client's is judged by mbedTLS, within the handshake */
        return r;
    r = judge(c, verdict_of(c, &names), &names);
    if (r == -EACCES)
        return refuse(c, c->verdict, true);
    if (r)
        c->error = MBEDTLS_ERR_X509_ALLOC_FAILED;
    return r;
}

bool tls_conn_blamed(const struct tls_conn *c)
{
    return c->blamed;
}

int tls_conn_recheck(struct tls_conn *c, struct tls *now, const char **ret_why)
{
    mbedtls_x509_crt *crt = NULL;
    const mbedtls_x509_crt *shown = mbedtls_ssl_get_peer_cert(&c->ssl);
    struct auth_peer names;
    int r;

    if (now == c->judge && clock_mono_ns() - c->judged_ns < TLS_RECHECK_MS * CLOCK_NS_PER_MS)
        return 0;
    if (now != c->judge) {
        (void)tls_ref(now);
        tls_unref(c->judge);
        c->judge = now;
    }
    memcpy(&crt, &shown, sizeof(void *)); /* only read, whatever the verifier's type says */
    r = judge(c, tls_peer_again(&c->judge->trust, crt, &names), &names);
    *ret_why = r == -EACCES ? tls_peer_text(c->verdict) : "out of memory";
    return r ? -EACCES : 0;
}

const struct auth_peer *tls_conn_peer(const struct tls_conn *c)
{
    return c->peer;
}

const char *tls_conn_subject(const struct tls_conn *c, char *out, size_t out_bytes)
{
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&c->ssl);

    if (!crt || mbedtls_x509_dn_gets(out, out_bytes, &crt->subject) < 0)
        out[0] = '\0';
    return out;
}

ssize_t tls_conn_read(struct tls_conn *c, void *data, size_t bytes)
{
    int m = MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;

    if (c->error)
        return -EIO;
    /* a server's tickets are no data and no error; nobody resumes, so they are dropped */
    for (int i = 0; i < TLS_TICKETS_MAX && m == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET; i++)
        m = mbedtls_ssl_read(&c->ssl, data, bytes);
    return outcome(c, m);
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
    int m;

    /* Called again after "later", mbedTLS only sends what is left of the first. */
    if (c->alert)
        m = mbedtls_ssl_send_alert_message(&c->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, c->alert);
    else if (c->error)
        return -EIO;
    else
        m = mbedtls_ssl_close_notify(&c->ssl);
    return (int)outcome(c, m);
}

bool tls_conn_wants_write(const struct tls_conn *c)
{
    return c->wants_write;
}

const char *tls_conn_why(const struct tls_conn *c, char *out, size_t out_bytes)
{
    if (c->why)
        (void)snprintf(out, out_bytes, "%s", c->why);
    else
        mbedtls_strerror(c->error, out, out_bytes);
    return out;
}
