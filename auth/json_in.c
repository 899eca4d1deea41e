#include "auth/json_in.h"

#include <errno.h>

int json_in_parse(const void *text, size_t bytes, json_t **ret, struct err *e)
{
    json_error_t error;
    json_t *value;

    if (bytes > JSON_IN_MAX_BYTES)
        return err_set(e, -EFBIG, "more than %d bytes of JSON", JSON_IN_MAX_BYTES);
    value = json_loadb(text ? text : "", bytes, JSON_REJECT_DUPLICATES, &error);
    /* error.text may quote the input, which may be a key: its place is enough */
    if (!value)
        return err_set(e, -EBADMSG, "no JSON (line %d, column %d)", error.line, error.column);
    if (!json_is_object(value)) {
        json_decref(value);
        return err_set(e, -EBADMSG, "no JSON object");
    }
    *ret = value;
    return 0;
}

const char *json_in_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}
