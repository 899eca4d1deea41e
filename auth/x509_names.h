/*
 * x509_names.h: the names in a certificate, out of its DER bytes: URIs, DNS names and e-mail
 * addresses of the subject alternative name, and the common name of the subject.
 *
 * It says nothing about whether the certificate is anybody's: call it for one that was verified, or
 * for none. Names with bytes that could be read in two ways (an embedded NUL, controls, anything
 * but printable ASCII; in a common name also what is no UTF-8) make the whole certificate bad: a
 * name that was cut or repaired could be somebody else's.
 */
#ifndef AUTH_X509_NAMES_H
#define AUTH_X509_NAMES_H

#include <stddef.h>

#include "auth/auth.h"

enum {
    AUTH_X509_DER_MAX_BYTES = 64 * 1024, /* a handshake message of ours holds 16 KB */
    AUTH_X509_ITEMS_MAX = 256,           /* alternative names of any kind, or parts of a subject */
};

/**
 * auth_x509_names(der, bytes, ret): ${ret} is filled, `verified` is left false. 0; -ENOTUNIQ more
 * than one URI (the SPIFFE X.509-SVID standard, section 2, allows exactly one, and with two it is
 * open whose certificate it is); -E2BIG a name too long or too many of them; -EBADMSG not a
 * certificate, or a name with bytes as above; -ENOMEM. A subject with several common names has
 * none: readers disagree on which one counts. Other kinds of names are skipped.
 */
int auth_x509_names(const void *der, size_t bytes, struct auth_peer *ret);

#endif
