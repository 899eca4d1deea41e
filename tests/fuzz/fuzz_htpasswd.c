/* Any bytes as an htpasswd file: every user that is taken can be found again, by a bounded hash. */
#include "auth/htpasswd.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct htpasswd h;
    struct err e = {0};

    if (bytes > HTPASSWD_FILE_MAX_BYTES)
        return 0;
    if (htpasswd_parse((const char *)data, bytes, "file", &h, &e) != 0) {
        if (e.text[0] == '\0')
            abort();
        return 0;
    }
    for (size_t i = 0; i < h.count; i++) {
        const struct htpasswd_user *u = &h.users[i];

        if (htpasswd_find(&h, u->name, strlen(u->name)) != u || strlen(u->hash) < 45)
            abort();
    }
    htpasswd_release(&h);
    return 0;
}
