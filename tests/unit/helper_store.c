#include "helper_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

enum { WAIT_MS = 30000 };

void helper_store_begin(struct helper_store *h, unsigned backends)
{
    memset(h, 0, sizeof(*h));
    h->config = calloc(1, sizeof(*h->config));
    assert_non_null(h->config);
    (void)snprintf(h->folder, sizeof(h->folder), "/tmp/pillion-store-XXXXXX");
    assert_non_null(mkdtemp(h->folder));
    (void)snprintf(h->config->spool.dir, sizeof(h->config->spool.dir), "%s/spool", h->folder);
    h->config->spool.max_bytes = 256 * 1024 * 1024;
    h->config->spool.max_age_ms = 24 * 3600 * 1000;
    for (unsigned i = 0; i < backends; i++)
        (void)snprintf(h->config->forward[i].name, sizeof(h->config->forward[i].name), "%c",
                       'a' + (int)i);
    h->config->forward_count = backends;
    assert_int_equal(uv_loop_init(&h->loop), 0);
}

int helper_store_open(struct helper_store *h, struct err *e)
{
    int r = store_open(&h->loop, h->config, &h->store, e);

    if (r == 0)
        helper_store_turn(h, 1);
    return r;
}

void helper_store_close(struct helper_store *h)
{
    store_close(h->store);
    h->store = NULL;
    (void)uv_run(&h->loop, UV_RUN_DEFAULT);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void helper_store_rm(const char *path)
{
    (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void helper_store_end(struct helper_store *h)
{
    helper_store_close(h);
    assert_int_equal(uv_loop_close(&h->loop), 0);
    helper_store_rm(h->folder);
    free(h->config);
}

static void on_time(uv_timer_t *t)
{
    *(bool *)t->data = true;
}

static void turn_until(struct helper_store *h, const bool *done, unsigned ms)
{
    uv_timer_t timer;
    bool late = false;

    (void)uv_timer_init(&h->loop, &timer);
    timer.data = &late;
    (void)uv_timer_start(&timer, on_time, ms, 0);
    while (!late && !*done)
        (void)uv_run(&h->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&h->loop, UV_RUN_NOWAIT);
}

void helper_store_turn(struct helper_store *h, unsigned ms)
{
    bool never = false;

    turn_until(h, &never, ms);
}

void helper_store_item(unsigned n, const char *type, struct item *ret)
{
    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->id, sizeof(ret->id), "%032x", n);
    (void)snprintf(ret->type, sizeof(ret->type), "%s", type);
    ret->time_ns = (int64_t)(clock_real_ns() / 1000000 * 1000000) + n;
    ret->duration_ns = 10000000000;
    ret->seq = n;
    (void)snprintf(ret->target, sizeof(ret->target), "server \"%u\"", n);
    (void)snprintf(ret->version, sizeof(ret->version), "v1.%u", n / 100);
}

/* Not to be packed to nothing. */
void helper_store_raw(unsigned n, size_t bytes, unsigned char *out)
{
    uint32_t x = n * 2654435761u + 1;

    for (size_t i = 0; i < bytes; i++) {
        x = x * 1664525u + 1013904223u;
        out[i] = (unsigned char)(x >> 24);
    }
}

struct waiting {
    bool done;
    int result;
    const char *why;
    struct item *item;
};

static void accepted(void *data, int result, const char *why)
{
    struct waiting *w = data;

    assert_false(w->done);
    *w = (struct waiting){.done = true, .result = result, .why = why};
}

int helper_store_put(struct helper_store *h, unsigned n, size_t bytes, uint32_t backends,
                     const char **ret_why)
{
    unsigned char *raw = malloc(bytes + 1);
    struct waiting w = {.done = false};
    struct item item;
    int r;

    assert_non_null(raw);
    helper_store_item(n, "cpu", &item);
    helper_store_raw(n, bytes, raw);
    r = store_put(h->store, &item, raw, bytes, backends, h->config->history.dir[0], accepted, &w);
    free(raw);
    if (r)
        return r;
    turn_until(h, &w.done, WAIT_MS);
    assert_true(w.done);
    if (ret_why)
        *ret_why = w.why;
    return w.result;
}

static void came(void *data, const struct store_read *read)
{
    struct waiting *w = data;
    unsigned char *raw;

    assert_false(w->done);
    w->done = true;
    w->result = read->result;
    if (read->result) {
        assert_null(read->raw);
        assert_non_null(read->why);
        return;
    }
    *w->item = read->item;
    raw = malloc(read->raw->len);
    assert_non_null(raw);
    helper_store_raw((unsigned)strtoul(read->item.id + 24, NULL, 16), read->raw->len, raw);
    assert_memory_equal(raw, read->raw->data, read->raw->len);
    free(raw);
}

int helper_store_fetch(struct helper_store *h, uint32_t backend, uint64_t handle, struct item *ret)
{
    struct waiting w = {.item = ret};
    int r = store_fetch(h->store, backend, handle, came, &w);

    if (r)
        return r;
    turn_until(h, &w.done, WAIT_MS);
    assert_true(w.done);
    return w.result;
}

int helper_store_files(const struct helper_store *h, const char *folder)
{
    char path[1200];
    int n = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "%s/%s", h->config->spool.dir, folder);
    dir = opendir(path);
    if (!dir)
        return -1;
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n - 2;
}
