/* A bulk that claims to be a rope: what is opened can be read to its end, and is as long as it
 * says. */
#include "wire/rope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum {
    READ_MAX_BYTES = 1024 * 1024, /* a forged one may be 64 MiB long: its beginning is enough */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct rope_place place = {0, 0};
    unsigned char *copy = malloc(bytes ? bytes : 1); /* aligned, as a mapping is */
    const struct bulk bulk = {copy, bytes};
    struct rope_text text;
    unsigned char window[1000];
    size_t at = 0, n;

    if (!copy)
        return 0;
    memcpy(copy, data, bytes);
    if (rope_open(&bulk, &text) == 0) {
        while (at < READ_MAX_BYTES && (n = rope_read(&text, &place, window, sizeof(window))) > 0)
            at += n;
        if (at < READ_MAX_BYTES && at != text.bytes)
            abort();
    }
    free(copy);
    return 0;
}
