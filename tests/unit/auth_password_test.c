/*
 * auth/htpasswd, auth/passwords, auth/cache, auth/work: which hashes are taken, what a login costs,
 * what is remembered and for how long. Hashes are made by perl(1), which has crypt(3).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/passwords.h"
#include "base/clock.h"

static char file[64];

static int parse(const char *text)
{
    struct htpasswd h = {.users = NULL};
    struct err e = {0};
    int r = htpasswd_parse(text, strlen(text), "file", &h, &e);

    assert_true(r == 0 || strncmp(e.text, "file", 4) == 0);
    htpasswd_release(&h);
    return r;
}

/* A hash that libcrypt makes itself: the schemes are its own. */
static const char *hash_of(const char *setting, const char *password)
{
    static char text[HTPASSWD_HASH_BYTES];
    /* crypt(3) is the plain form; htpasswd_matches() is what is tested */
    char command[256];
    FILE *p;

    (void)snprintf(command, sizeof(command), "perl -e 'print crypt($ARGV[0], $ARGV[1])' '%s' '%s'",
                   password, setting);
    p = popen(command, "r");
    assert_non_null(p);
    text[0] = '\0';
    (void)!fgets(text, sizeof(text), p);
    assert_int_equal(pclose(p), 0);
    assert_true(strlen(text) > 20);
    return text;
}

static void test_schemes(void **state)
{
    static const char *const settings[] = {
        "$6$saltsalt$",
        "$6$rounds=1000$saltsalt$",
        "$5$saltsalt$",
        "$5$rounds=2000$s$",
        "$2b$04$abcdefghijklmnopqrstuu",
        "$2y$05$abcdefghijklmnopqrstuu",
        "$2a$04$abcdefghijklmnopqrstuu",
        "$y$j9T$saltsaltsaltsalt$",
    };
    char line[HTPASSWD_HASH_BYTES + 16], hash[HTPASSWD_HASH_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        (void)snprintf(hash, sizeof(hash), "%s", hash_of(settings[i], "secret"));
        (void)snprintf(line, sizeof(line), "me:%s\n", hash);
        assert_int_equal(parse(line), 0);
        assert_true(htpasswd_matches(hash, "secret"));
        assert_false(htpasswd_matches(hash, "Secret"));
        assert_false(htpasswd_matches(hash, "secret "));
        assert_false(htpasswd_matches(hash, ""));
        line[strlen(line) - 2] = '\0'; /* a digit less */
        assert_int_equal(parse(line), -EINVAL);
    }
}

static void test_bcrypt_length(void **state)
{
    char password[HTPASSWD_BCRYPT_BYTES + 2], hash[HTPASSWD_HASH_BYTES];

    (void)state;
    memset(password, 'a', sizeof(password));
    password[HTPASSWD_BCRYPT_BYTES] = '\0';
    (void)snprintf(hash, sizeof(hash), "%s", hash_of("$2b$04$abcdefghijklmnopqrstuu", password));
    assert_true(htpasswd_matches(hash, password));
    /* bcrypt itself would ignore what follows */
    password[HTPASSWD_BCRYPT_BYTES] = 'x';
    password[HTPASSWD_BCRYPT_BYTES + 1] = '\0';
    assert_false(htpasswd_matches(hash, password));
}

/* What can be guessed, what costs too much, and what is no line. */
static void test_refused(void **state)
{
    static const char digits22[] = "abcdefghijklmnopqrstuu";
    static const char *const hashes[] = {
        "secret",
        "",
        "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        "$apr1$abcdefgh$0123456789012345678901",
        "$1$abcdefgh$0123456789012345678901",
        "abJnggxhB/yWI",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
        "$2x$05$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde",
        "$y$j9T$",
        "$y$jCT$salt$abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq",
        "$y$jBT$$abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq",
        "$y$j9X$salt$abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq",
        "*",
        "!",
        "x",
    };
    char line[512];

    (void)state;
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        (void)snprintf(line, sizeof(line), "me:%s", hashes[i]);
        assert_int_equal(parse(line), -EINVAL);
    }
    /* the dearest that is taken, and one above */
    for (int cost = 3; cost <= 15; cost++) {
        (void)snprintf(line, sizeof(line), "me:$2y$%02d$%s%.31s", cost, digits22,
                       "abcdefghijklmnopqrstuvwxyzabcdefgh");
        assert_int_equal(parse(line), cost >= 4 && cost <= 14 ? 0 : -EINVAL);
    }
    for (unsigned rounds = 499999; rounds <= 500001; rounds++) {
        (void)snprintf(line, sizeof(line), "me:$5$rounds=%u$s$%043d", rounds, 0);
        assert_int_equal(parse(line), rounds <= 500000 ? 0 : -EINVAL);
    }
    (void)snprintf(line, sizeof(line), "me:$5$rounds=999$s$%043d", 0);
    assert_int_equal(parse(line), -EINVAL);
    (void)snprintf(line, sizeof(line), "me:$5$%016d$%043d", 0, 0);
    assert_int_equal(parse(line), 0);
    (void)snprintf(line, sizeof(line), "me:$5$%017d$%043d", 0, 0);
    assert_int_equal(parse(line), -EINVAL);
}

static void test_lines(void **state)
{
    char text[65536], hash[64];
    size_t at = 0;

    (void)state;
    (void)snprintf(hash, sizeof(hash), "$5$s$%043d", 0);
    (void)snprintf(text, sizeof(text), "# c\n\n\r\nme:%s\r\nyou:%s", hash, hash);
    assert_int_equal(parse(text), 0);
    (void)snprintf(text, sizeof(text), "me:%s\nme:%s\n", hash, hash);
    assert_int_equal(parse(text), -EINVAL);
    (void)snprintf(text, sizeof(text), ":%s\n", hash);
    assert_int_equal(parse(text), -EINVAL);
    (void)snprintf(text, sizeof(text), "m e:%s\n", hash);
    assert_int_equal(parse(text), -EINVAL);
    (void)snprintf(text, sizeof(text), "%063d:%s\n", 0, hash);
    assert_int_equal(parse(text), 0);
    (void)snprintf(text, sizeof(text), "%064d:%s\n", 0, hash);
    assert_int_equal(parse(text), -EINVAL);
    (void)snprintf(text, sizeof(text), "me:%s:more\n", hash);
    assert_int_equal(parse(text), -EINVAL);
    assert_int_equal(parse("me"), -EINVAL);
    assert_int_equal(parse("# nobody\n"), -EINVAL);
    assert_int_equal(parse(""), -EINVAL);
    for (int users = 1; users <= HTPASSWD_USERS_MAX + 1; users++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "u%d:%s\n", users, hash);
        if (users >= HTPASSWD_USERS_MAX)
            assert_int_equal(parse(text), users == HTPASSWD_USERS_MAX ? 0 : -EINVAL);
    }
}

/* --- judging --- */

static struct passwords table;

static void write_users(const char *user, const char *password)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    (void)fprintf(f, "%s:%s\n", user, hash_of("$5$rounds=1000$s$", password));
    assert_int_equal(fclose(f), 0);
}

static void open_table(void)
{
    memset(&table, 0, sizeof(table));
    assert_int_equal(passwords_open(&table, file, 3, NULL), 0);
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(file, sizeof(file), "/tmp/pillion-password-test.%d", (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(file);
    return 0;
}

/* The whole way, as the sidecar goes it. */
static struct auth_verdict judge(const char *user, const char *password, const char *address,
                                 uint64_t now_ms, bool *ret_hashed)
{
    struct auth_verdict v = {.refused = 401};
    struct auth_work *w = NULL;

    passwords_judge(&table, user, password, address, now_ms * CLOCK_NS_PER_MS, &v, &w);
    *ret_hashed = w != NULL;
    assert_int_equal(v.need, w ? AUTH_NEEDS_HASH : AUTH_NEEDS_NOTHING);
    if (w) {
        auth_work_hash(w);
        assert_string_equal(w->password, "");
        v = (struct auth_verdict){.refused = 401};
        passwords_finish(&table, w, now_ms * CLOCK_NS_PER_MS, &v);
        auth_work_free(w);
    }
    return v;
}

static void test_remembered(void **state)
{
    bool hashed;
    struct auth_verdict v;

    (void)state;
    write_users("me", "secret");
    open_table();
    v = judge("me", "secret", "a", 1000, &hashed);
    assert_true(v.known && hashed);
    assert_string_equal(v.name, "basic:me");
    assert_int_equal(v.scopes, 3);
    assert_true(judge("me", "secret", "b", 1000 + PASSWORDS_REMEMBER_MS - 1, &hashed).known);
    assert_false(hashed);
    assert_true(judge("me", "secret", "b", 1000 + PASSWORDS_REMEMBER_MS, &hashed).known);
    assert_true(hashed);
    assert_false(judge("me", "Secret", "b", 1000 + PASSWORDS_REMEMBER_MS, &hashed).known);
    assert_false(judge("m", "esecret", "b", 1000 + PASSWORDS_REMEMBER_MS, &hashed).known);
    assert_false(judge("me", "", "b", 1000, &hashed).known);
    assert_false(hashed);
    passwords_release(&table);
}

static void test_held_back(void **state)
{
    static const char *const users[] = {"me", "nobody"};
    bool hashed;
    struct auth_verdict v;

    (void)state;
    write_users("me", "secret");
    open_table();
    for (size_t i = 0; i < 2; i++) { /* there and not there: the same */
        uint64_t now = 1000, wait = PASSWORDS_WAIT_MS;

        for (int n = 0; n < 10; n++) {
            v = judge(users[i], "wrong", "a", now, &hashed);
            assert_true(!v.known && hashed && v.refused == 401);
            v = judge(users[i], "wrong", "a", now + wait - 1, &hashed);
            assert_true(!v.known && !hashed && v.refused == 429);
            assert_in_range(v.retry_ms, 1, 2);
            now += wait;
            wait = wait * 2 < PASSWORDS_WAIT_MAX_MS ? wait * 2 : PASSWORDS_WAIT_MAX_MS;
        }
    }
    /* the right one has to wait as well, elsewhere it does not; and it ends the wait */
    v = judge("me", "secret", "a", 2000, &hashed);
    assert_true(!v.known && v.refused == 429);
    assert_true(judge("me", "secret", "b", 2000, &hashed).known);
    assert_true(judge("me", "secret", "a", 2000, &hashed).known); /* remembered by now */
    /* forgotten in time */
    v = judge("me", "wrong", "c", 1, &hashed);
    v = judge("me", "wrong", "c", 1 + PASSWORDS_WAIT_MS + PASSWORDS_FORGET_MS, &hashed);
    v = judge("me", "wrong", "c", 1 + 2 * PASSWORDS_WAIT_MS + PASSWORDS_FORGET_MS, &hashed);
    assert_true(hashed);
    passwords_release(&table);
}

/* The file changed while a thread was at it. */
static void test_changed(void **state)
{
    struct auth_verdict v = {.refused = 401};
    struct auth_work *w = NULL;
    struct passwords old;
    bool hashed;

    (void)state;
    write_users("me", "secret");
    open_table();
    (void)judge("me", "wrong", "x", 1000, &hashed);
    passwords_judge(&table, "me", "secret", "a", CLOCK_NS_PER_SEC, &v, &w);
    assert_non_null(w);
    auth_work_hash(w);
    old = table;
    write_users("me", "other");
    open_table();
    passwords_inherit(&table, &old);
    passwords_release(&old);
    passwords_finish(&table, w, CLOCK_NS_PER_SEC, &v);
    assert_false(v.known);
    auth_work_free(w);
    assert_int_equal(judge("me", "other", "x", 1001, &hashed).refused, 429);
    assert_true(judge("me", "other", "b", 1001, &hashed).known);
    passwords_release(&table);
}

static void test_cache(void **state)
{
    static struct cache c;
    uint8_t key[CACHE_ROWS_MAX + 1][CACHE_KEY_BYTES], other[CACHE_KEY_BYTES];
    const struct cache_part ab_c[] = {{"ab", 2}, {"c", 1}}, a_bc[] = {{"a", 1}, {"bc", 2}};

    (void)state;
    assert_int_equal(cache_init(&c, CACHE_ROWS_MAX + 9), 0);
    assert_int_equal(c.rows, CACHE_ROWS_MAX);
    assert_int_equal(cache_key(&c, ab_c, 2, key[0]), 0);
    assert_int_equal(cache_key(&c, a_bc, 2, other), 0);
    assert_memory_not_equal(key[0], other, sizeof(other));
    for (size_t i = 0; i <= CACHE_ROWS_MAX; i++) {
        const struct cache_part part = {&i, sizeof(i)};

        assert_int_equal(cache_key(&c, &part, 1, key[i]), 0);
        cache_put(&c, key[i], 5, 100 + i)->count = (uint32_t)i;
    }
    /* one more than there is room for: the one that ended first went */
    assert_null(cache_find(&c, key[0], 5));
    assert_int_equal(cache_find(&c, key[1], 5)->count, 1);
    assert_int_equal(cache_find(&c, key[CACHE_ROWS_MAX], 5)->count, CACHE_ROWS_MAX);
    assert_non_null(cache_find(&c, key[1], 100));
    assert_null(cache_find(&c, key[1], 101));
    cache_put(&c, key[2], 5, 500)->text = strdup("owned");
    cache_drop(&c, key[3]);
    assert_null(cache_find(&c, key[3], 5));
    cache_release(&c);
}

static void test_identity(void **state)
{
    char a[CONFIG_NAME_BYTES], b[CONFIG_NAME_BYTES], long_name[200];

    (void)state;
    auth_identity(a, "k8s", NULL, "system:serviceaccount:prof:scraper");
    assert_string_equal(a, "k8s:system:serviceaccount:prof:scraper");
    auth_identity(a, "jwt", "issuer.example", "me");
    assert_string_equal(a, "jwt:issuer.example:me");
    /* as long as may be, and one more; and two that differ only in what is cut or changed */
    (void)snprintf(long_name, sizeof(long_name), "%059d", 7);
    auth_identity(a, "jwt", NULL, long_name);
    assert_int_equal(strlen(a), CONFIG_NAME_BYTES - 1);
    assert_null(strchr(a, '~'));
    (void)snprintf(long_name, sizeof(long_name), "%0190d", 1);
    long_name[150] = 'x';
    auth_identity(a, "jwt", NULL, long_name);
    long_name[150] = 'y';
    auth_identity(b, "jwt", NULL, long_name);
    assert_int_equal(strlen(a), CONFIG_NAME_BYTES - 1);
    assert_string_not_equal(a, b);
    auth_identity(a, "jwt", NULL, "m\x01");
    auth_identity(b, "jwt", NULL, "m\x02");
    assert_string_not_equal(a, b);
    assert_ptr_equal(strstr(a, "jwt:m?~"), a);
    auth_identity(b, "jwt", NULL, a + 4); /* a name that pretends to be such a one */
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemes),    cmocka_unit_test(test_bcrypt_length),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_lines),
        cmocka_unit_test(test_remembered), cmocka_unit_test(test_held_back),
        cmocka_unit_test(test_changed),    cmocka_unit_test(test_cache),
        cmocka_unit_test(test_identity),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
