/* Changed files are seen: written, replaced, swapped behind a link, gone and there again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/watch.h"

static char folder[] = "/tmp/pillion-watch-XXXXXX";
static struct config *config;
static struct watch w;

static const char *path(const char *name)
{
    static char out[2][256];
    static int turn;

    turn = !turn;
    (void)snprintf(out[turn], sizeof(out[turn]), "%s/%s", folder, name);
    return out[turn];
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(path(name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    (void)state;
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    if (!mkdtemp(folder) || !(config = calloc(1, sizeof(*config))))
        return -1;
    memset(&w, 0, sizeof(w));
    (void)snprintf(config->path, sizeof(config->path), "%s/c.yaml", folder);
    (void)snprintf(config->admin.certificate, sizeof(config->admin.certificate), "%s/tls.crt",
                   folder);
    config->auth.tokens_count = 2;
    (void)snprintf(config->auth.tokens[1].file, sizeof(config->auth.tokens[1].file), "%s/tokens",
                   folder);
    config->auth.tokens[0].has_hash = true;
    put("c.yaml", "a");
    put("tls.crt", "b");
    put("tokens", "c");
    (void)watch_look(&w, config);
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"c.yaml", "tls.crt",    "tokens",    "new",
                                        "..data", "one/tokens", "two/tokens"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlink(path(names[i]));
    (void)rmdir(path("one"));
    (void)rmdir(path("two"));
    free(config);
    return rmdir(folder);
}

static void seen_once(void)
{
    assert_true(watch_look(&w, config));
    assert_false(watch_look(&w, config));
}

static void nothing_is_no_change(void **state)
{
    (void)state;
    assert_false(watch_look(&w, config));
}

static void writes_are_seen(void **state)
{
    (void)state;
    put("c.yaml", "aa");
    seen_once();
    put("tls.crt", "bb");
    seen_once();
    put("tokens", "cc");
    seen_once();
}

/* What every kind of key names, in lists too; but not what is written by ourselves. */
static void all_that_is_named_is_watched(void **state)
{
    (void)state;
    config->forward_count = 1;
    (void)snprintf(config->forward[0].auth.password_file,
                   sizeof(config->forward[0].auth.password_file), "%s/new", folder);
    (void)snprintf(config->spool.dir, sizeof(config->spool.dir), "%s/one", folder);
    (void)watch_look(&w, config);
    put("new", "x");
    seen_once();
    assert_int_equal(mkdir(path("one"), 0700), 0);
    assert_false(watch_look(&w, config));
}

static void a_rename_of_the_same_size_is_seen(void **state)
{
    struct stat st;
    struct timespec times[2];

    (void)state;
    assert_int_equal(stat(path("tokens"), &st), 0);
    put("new", "d");
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    assert_int_equal(utimensat(AT_FDCWD, path("new"), times, 0), 0);
    assert_int_equal(rename(path("new"), path("tokens")), 0);
    seen_once();
}

static void going_and_coming_is_seen(void **state)
{
    (void)state;
    assert_int_equal(unlink(path("tls.crt")), 0);
    seen_once();
    put("tls.crt", "b");
    seen_once();
}

/* How kubelet replaces a mounted Secret: ..data is renamed over, the names below stay links. */
static void the_swap_of_a_link_is_seen(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path("one"), 0700), 0);
    assert_int_equal(mkdir(path("two"), 0700), 0);
    put("one/tokens", "x");
    put("two/tokens", "y");
    assert_int_equal(unlink(path("tokens")), 0);
    assert_int_equal(symlink("one", path("..data")), 0);
    assert_int_equal(symlink("..data/tokens", path("tokens")), 0);
    seen_once();
    assert_int_equal(symlink("two", path("new")), 0);
    assert_int_equal(rename(path("new"), path("..data")), 0);
    seen_once();
}

static void what_changes_while_it_is_read_is_seen_later(void **state)
{
    struct watch looks;

    (void)state;
    watch_config(&looks, config);
    put("c.yaml", "changed while it was read");
    watch_others(&looks, config);
    w = looks;
    seen_once();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_no_change, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(all_that_is_named_is_watched, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rename_of_the_same_size_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(going_and_coming_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(the_swap_of_a_link_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(what_changes_while_it_is_read_is_seen_later, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
