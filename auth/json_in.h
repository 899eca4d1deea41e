/*
 * json_in.h: JSON that comes from elsewhere (keys, tokens, replies), read by jansson with the
 * settings that hostile text needs: bounded, no duplicate keys (two readers could take different
 * ones), no NUL in texts, nothing behind the end.
 */
#ifndef AUTH_JSON_IN_H
#define AUTH_JSON_IN_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

enum {
    JSON_IN_MAX_BYTES = 1024 * 1024,
};

/**
 * json_in_parse(text, bytes, ret, e): an object, the caller's to json_decref(). -EBADMSG with what
 * is wrong and where, never with the text itself; -EFBIG above JSON_IN_MAX_BYTES.
 */
int json_in_parse(const void *text, size_t bytes, json_t **ret, struct err *e);

/** json_in_text(object, key): its text, or NULL when there is none or it is no text. */
const char *json_in_text(const json_t *object, const char *key);

#endif
