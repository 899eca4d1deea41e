/*
 * validity.h: from when to when is a certificate valid? Reads that alone of its DER.
 *
 * Not by mbedTLS: its parser of certificates brings every key, cipher and hash that it knows, half
 * a megabyte of a static program, for two dates that only a warning depends on. Nothing is trusted
 * for what stands here; the sidecar, which uses the certificate, checks it as a whole.
 */
#ifndef CLI_VALIDITY_H
#define CLI_VALIDITY_H

#include <stddef.h>

#include "base/clock.h"

struct validity {
    struct clock_date from, to; /* UTC; each field within its range */
};

/**
 * validity_read(der, bytes, ret): of the certificate that begins at ${der}; what stands behind it
 * is not looked at. 0, or -EBADMSG when it is none; any bytes may be given.
 */
int validity_read(const void *der, size_t bytes, struct validity *ret);

#endif
