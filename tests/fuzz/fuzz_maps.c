/*
 * fuzz_maps.c: any bytes as the text of /proc/PID/maps. The input is cut in two at its first NUL:
 * the second text is the first one's successor.
 */
#include "sampler/symbols/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(const struct maps *m)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct maps_row *row = &m->rows[i];

        if (row->start >= row->end || (i > 0 && m->rows[i - 1].end > row->start))
            abort();
        if (strlen(maps_path(m, row)) >= MAPS_PATH_BYTES)
            abort();
        if (maps_find(m, row->start) != row || maps_find(m, row->end - 1) != row ||
            maps_find(m, row->end) == row)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *cut = bytes ? memchr(data, 0, bytes) : NULL;
    size_t first = cut ? (size_t)(cut - data) : bytes;
    struct maps before = {0}, now = {0};
    struct err e = {0};

    if (maps_parse((const char *)data, first, &before, &e) < 0)
        return 0;
    check(&before);
    if (cut && maps_parse((const char *)cut + 1, bytes - first - 1, &now, &e) == 0) {
        if (maps_keep(&now, &before) == 0)
            check(&now);
        maps_release(&now);
    }
    maps_release(&before);
    return 0;
}
