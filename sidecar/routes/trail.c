#include "sidecar/routes/trail.h"

#include <inttypes.h>
#include <string.h>

#include "base/intern.h"
#include "sidecar/routes/table.h"

/* The longest first. */
static const char *const FOLDERS[] = {"/api/v1/profiles/", "/debug/pprof/", "/api/v1/", "/debug/",
                                      "/"};

enum {
    HIDDEN_BYTES = 48,             /* "{2047:1c9e20b7}", and more */
    ROOM_BYTES = 2 * HIDDEN_BYTES, /* for one more segment and for all that is behind it */
};

struct text {
    char *out;
    size_t used;
};

/* What does not fit is not begun: a cut number would be another. */
static void put(struct text *t, const char *data, size_t bytes)
{
    if (bytes >= TRAIL_BYTES - t->used)
        return;
    memcpy(t->out + t->used, data, bytes);
    t->used += bytes;
    t->out[t->used] = '\0';
}

static void put_hidden(struct text *t, const uint64_t key[static 2], const char *data, size_t bytes)
{
    char text[HIDDEN_BYTES];
    int n = snprintf(text, sizeof(text), "{%zu:%08" PRIx32 "}", bytes,
                     (uint32_t)intern_hash(key, data, bytes));

    put(t, text, (size_t)n);
}

static bool is_plain(const char *segment, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        char c = segment[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';

        if (!ok)
            return false;
    }
    return bytes <= TRAIL_SEGMENT_BYTES;
}

/* Segment by segment; from where there is no room for another one, the rest as one. */
static void put_segments(struct text *t, const uint64_t key[static 2], const char *rest)
{
    while (*rest) {
        size_t n = strcspn(rest, "/");

        if (TRAIL_BYTES - t->used < ROOM_BYTES) {
            put_hidden(t, key, rest, strlen(rest));
            return;
        }
        if (is_plain(rest, n))
            put(t, rest, n);
        else
            put_hidden(t, key, rest, n);
        rest += n;
        if (*rest == '/') {
            put(t, "/", 1);
            rest++;
        }
    }
}

static size_t folder_of(const char *path)
{
    for (size_t i = 0; i < sizeof(FOLDERS) / sizeof(FOLDERS[0]); i++) {
        size_t n = strlen(FOLDERS[i]);

        if (strncmp(path, FOLDERS[i], n) == 0)
            return n;
    }
    return 0;
}

const char *trail_path(const struct trail *t, char out[static TRAIL_BYTES])
{
    struct text text = {.out = out};
    const struct route *row = table_find(t->path, ROUTE_ADMIN);
    size_t bytes = strlen(t->path), folder = folder_of(t->path);

    out[0] = '\0';
    /* of the table, or a name beneath it that there is: 200 */
    if ((row && !row->beneath) || (t->route && t->status == 200 && bytes < TRAIL_BYTES)) {
        put(&text, t->path, bytes);
        return out;
    }
    put(&text, t->path, folder);
    if (t->known)
        put_segments(&text, t->key, t->path + folder);
    else if (bytes > folder)
        put_hidden(&text, t->key, t->path + folder, bytes - folder);
    return out;
}
