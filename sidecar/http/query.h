/*
 * query.h: the query string, read as Go's net/http does: the first of several values counts.
 */
#ifndef SIDECAR_HTTP_QUERY_H
#define SIDECAR_HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>

/**
 * query_get(query, key, out, out_bytes): the percent-decoded first value of ${key}. 1 found, 0 not
 * there, -EINVAL bad escape, -E2BIG longer than out_bytes - 1.
 */
int query_get(const char *query, const char *key, char *out, size_t out_bytes);

/** query_has_token(query): does it carry something that looks like a credential (token=…)? */
bool query_has_token(const char *query);

#endif
