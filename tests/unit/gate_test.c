#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/cidr.h"
#include "sidecar/audit.h"
#include "sidecar/http/gate.h"

static const uint64_t now = 1000 * CLOCK_NS_PER_SEC;
static struct config config;

static struct gate_client at(const char *text)
{
    struct gate_client c = {.known = true};

    if (inet_pton(AF_INET6, text, c.address) != 1) {
        memset(c.address, 0, sizeof(c.address));
        c.address[10] = c.address[11] = 0xff;
        assert_int_equal(inet_pton(AF_INET, text, c.address + 12), 1);
    }
    return c;
}

static enum gate_reason peer(const struct gate *g, const char *text)
{
    struct gate_client c = at(text);

    return gate_peer(g, &c, now);
}

/* The status, and who it is. */
static unsigned ask(const struct gate *g, const char *from, const char *forwarded, char out[64])
{
    struct gate_client c = at(from), client;
    const struct gate_request r = {.peer = &c, .forwarded = forwarded};
    uint64_t wait_s = 0;
    const char *why = NULL;
    unsigned status = gate_request(g, &r, now, &client, &wait_s, &why);

    (void)inet_ntop(AF_INET, client.address + 12, out, 64);
    assert_true((status == 0) == (why == NULL));
    assert_true((status == 429) == (wait_s > 0));
    return status;
}

static int start(void **state)
{
    static struct gate g;

    log_setup("gate-test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    memset(&config, 0, sizeof(config));
    *state = &g;
    return gate_init(&g);
}

static int stop(void **state)
{
    gate_release(*state);
    gate_release(*state); /* repeatable */
    return 0;
}

static void range(struct config_cidr *list, size_t *count, const char *text)
{
    assert_int_equal(config_cidr_parse(text, &list[(*count)++], NULL), 0);
}
#define ALLOW(t) range(config.admin.allow_from, &config.admin.allow_from_count, t)
#define TRUST(t) range(config.admin.trusted_proxies, &config.admin.trusted_proxies_count, t)

static void test_allow(void **state)
{
    struct gate *g = *state;
    char text[64];

    gate_set(g, &config);
    assert_int_equal(peer(g, "203.0.113.9"), GATE_OPEN); /* no list: everybody */
    ALLOW("10.0.0.0/8");
    gate_set(g, &config);
    assert_int_equal(peer(g, "10.255.255.255"), GATE_OPEN);
    assert_int_equal(peer(g, "11.0.0.0"), GATE_ADDRESS);
    assert_int_equal(peer(g, "::1"), GATE_ADDRESS);
    /* a connection that is older than the rule */
    assert_int_equal(ask(g, "11.0.0.0", NULL, text), 403);
    assert_int_equal(ask(g, "10.0.0.1", NULL, text), 0);
}

static void test_forwarded(void **state)
{
    struct gate *g = *state;
    struct gate_client proxy = at("10.0.0.1"), client;
    struct gate_request r = {.peer = &proxy, .forwarded_bad = true};
    const char *why;
    uint64_t wait_s;
    char text[64];

    ALLOW("203.0.113.0/24");
    TRUST("10.0.0.0/24");
    gate_set(g, &config);
    assert_int_equal(peer(g, "10.0.0.1"), GATE_OPEN); /* it says later for whom */
    assert_int_equal(ask(g, "10.0.0.1", "203.0.113.9", text), 0);
    assert_string_equal(text, "203.0.113.9");
    assert_int_equal(ask(g, "10.0.0.1", "203.0.113.9, 198.51.100.7", text), 403);
    assert_string_equal(text, "198.51.100.7");
    assert_int_equal(ask(g, "10.0.0.1", "203.0.113.9, x", text), 400);
    assert_int_equal(gate_request(g, &r, now, &client, &wait_s, &why), 400);
    assert_int_equal(ask(g, "10.0.0.1", NULL, text), 403); /* for itself it is not in the list */
    /* nobody else is believed, however wrong his list is */
    assert_int_equal(ask(g, "203.0.113.9", "203.0.113.77", text), 0);
    assert_string_equal(text, "203.0.113.9");
    assert_int_equal(ask(g, "203.0.113.9", "x,,", text), 0);
    assert_int_equal(ask(g, "198.51.100.7", "203.0.113.77", text), 403);
}

static void test_penalties(void **state)
{
    struct gate *g = *state;
    struct gate_client bad = at("203.0.113.9"), proxy = at("10.0.0.1"), client;
    struct gate_request r = {.peer = &bad, .authenticated = true};
    const char *why;
    uint64_t wait_s;
    char text[64];

    TRUST("10.0.0.0/24");
    gate_set(g, &config);
    for (int i = 0; i < PENALTY_FREE; i++) {
        gate_failed(g, &bad, PENALTY_CREDENTIALS, now);
        gate_failed(g, &proxy, PENALTY_CREDENTIALS, now);
    }
    assert_int_equal(peer(g, "203.0.113.9"), GATE_OPEN);
    gate_failed(g, &bad, PENALTY_CREDENTIALS, now);
    gate_failed(g, &proxy, PENALTY_CREDENTIALS, now);
    assert_int_equal(peer(g, "203.0.113.9"), GATE_PENALTY);
    assert_int_equal(peer(g, "203.0.113.10"), GATE_OPEN);
    assert_int_equal(peer(g, "10.0.0.1"), GATE_OPEN); /* never a proxy: it is many */
    assert_int_equal(ask(g, "203.0.113.9", NULL, text), 429);
    assert_int_equal(ask(g, "10.0.0.1", "203.0.113.9", text), 429);
    assert_int_equal(ask(g, "10.0.0.1", "203.0.113.10", text), 0);
    assert_int_equal(gate_request(g, &r, now, &client, &wait_s, &why), 0);
    r.peer = &proxy; /* credentials on a proxy's connection were somebody's */
    r.forwarded = "203.0.113.9";
    assert_int_equal(gate_request(g, &r, now, &client, &wait_s, &why), 429);
    gate_passed(g, &bad, now);
    assert_int_equal(peer(g, "203.0.113.9"), GATE_OPEN);
}

static void test_proxy_protocol(void **state)
{
    struct gate *g = *state;
    struct gate_client named = at("198.51.100.7");

    config.admin.proxy_protocol = true;
    ALLOW("203.0.113.0/24");
    gate_set(g, &config);
    /* without a list of proxies: whoever may connect, and for those that may */
    assert_int_equal(peer(g, "203.0.113.9"), GATE_OPEN);
    assert_int_equal(peer(g, "10.0.0.1"), GATE_ADDRESS);
    assert_int_equal(gate_named(g, &named, now), GATE_ADDRESS);
    TRUST("10.0.0.0/24");
    gate_set(g, &config);
    assert_int_equal(peer(g, "203.0.113.9"), GATE_PROXY);
    assert_int_equal(peer(g, "10.0.0.1"), GATE_OPEN);
    named = at("203.0.113.9");
    assert_int_equal(gate_named(g, &named, now), GATE_OPEN);
    for (int i = 0; i <= PENALTY_FREE; i++)
        gate_failed(g, &named, PENALTY_CREDENTIALS, now);
    assert_int_equal(gate_named(g, &named, now), GATE_PENALTY);
}

static void test_unix(void **state)
{
    struct gate *g = *state;
    struct gate_process root = {.who = {.uid = 0, .gid = 0}};
    struct gate_process user = {.who = {.uid = 1000, .gid = 100}};

    gate_set(g, &config);
    assert_false(gate_wants_shared(&config));
    assert_int_equal(gate_unix(g, &user), GATE_OPEN); /* the file's mode has judged */
    config.admin.unix_peers.uids[0] = 1000;
    config.admin.unix_peers.uids_count = 1;
    gate_set(g, &config);
    assert_true(gate_wants_shared(&config));
    assert_int_equal(gate_unix(g, &user), GATE_OPEN);
    assert_int_equal(gate_unix(g, &root), GATE_UNIX_PEER);
    config.admin.unix_peers.uids_count = 0;
    config.admin.unix_peers.gids[0] = 100;
    config.admin.unix_peers.gids_count = 1;
    gate_set(g, &config);
    assert_int_equal(gate_unix(g, &user), GATE_OPEN);
    user.who.gid = 101;
    assert_int_equal(gate_unix(g, &user), GATE_UNIX_PEER);
    /* a supplementary group does as well, the last of them too */
    user.groups_count = GATE_GROUPS_MAX;
    for (size_t i = 0; i < GATE_GROUPS_MAX; i++)
        user.groups[i] = 1000;
    assert_int_equal(gate_unix(g, &user), GATE_UNIX_PEER);
    user.groups[GATE_GROUPS_MAX - 1] = 100;
    assert_int_equal(gate_unix(g, &user), GATE_OPEN);
    user.groups_count--; /* what stands behind the last is not looked at */
    assert_int_equal(gate_unix(g, &user), GATE_UNIX_PEER);
    /* the rules are gone, the file is open still: ours alone */
    config.admin.unix_peers.gids_count = 0;
    g->shared = true;
    g->own_uid = 65532;
    gate_set(g, &config);
    assert_int_equal(gate_unix(g, &user), GATE_UNIX_PEER);
    assert_int_equal(gate_unix(g, &root), GATE_OPEN);
    user.who.uid = 65532;
    assert_int_equal(gate_unix(g, &user), GATE_OPEN);
}

/* Of this very process: what the kernel says is what it has. */
static void test_process_of(void **state)
{
    static gid_t own[GATE_GROUPS_MAX];
    struct gate_process p;
    int pair[2], n = getgroups(GATE_GROUPS_MAX, own);

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(gate_process_of(pair[0], &p), 0);
    assert_int_equal(p.who.uid, getuid());
    assert_int_equal(p.who.gid, getgid());
    assert_true(n >= 0);
    assert_int_equal(p.groups_count, n);
    assert_memory_equal(p.groups, own, (size_t)n * sizeof(own[0]));
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(gate_process_of(pair[0], &p), -EBADF);
}

static void test_counts(void **state)
{
    struct gate *g = *state;

    gate_refused(g, GATE_ADDRESS, "1.1.1.1:1", now);
    gate_refused(g, GATE_ADDRESS, "1.1.1.1:2", now + GATE_SAY_MS * CLOCK_NS_PER_MS - 1);
    assert_int_equal(g->refused[GATE_ADDRESS], 2);
    assert_int_equal(g->say[GATE_ADDRESS].unsaid, 1);
    gate_refused(g, GATE_ADDRESS, "1.1.1.1:3", now + GATE_SAY_MS * CLOCK_NS_PER_MS);
    assert_int_equal(g->say[GATE_ADDRESS].unsaid, 0); /* said */
    assert_int_equal(g->refused[GATE_PENALTY], 0);
    for (unsigned i = 0; i < GATE_REASONS; i++)
        assert_true(strlen(gate_reason_name(i)) > 0);
    assert_string_equal(gate_reason_name(GATE_REASONS), "none");
}

static void test_audit(void **state)
{
    static const unsigned denied[] = {400, 401, 403, 421, 429};
    static const unsigned others[] = {200, 404, 408, 499, 501, 503};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        assert_true(audit_wants(CONFIG_AUDIT_ALL, denied[i]));
        assert_true(audit_wants(CONFIG_AUDIT_DENIED, denied[i]));
        assert_false(audit_wants(CONFIG_AUDIT_OFF, denied[i]));
    }
    for (size_t i = 0; i < 6; i++) {
        assert_true(audit_wants(CONFIG_AUDIT_ALL, others[i]));
        assert_false(audit_wants(CONFIG_AUDIT_DENIED, others[i]));
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_allow), TEST(test_forwarded),  TEST(test_penalties), TEST(test_proxy_protocol),
        TEST(test_unix),  TEST(test_process_of), TEST(test_counts),    TEST(test_audit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
