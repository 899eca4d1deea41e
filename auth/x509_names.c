/*
 * mbedTLS takes the certificate apart; what stands in the names is judged here. The alternative
 * names come as raw slices (mbedtls/x509_crt.h: subject_alt_names, one item a GeneralName with its
 * context tag, RFC 5280 4.2.1.6), so nothing is decoded twice and nothing needs to be freed apart.
 */
#include "auth/x509_names.h"

#include <errno.h>

#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include "base/utf8.h"

/* The tags of GeneralName that are read; implicit ones, so the value is the plain text. */
enum {
    GENERAL_EMAIL = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_RFC822_NAME,
    GENERAL_DNS = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_DNS_NAME,
    GENERAL_URI = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER,
};

static int add(struct auth_peer *peer, enum auth_name kind, const unsigned char *text, size_t bytes)
{
    struct auth_peer_name *name;

    if (bytes == 0)
        return -EBADMSG;
    if (bytes >= AUTH_PEER_NAME_BYTES || peer->count == AUTH_PEER_NAMES_MAX ||
        bytes + 1 > sizeof(peer->text) - peer->used)
        return -E2BIG;
    name = &peer->names[peer->count++];
    name->kind = (uint8_t)kind;
    name->at = (uint16_t)peer->used;
    memcpy(peer->text + peer->used, text, bytes);
    peer->text[peer->used + bytes] = '\0';
    peer->used += bytes + 1;
    return 0;
}

/* IA5String would allow controls and spaces, too; no URI, host or address has any. */
static bool is_plain(const unsigned char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return false;
    }
    return true;
}

static int add_alternative(struct auth_peer *peer, const mbedtls_asn1_buf *item)
{
    enum auth_name kind;

    switch (item->tag) {
    case GENERAL_URI:
        kind = AUTH_NAME_URI;
        break;
    case GENERAL_DNS:
        kind = AUTH_NAME_DNS;
        break;
    case GENERAL_EMAIL:
        kind = AUTH_NAME_EMAIL;
        break;
    default:
        return 0; /* addresses, directory names, …: no entry of the configuration asks for them */
    }
    if (!is_plain(item->p, item->len))
        return -EBADMSG;
    if (kind == AUTH_NAME_URI && auth_peer_name(peer, AUTH_NAME_URI, 0))
        return -ENOTUNIQ;
    return add(peer, kind, item->p, item->len);
}

static int add_alternatives(struct auth_peer *peer, const mbedtls_x509_crt *crt)
{
    size_t n = 0;

    if (!mbedtls_x509_crt_has_ext_type(crt, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME))
        return 0;
    for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s; s = s->next) {
        int r = n++ < AUTH_X509_ITEMS_MAX ? add_alternative(peer, &s->buf) : -E2BIG;

        if (r)
            return r;
    }
    return 0;
}

/* No controls, no broken UTF-8: it goes into the log, and is compared with a line of YAML. */
static bool is_text(const unsigned char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t step = utf8_step(text + i, bytes - i);

        if (step == 0 || text[i] < ' ' || text[i] == 0x7f ||
            (text[i] == 0xc2 && text[i + 1] < 0xa0)) /* U+0080 to U+009F */
            return false;
        i += step;
    }
    return true;
}

static bool is_common_name(const mbedtls_x509_name *part)
{
    return MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) == 0;
}

static int add_common_name(struct auth_peer *peer, const mbedtls_x509_crt *crt)
{
    const mbedtls_x509_name *found = NULL;
    size_t n = 0;

    for (const mbedtls_x509_name *part = &crt->subject; part; part = part->next) {
        if (n++ == AUTH_X509_ITEMS_MAX)
            return -E2BIG;
        if (!part->oid.p || !is_common_name(part))
            continue;
        if (found)
            return 0; /* two: none */
        found = part;
    }
    /* the wide and the historic kinds of strings would need a conversion: nobody's name is in them
     */
    if (!found || found->val.len == 0 ||
        (found->val.tag != MBEDTLS_ASN1_UTF8_STRING &&
         found->val.tag != MBEDTLS_ASN1_PRINTABLE_STRING &&
         found->val.tag != MBEDTLS_ASN1_IA5_STRING))
        return 0;
    if (!is_text(found->val.p, found->val.len))
        return -EBADMSG;
    return add(peer, AUTH_NAME_CN, found->val.p, found->val.len);
}

int auth_x509_names(const void *der, size_t bytes, struct auth_peer *ret)
{
    mbedtls_x509_crt crt;
    int r = -EBADMSG, m;

    *ret = (struct auth_peer){.verified = false};
    if (bytes == 0 || bytes > AUTH_X509_DER_MAX_BYTES)
        return -EBADMSG;
    mbedtls_x509_crt_init(&crt);
    m = mbedtls_x509_crt_parse_der(&crt, der, bytes);
    if (m == MBEDTLS_ERR_X509_ALLOC_FAILED)
        r = -ENOMEM;
    else if (m == 0)
        r = add_alternatives(ret, &crt);
    if (r == 0)
        r = add_common_name(ret, &crt);
    mbedtls_x509_crt_free(&crt);
    if (r)
        *ret = (struct auth_peer){.verified = false};
    return r;
}
