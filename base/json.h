/*
 * json.h: write JSON into a buffer; nothing is read here. Strings may hold any bytes: valid UTF-8
 * passes, every other byte becomes U+FFFD, control bytes are escaped. A key of NULL is for values
 * inside an array (and the outermost value).
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

struct json {
    struct buf *out;
    bool comma; /* the next value needs a comma before it */
};

/** json_begin(j, out): start a document that is appended to ${out}. */
void json_begin(struct json *j, struct buf *out);

void json_object_begin(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array_begin(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_str(struct json *j, const char *key, const char *value); /* NULL value: null */
void json_bytes(struct json *j, const char *key, const void *value, size_t bytes);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_double(struct json *j, const char *key, double value); /* not finite: null */
void json_bool(struct json *j, const char *key, bool value);

#endif
