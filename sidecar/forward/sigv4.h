/*
 * sigv4.h: AWS Signature Version 4 in the Authorization header ("Signature Calculations for the
 * Authorization Header: Transferring Payload in a Single Chunk", Amazon S3 API reference). What is
 * signed is what is sent: the caller gives the encoded path and the headers as they go out.
 */
#ifndef SIDECAR_FORWARD_SIGV4_H
#define SIDECAR_FORWARD_SIGV4_H

#include <stddef.h>
#include <stdint.h>

enum {
    SIGV4_HASH_BYTES = 65,  /* hex and a NUL */
    SIGV4_STAMP_BYTES = 17, /* 20130524T000000Z and a NUL */
    SIGV4_HEADERS_MAX = 8,
    SIGV4_TEXT_BYTES = 4096, /* of the canonical request */
};

struct sigv4_want {
    const char *method;
    const char *path;  /* encoded (sigv4_encode()), no query */
    const char *query; /* canonical, "" when there is none */
    /* lower-case names, sorted; with host, x-amz-date and x-amz-content-sha256 */
    struct {
        const char *name, *value;
    } headers[SIGV4_HEADERS_MAX];
    size_t headers_count;
    const char *hash; /* of the body, hex */
    const char *access_key, *secret_key, *region, *service;
    const char *stamp; /* sigv4_stamp() */
};

/** sigv4_stamp(real_ns, ret): the date as it is signed and sent in x-amz-date. */
void sigv4_stamp(uint64_t real_ns, char ret[static SIGV4_STAMP_BYTES]);

/** sigv4_hash(data, bytes, ret): SHA-256 in lower-case hex. */
void sigv4_hash(const void *data, size_t bytes, char ret[static SIGV4_HASH_BYTES]);

/**
 * sigv4_encode(text, ret, bytes): a path: what is not unreserved (RFC 3986, 2.3) and no slash
 * becomes %XX. -ENOSPC.
 */
int sigv4_encode(const char *text, char *ret, size_t bytes);

/** sigv4_sign(want, ret, bytes): the value of the Authorization header. -ENOSPC. */
int sigv4_sign(const struct sigv4_want *want, char *ret, size_t bytes);

#endif
