/*
 * A digest instead of a list: it costs 16 bytes however many files there are, and which of them has
 * changed does not matter, since everything is read again. The change time is in it because a file
 * can be written twice within one tick of its modification time, or have that set back by tar.
 */
#include "sidecar/watch.h"

#include <sys/stat.h>

#include "base/intern.h"
#include "config/files.h"

/* What is hashed of one file; a file that is not there is all zeros. */
struct look {
    uint64_t dev, ino, size, mtime_s, mtime_ns, ctime_s, ctime_ns;
};

static uint64_t add(uint64_t digest, const char *path)
{
    const uint64_t key[2] = {digest, 0};
    struct look look = {0};
    struct stat st;

    if (path[0] == '\0')
        return digest;
    if (stat(path, &st) == 0)
        look = (struct look){st.st_dev,
                             st.st_ino,
                             (uint64_t)st.st_size,
                             (uint64_t)st.st_mtim.tv_sec,
                             (uint64_t)st.st_mtim.tv_nsec,
                             (uint64_t)st.st_ctim.tv_sec,
                             (uint64_t)st.st_ctim.tv_nsec};
    return intern_hash(key, &look, sizeof(look)); /* the key chains the files in order */
}

void watch_config(struct watch *w, const struct config *c)
{
    /* without a file named, the default one may appear */
    w->config = add(1, c->path[0] ? c->path : CONFIG_DEFAULT_FILE);
}

/* Folders change with every profile that is kept, and are read by nobody else. */
static void add_named(void *data, const char *key, enum config_file use, const char *path)
{
    uint64_t *digest = data;

    (void)key;
    if (use != CONFIG_FILE_FOLDER)
        *digest = add(*digest, path);
}

void watch_others(struct watch *w, const struct config *c)
{
    uint64_t digest = 1;

    config_files(c, add_named, &digest);
    w->others = digest;
}

bool watch_look(struct watch *w, const struct config *c)
{
    struct watch old = *w;

    watch_config(w, c);
    watch_others(w, c);
    return w->config != old.config || w->others != old.others;
}
