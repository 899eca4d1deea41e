/*
 * sidecar/store/: profiles on the disk, and what happens to them when disk, clock and files are not
 * as they should be. Each test has a spool of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "helper_store.h"
#include "sidecar/store/format.h"
#include "sidecar/store/index.h"
#include "sidecar/store/key.h"

enum { BYTES = 3000 };

static struct helper_store h;

static int begin(void **state)
{
    (void)state;
    helper_store_begin(&h, 2);
    return helper_store_open(&h, NULL);
}

static int end(void **state)
{
    (void)state;
    helper_store_end(&h);
    return 0;
}

static struct store_counts counts(void)
{
    struct store_counts c;

    store_counts(h.store, &c);
    return c;
}

static uint64_t waiting(uint32_t backend)
{
    uint64_t bytes, n = store_waiting(h.store, backend, &bytes);

    assert_int_equal(n == 0, bytes == 0);
    assert_int_equal(store_waiting(h.store, backend, NULL), n);
    return n;
}

static struct store_entry oldest(uint32_t backend)
{
    struct store_entry e;

    assert_true(store_oldest(h.store, backend, 0, &e));
    return e;
}

static void reopen(void)
{
    helper_store_close(&h);
    assert_int_equal(helper_store_open(&h, NULL), 0);
}

/* The one name in a folder; the test is over when there is none. */
static void only_file(const char *folder, char *out, size_t bytes)
{
    struct store_entry e = oldest(0);
    struct key k;
    struct key_types types = {.count = 0};
    struct item item = {.time_ns = e.time_ns};
    char name[KEY_NAME_BYTES];

    memcpy(item.id, e.id, sizeof(item.id));
    memcpy(item.type, e.type, sizeof(item.type));
    assert_int_equal(key_of(&types, &item, &k), 0);
    key_print(&types, &k, false, name);
    assert_true(snprintf(out, bytes, "%s/%s/%s", h.config->spool.dir, folder, name) < (int)bytes);
    assert_int_equal(access(out, F_OK), 0);
}

/* --- the way of a profile --- */

static void put_fetch_done(void **state)
{
    struct store_entry e;
    struct item item;
    const char *why = "";

    (void)state;
    assert_int_equal(helper_store_put(&h, 7, BYTES, 3, &why), 0);
    assert_null(why);
    assert_int_equal(waiting(0), 1);
    assert_int_equal(waiting(1), 1);
    assert_int_equal(counts().profiles, 1); /* one inode */
    assert_int_equal(helper_store_files(&h, "a"), 1);
    assert_int_equal(helper_store_files(&h, "b"), 1);
    assert_int_equal(helper_store_files(&h, "tmp"), 0);
    e = oldest(1);
    assert_string_equal(e.type, "cpu");
    assert_true(e.age_ms < 60000);
    assert_int_equal(helper_store_fetch(&h, 1, e.handle, &item), 0);
    assert_string_equal(item.target, "server \"7\"");
    assert_int_equal(item.seq, 7);
    store_done(h.store, 1, e.handle);
    assert_int_equal(waiting(1), 0);
    assert_false(store_oldest(h.store, 1, 0, &e));
    e = oldest(0);
    assert_int_equal(helper_store_fetch(&h, 1, e.handle, &item), -ENOENT);
    assert_int_equal(helper_store_fetch(&h, 0, e.handle, &item), 0);
    store_drop(h.store, 0, e.handle, STORE_DROP_REJECTED);
    store_drop(h.store, 0, e.handle, STORE_DROP_REJECTED); /* gone already: counts once */
    assert_int_equal(counts().dropped[STORE_DROP_REJECTED], 1);
    assert_int_equal(counts().profiles, 0);
    assert_int_equal(counts().bytes, 0);
    helper_store_turn(&h, 300);
    assert_int_equal(helper_store_files(&h, "a"), 0);
    assert_int_equal(helper_store_files(&h, "b"), 0);
    assert_string_equal(counts().state, "ok");
}

static void oldest_first(void **state)
{
    struct store_entry e;
    uint64_t after = 0;
    char id[ITEM_ID_BYTES];

    (void)state;
    for (unsigned i = 1; i <= 40; i++)
        assert_int_equal(helper_store_put(&h, i, BYTES, i % 2 ? 1 : 3, NULL), 0);
    assert_int_equal(waiting(1), 20);
    for (unsigned i = 1; i <= 40; i++) {
        assert_true(store_oldest(h.store, 0, after, &e));
        (void)snprintf(id, sizeof(id), "%032x", i);
        assert_string_equal(e.id, id);
        after = e.handle;
    }
    assert_false(store_oldest(h.store, 0, after, &e));
    (void)snprintf(id, sizeof(id), "%032x", 2);
    assert_string_equal(oldest(1).id, id);
    reopen(); /* the same order by names */
    after = 0;
    for (unsigned i = 1; i <= 40; i++) {
        assert_true(store_oldest(h.store, 0, after, &e));
        (void)snprintf(id, sizeof(id), "%032x", i);
        assert_string_equal(e.id, id);
        after = e.handle;
    }
    assert_int_equal(waiting(1), 20);
    assert_int_equal(counts().profiles, 40);
}

/* What is done at the very end is not sent again by the next start. */
static void done_and_closed_at_once(void **state)
{
    (void)state;
    assert_int_equal(helper_store_put(&h, 1, BYTES, 3, NULL), 0);
    store_done(h.store, 0, oldest(0).handle);
    reopen();
    assert_int_equal(waiting(0), 0);
    assert_int_equal(waiting(1), 1);
}

static void too_long(void **state)
{
    unsigned char *raw = calloc(1, ITEM_RAW_MAX_BYTES + 1);
    struct item item;

    (void)state;
    assert_non_null(raw);
    helper_store_item(1, "cpu", &item);
    assert_int_equal(store_put(h.store, &item, raw, ITEM_RAW_MAX_BYTES + 1, 1, false, NULL, NULL),
                     -EFBIG);
    assert_int_equal(store_put(h.store, &item, raw, 0, 1, false, NULL, NULL), -EFBIG);
    assert_int_equal(store_put(h.store, &item, raw, ITEM_RAW_MAX_BYTES, 1, false, NULL, NULL), 0);
    while (counts().profiles == 0)
        helper_store_turn(&h, 50);
    free(raw);
    item.type[0] = '/';
    assert_int_equal(store_put(h.store, &item, "x", 1, 1, false, NULL, NULL), -EINVAL);
}

static void jobs_at_the_bound(void **state)
{
    struct item item;

    (void)state;
    for (unsigned i = 0; i < STORE_JOBS_MAX; i++) {
        helper_store_item(i, "heap", &item);
        assert_int_equal(store_put(h.store, &item, "abc", 3, 1, false, NULL, NULL), 0);
    }
    assert_int_equal(store_put(h.store, &item, "abc", 3, 1, false, NULL, NULL), -EBUSY);
    while (counts().profiles < STORE_JOBS_MAX)
        helper_store_turn(&h, 50);
    assert_int_equal(helper_store_put(&h, 1000, BYTES, 1, NULL), 0);
}

static void forgotten(void *data, int result, const char *why)
{
    (void)data;
    (void)result;
    (void)why;
    fail();
}

static void forget(void **state)
{
    struct item item;
    int who;

    (void)state;
    for (unsigned i = 0; i < 100; i++) { /* some begun, some waiting */
        helper_store_item(i, "heap", &item);
        assert_int_equal(store_put(h.store, &item, "abc", 3, 1, false, forgotten, &who), 0);
    }
    store_forget(h.store, &who);
    while (counts().profiles < 100)
        helper_store_turn(&h, 50);
}

/* --- bounds --- */

static void size_at_the_bound(void **state)
{
    uint64_t one;

    (void)state;
    assert_int_equal(helper_store_put(&h, 1, BYTES, 3, NULL), 0);
    one = counts().bytes;
    h.config->spool.max_bytes = one * 2;
    store_reload(h.store, h.config);
    assert_int_equal(helper_store_put(&h, 2, BYTES, 3, NULL), 0);
    assert_int_equal(counts().profiles, 2);
    assert_int_equal(counts().dropped[STORE_DROP_SIZE], 0);
    h.config->spool.max_bytes = one * 2 - 1;
    store_reload(h.store, h.config);
    assert_int_equal(counts().profiles, 1);
    assert_int_equal(counts().dropped[STORE_DROP_SIZE], 2); /* two backends will not get it */
    assert_int_equal(oldest(0).id[31], '2');
    /* larger than all that may be: it alone is refused */
    assert_int_equal(helper_store_put(&h, 3, (size_t)one * 4, 3, NULL), -EFBIG);
    assert_int_equal(counts().profiles, 1);
    assert_int_equal(counts().dropped[STORE_DROP_SIZE], 4);
    helper_store_turn(&h, 600);
    assert_int_equal(helper_store_files(&h, "a"), 1);
}

/* Names and sizes are all that is looked at: empty ones will do. */
static void make_files(unsigned n, int64_t first_ns)
{
    char path[1400], dir[1100];

    (void)snprintf(dir, sizeof(dir), "%s/a", h.config->spool.dir);
    for (unsigned i = 0; i < n; i++) {
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%019" PRId64 "-cpu-%032x.plsp", dir, first_ns + i,
                       i);
        fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, 1000), 0);
        (void)close(fd);
    }
}

static void entries_at_the_bound(void **state)
{
    uint64_t began;

    (void)state;
    helper_store_close(&h);
    h.config->spool.max_bytes = UINT64_C(1) << 40;
    make_files(STORE_ENTRIES_MAX, (int64_t)clock_real_ns());
    began = clock_mono_ns();
    assert_int_equal(helper_store_open(&h, NULL), 0);
    assert_true(clock_mono_ns() - began < 20 * CLOCK_NS_PER_SEC);
    assert_int_equal(waiting(0), STORE_ENTRIES_MAX);
    assert_int_equal(counts().dropped[STORE_DROP_SIZE], 0);
    assert_int_equal(helper_store_put(&h, 0xffffff, BYTES, 1, NULL), 0);
    assert_int_equal(waiting(0), STORE_ENTRIES_MAX);
    assert_int_equal(counts().dropped[STORE_DROP_SIZE], 1);
    assert_int_equal(oldest(0).id[31], '1');
}

static void age(void **state)
{
    int64_t now = (int64_t)clock_real_ns();

    (void)state;
    helper_store_close(&h);
    h.config->spool.max_age_ms = 100000;
    make_files(1, now - INT64_C(101000000000)); /* above it */
    make_files(1, now - INT64_C(90000000000));
    make_files(1, now + INT64_C(3600000000000)); /* the clock was set back: new, not lost */
    make_files(1, 0);                            /* there was no clock yet */
    assert_int_equal(helper_store_open(&h, NULL), 0);
    assert_int_equal(waiting(0), 2);
    assert_int_equal(counts().dropped[STORE_DROP_AGE], 2);
    assert_in_range(oldest(0).age_ms, 90000, 95000);
    h.config->spool.max_age_ms = 500; /* monotonic from here on */
    store_reload(h.store, h.config);
    assert_int_equal(waiting(0), 1);
    helper_store_turn(&h, 1200);
    assert_int_equal(waiting(0), 0);
    assert_int_equal(counts().dropped[STORE_DROP_AGE], 4);
    assert_int_equal(helper_store_files(&h, "a"), 0);
}

static void a_backend_that_is_no_more(void **state)
{
    (void)state;
    assert_int_equal(helper_store_put(&h, 1, BYTES, 3, NULL), 0);
    helper_store_close(&h);
    h.config->forward_count = 1;
    assert_int_equal(helper_store_open(&h, NULL), 0);
    assert_int_equal(counts().profiles, 1);
    store_done(h.store, 0, oldest(0).handle);
    assert_int_equal(counts().profiles, 1); /* still waits for b */
    h.config->forward_count = 2;            /* which comes back */
    store_reload(h.store, h.config);
    assert_int_equal(waiting(1), 1);
    h.config->forward_count = 1;
    h.config->spool.max_age_ms = 1;
    store_reload(h.store, h.config);
    helper_store_turn(&h, 600);
    assert_int_equal(counts().profiles, 0);
    assert_int_equal(counts().dropped[STORE_DROP_BACKEND], 1);
    assert_int_equal(counts().dropped[STORE_DROP_AGE], 0);
}

/* A new one at a reload; names that the spool has itself; two that change places. */
static void backends_come_and_change(void **state)
{
    struct item item;

    (void)state;
    assert_int_equal(helper_store_put(&h, 1, BYTES, 1, NULL), 0);
    (void)snprintf(h.config->forward[0].name, CONFIG_NAME_BYTES, "b");
    (void)snprintf(h.config->forward[1].name, CONFIG_NAME_BYTES, "a");
    (void)snprintf(h.config->forward[2].name, CONFIG_NAME_BYTES, "tmp");
    (void)snprintf(h.config->forward[3].name, CONFIG_NAME_BYTES, "..");
    h.config->forward_count = 4;
    store_reload(h.store, h.config);
    assert_int_equal(waiting(0), 0);
    assert_int_equal(waiting(1), 1);
    assert_int_equal(helper_store_put(&h, 2, BYTES, 12, NULL), 0);
    assert_int_equal(helper_store_fetch(&h, 2, oldest(2).handle, &item), 0);
    assert_int_equal(helper_store_files(&h, "~tmp"), 1);
    assert_int_equal(helper_store_files(&h, "~.."), 1);
    reopen();
    assert_int_equal(waiting(2), 1);
    assert_int_equal(helper_store_fetch(&h, 3, oldest(3).handle, &item), 0);
}

/* --- files that are not what was written --- */

static void spoil(size_t at, unsigned char bit)
{
    char path[1200];
    unsigned char byte;
    int fd;

    only_file("a", path, sizeof(path));
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= bit;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    (void)close(fd);
}

static void is_bad(void)
{
    uint64_t before = counts().dropped[STORE_DROP_BAD];
    struct item item;

    assert_int_equal(helper_store_fetch(&h, 0, oldest(0).handle, &item), -EBADMSG);
    assert_int_equal(waiting(0), 0);
    assert_int_equal(counts().dropped[STORE_DROP_BAD], before + 1);
    assert_int_equal(helper_store_files(&h, "a"), 0);
}

static void a_byte_that_turned(void **state)
{
    /* each field of the head, the meta, the frame's head and its middle */
    static const size_t at[] = {0, 4, 8, 10, 12, 16, 19, 23, 24, 27, 31, 33, 100, 420, 1500};
    int bad = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        assert_int_equal(helper_store_put(&h, i, BYTES, 1, NULL), 0);
        spoil(at[i], 0x41);
        is_bad();
        bad++;
        assert_int_equal(helper_store_files(&h, "bad"), bad < STORE_BAD_MAX ? bad : STORE_BAD_MAX);
    }
    for (unsigned i = 100; i < 104; i++) { /* one above the bound of bad/ */
        assert_int_equal(helper_store_put(&h, i, BYTES, 1, NULL), 0);
        spoil(0, 1);
        is_bad();
    }
    assert_int_equal(helper_store_files(&h, "bad"), STORE_BAD_MAX);
    assert_string_equal(counts().state, "ok");
}

static void a_file_that_is_another(void **state)
{
    char path[1200], other[160];
    struct stat st;

    (void)state;
    assert_int_equal(helper_store_put(&h, 1, BYTES, 1, NULL), 0);
    only_file("a", path, sizeof(path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    is_bad();

    assert_int_equal(helper_store_put(&h, 2, BYTES, 1, NULL), 0);
    only_file("a", path, sizeof(path));
    assert_int_equal(truncate(path, st.st_size + 10), 0);
    is_bad();

    (void)snprintf(other, sizeof(other), "%s/other", h.folder);
    assert_int_equal(helper_store_put(&h, 3, BYTES, 1, NULL), 0);
    only_file("a", path, sizeof(path));
    assert_int_equal(rename(path, other), 0); /* a good file under a wrong name: 3 as 4 */
    assert_int_equal(helper_store_put(&h, 4, BYTES, 1, NULL), 0);
    store_drop(h.store, 0, oldest(0).handle, STORE_DROP_REJECTED);
    only_file("a", path, sizeof(path));
    assert_int_equal(rename(other, path), 0);
    is_bad();

    assert_int_equal(helper_store_put(&h, 5, BYTES, 1, NULL), 0);
    only_file("a", path, sizeof(path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not block */
    is_bad();

    assert_int_equal(helper_store_put(&h, 6, BYTES, 1, NULL), 0);
    only_file("a", path, sizeof(path));
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    is_bad();
}

static void names_that_are_not_ours(void **state)
{
    static const char *const names[] = {
        "x",
        "1-cpu-00000000000000000000000000000001.plsp",
        "1763750000000000000-CPU-00000000000000000000000000000001.plsp",
        "1763750000000000000-cpu-0000000000000000000000000000000g.plsp",
        "1763750000000000000-cpu-00000000000000000000000000000001.plsp.tmp",
        "9999999999999999999-cpu-00000000000000000000000000000001.plsp",
        "1763750000000000000--00000000000000000000000000000001.plsp",
        "1763750000000000000-cpu-00000000000000000000000000000001-1.plsp",
        "1763750000000000000-cpu-00000000000000000000000000000001-0000aBcd.plsp",
        "1763750000000000000-cpu-00000000000000000000000000000001-0000abcd.plsp"};
    char path[1200];

    (void)state;
    assert_int_equal(helper_store_put(&h, 1, BYTES, 1, NULL), 0);
    helper_store_close(&h);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int fd;

        (void)snprintf(path, sizeof(path), "%s/a/%s", h.config->spool.dir, names[i]);
        fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_int_equal(ftruncate(fd, 100), 0);
        (void)close(fd);
    }
    (void)snprintf(path, sizeof(path), "%s/tmp/left", h.config->spool.dir);
    (void)close(open(path, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(helper_store_open(&h, NULL), 0);
    assert_int_equal(waiting(0), 1);
    assert_int_equal(helper_store_files(&h, "tmp"), 0);
    assert_int_equal(counts().dropped[STORE_DROP_BAD], sizeof(names) / sizeof(names[0]));
}

/* --- a disk that refuses --- */

static bool degraded(void)
{
    return strncmp(counts().state, "degraded: ", 10) == 0;
}

static void wait_until_ok(void)
{
    for (int i = 0; i < 300 && (degraded() || counts().in_memory); i++)
        helper_store_turn(&h, 100);
    assert_string_equal(counts().state, "ok");
    assert_int_equal(counts().in_memory, 0);
}

static void a_full_disk(void **state)
{
    struct item item;
    const char *why = NULL;
    unsigned n = 0;
    char filler[1100];
    int fd;

    (void)state;
    helper_store_close(&h);
    helper_store_rm(h.config->spool.dir);
    assert_int_equal(mkdir(h.config->spool.dir, 0700), 0);
    if (mount("tmpfs", h.config->spool.dir, "tmpfs", 0, "size=256k") != 0)
        skip(); /* takes root */
    assert_int_equal(helper_store_open(&h, NULL), 0);
    (void)snprintf(filler, sizeof(filler), "%s/.filler", h.config->spool.dir);
    fd = open(filler, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(fallocate(fd, 0, 0, 128 * 1024), 0);
    (void)close(fd);
    while (!why && n < 1000)
        assert_int_equal(helper_store_put(&h, ++n, BYTES, 3, &why), 0);
    assert_non_null(why);
    assert_true(n > 2 && n < 200);
    assert_non_null(strstr(counts().state, "No space left on device"));
    assert_int_equal(counts().in_memory, 1);
    assert_int_equal(helper_store_put(&h, ++n, BYTES, 3, &why), 0);
    assert_non_null(why);
    assert_int_equal(waiting(0), n);
    assert_int_equal(counts().profiles, n);
    assert_int_equal(helper_store_files(&h, "tmp"), 0); /* nothing half lies about */
    { /* what is in memory is served like the rest */
        struct store_entry e, last = oldest(1);

        while (store_oldest(h.store, 1, last.handle, &e))
            last = e;
        assert_int_equal(helper_store_fetch(&h, 1, last.handle, &item), 0);
        assert_int_equal(item.seq, n);
        store_done(h.store, 1, last.handle);
    }
    helper_store_turn(&h, STORE_RETRY_MS + 500);
    assert_true(degraded());
    assert_int_equal(unlink(filler), 0);
    wait_until_ok();
    assert_int_equal(helper_store_files(&h, "a"), (int)n);
    assert_int_equal(helper_store_files(&h, "b"), (int)n - 1);
    reopen();
    assert_int_equal(waiting(0), n);
    helper_store_close(&h);
    assert_int_equal(umount2(h.config->spool.dir, MNT_DETACH), 0);
}

/* The same without root: no file may grow. */
static void files_that_may_not_grow(void **state)
{
    struct rlimit none, before;
    const char *why = NULL;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(helper_store_put(&h, 1, BYTES, 3, &why), 0);
    assert_non_null(why);
    assert_true(degraded());
    assert_int_equal(helper_store_files(&h, "tmp"), 0);
    /* in memory up to the bound, oldest first */
    for (unsigned i = 2; i <= 5; i++)
        assert_int_equal(helper_store_put(&h, i, STORE_MEMORY_MAX_BYTES / 4, 3, &why), 0);
    assert_int_equal(counts().dropped[STORE_DROP_MEMORY], 4); /* 1 and 2: heads come on top */
    assert_int_equal(oldest(0).id[31], '3');
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    wait_until_ok();
    reopen();
    assert_int_equal(waiting(1), 3);
}

static void a_read_only_spool(void **state)
{
    struct item item;
    const char *why = NULL;

    (void)state;
    assert_int_equal(helper_store_put(&h, 1, BYTES, 1, NULL), 0);
    helper_store_close(&h);
    if (mount(h.config->spool.dir, h.config->spool.dir, NULL, MS_BIND, NULL) != 0)
        skip();
    if (mount(NULL, h.config->spool.dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0)
        skip();
    assert_int_equal(helper_store_open(&h, NULL), 0); /* what waits is still sent */
    assert_int_equal(helper_store_fetch(&h, 0, oldest(0).handle, &item), 0);
    assert_int_equal(helper_store_put(&h, 2, BYTES, 1, &why), 0);
    assert_non_null(why);
    assert_non_null(strstr(counts().state, "Read-only"));
    store_done(h.store, 0, oldest(0).handle);
    assert_int_equal(waiting(0), 1);
    helper_store_turn(&h, 600);
    assert_int_equal(mount(NULL, h.config->spool.dir, NULL, MS_REMOUNT | MS_BIND, NULL), 0);
    wait_until_ok();
    for (int i = 0; i < 50 && helper_store_files(&h, "a") != 1; i++)
        helper_store_turn(&h, 100);
    assert_int_equal(helper_store_files(&h, "a"), 1); /* the first is removed, the second there */
    helper_store_close(&h);
    assert_int_equal(umount2(h.config->spool.dir, MNT_DETACH), 0);
}

static void a_spool_that_is_deleted(void **state)
{
    struct item item;
    const char *why = "";
    char folder[1100];

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(helper_store_put(&h, i, BYTES, 3, NULL), 0);
    helper_store_rm(h.config->spool.dir);
    assert_int_equal(helper_store_put(&h, 10, BYTES, 3, &why), 0);
    assert_null(why); /* made anew at once */
    for (int i = 0; i < 50 && counts().profiles > 1; i++)
        helper_store_turn(&h, 100);
    assert_int_equal(counts().profiles, 1); /* what was lost is counted */
    assert_int_equal(counts().dropped[STORE_DROP_BAD], 10);
    assert_int_equal(helper_store_fetch(&h, 0, oldest(0).handle, &item), 0);
    (void)snprintf(folder, sizeof(folder), "%s/a", h.config->spool.dir);
    helper_store_rm(folder); /* one folder alone */
    assert_int_equal(helper_store_put(&h, 11, BYTES, 3, &why), 0);
    assert_null(why);
    for (int i = 0; i < 50 && waiting(0) > 1; i++)
        helper_store_turn(&h, 100);
    assert_int_equal(waiting(0), 1);
    assert_int_equal(waiting(1), 2);
    reopen();
    assert_int_equal(waiting(1), 2);
}

/* A file that somebody removed is found when it is wanted. */
static void a_file_that_is_deleted(void **state)
{
    struct item item;
    char path[1200];

    (void)state;
    assert_int_equal(helper_store_put(&h, 1, BYTES, 3, NULL), 0);
    only_file("a", path, sizeof(path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(helper_store_fetch(&h, 0, oldest(0).handle, &item), -ENOENT);
    assert_int_equal(waiting(0), 0);
    assert_int_equal(waiting(1), 1);
    assert_int_equal(counts().dropped[STORE_DROP_BAD], 1);
    assert_int_equal(helper_store_fetch(&h, 1, oldest(1).handle, &item), 0);
}

/* The second waits in memory until the first has ended, and then sees what it left. */
static void two_of_us(void **state)
{
    struct helper_store second;
    const char *why = NULL;

    (void)state;
    assert_int_equal(helper_store_put(&h, 1, BYTES, 1, NULL), 0);
    helper_store_begin(&second, 2);
    memcpy(second.config->spool.dir, h.config->spool.dir, sizeof(h.config->spool.dir));
    assert_int_equal(helper_store_open(&second, NULL), 0);
    assert_int_equal(helper_store_put(&second, 2, BYTES, 1, &why), 0);
    assert_non_null(why);
    helper_store_close(&h);
    h.store = second.store;
    for (int i = 0; i < 100 && (degraded() || waiting(0) < 2); i++)
        helper_store_turn(&second, 100);
    assert_int_equal(waiting(0), 2);
    assert_string_equal(counts().state, "ok");
    h.store = NULL;
    helper_store_end(&second);
}

static void without_a_folder(void **state)
{
    struct item item;
    const char *why = NULL;

    (void)state;
    helper_store_close(&h);
    h.config->spool.dir[0] = '\0';
    assert_int_equal(helper_store_open(&h, NULL), 0);
    assert_int_equal(helper_store_put(&h, 1, BYTES, 3, &why), 0);
    assert_non_null(why);
    assert_int_equal(counts().in_memory, 1);
    assert_non_null(strstr(counts().state, "spool.dir is not set"));
    assert_int_equal(helper_store_fetch(&h, 1, oldest(1).handle, &item), 0);
    store_done(h.store, 1, oldest(1).handle);
    store_done(h.store, 0, oldest(0).handle);
    assert_int_equal(counts().profiles, 0);
    for (unsigned i = 2; i <= 6; i++)
        assert_int_equal(helper_store_put(&h, i, STORE_MEMORY_MAX_BYTES / 4, 3, NULL), 0);
    assert_int_equal(waiting(0), 3);
}

static void mistakes(void **state)
{
    struct err e = {0};

    (void)state;
    helper_store_close(&h);
    (void)snprintf(h.config->spool.dir, sizeof(h.config->spool.dir), "/proc/self/stat/spool");
    assert_int_equal(helper_store_open(&h, &e), -ENOTDIR);
    assert_non_null(strstr(e.text, "/proc/self/stat/spool"));
}

/* --- the index --- */

static void the_index(void **state)
{
    struct index ix = {0};
    struct index_entry e = {.bytes = 10, .mask = 3};
    uint64_t handles[3000];

    (void)state;
    assert_true(sizeof(struct index_entry) <= 100);
    for (unsigned i = 0; i < 3000; i++)
        handles[i] = index_add(&ix, &e);
    for (unsigned i = 0; i < 3000; i++) {
        if (i % 3)
            index_clear(&ix, index_find(&ix, handles[i]), 3);
        else
            index_clear(&ix, index_find(&ix, handles[i]), 1);
    }
    assert_int_equal(ix.profiles, 1000);
    assert_int_equal(ix.bytes, 10000);
    assert_int_equal(ix.slot_count[0], 0);
    assert_int_equal(ix.slot_bytes[1], 10000);
    assert_true(ix.count < 2500); /* gaps were closed */
    assert_null(index_oldest(&ix, 0, 0));
    assert_int_equal(index_oldest(&ix, 1, 0)->handle, handles[0]);
    assert_int_equal(index_oldest(&ix, 1, handles[0])->handle, handles[3]);
    assert_null(index_find(&ix, handles[1]));
    for (unsigned i = 0; i < 3000; i += 3)
        index_clear(&ix, index_find(&ix, handles[i]), 2);
    assert_null(index_first(&ix));
    handles[0] = index_add(&ix, &e);
    assert_int_equal(index_oldest(&ix, 0, 0)->handle, handles[0]);
    index_release(&ix);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(put_fetch_done),
        T(oldest_first),
        T(done_and_closed_at_once),
        T(too_long),
        T(jobs_at_the_bound),
        T(forget),
        T(size_at_the_bound),
        T(entries_at_the_bound),
        T(age),
        T(a_backend_that_is_no_more),
        T(backends_come_and_change),
        T(a_byte_that_turned),
        T(a_file_that_is_another),
        T(names_that_are_not_ours),
        T(a_full_disk),
        T(files_that_may_not_grow),
        T(a_read_only_spool),
        T(a_spool_that_is_deleted),
        T(a_file_that_is_deleted),
        T(two_of_us),
        T(without_a_folder),
        T(mistakes),
        cmocka_unit_test(the_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
