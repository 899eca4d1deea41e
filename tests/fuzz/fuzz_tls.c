/*
 * TLS as a hostile peer feeds it to us, both ways: our server and our client are joined in memory,
 * and the input says what happens to the bytes between them. The first byte chooses:
 *
 *   bit 0   nobody is there: the rest of the input is what comes over the wire, to the server
 *   bit 1   the same to the client
 *   else    two honest ends, and the rest are changes of five bytes each: which direction and what
 *           (change, insert, leave out, repeat), at which place of the stream, with which byte
 *   bit 7   the client shows a certificate
 *
 * Whatever happens: it ends, nothing that was changed on the way is taken for what was sent, and
 * the client's names are only believed when nothing was touched before they came.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/ssl.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/buf.h"
#include "sidecar/client/trust.h"
#include "sidecar/http/tls.h"
#include "tests/fuzz/certificates.h"

enum {
    PIPE_BYTES = 128 * 1024,
    ROUNDS_MAX = 200,
    CHANGE_BYTES = 5,
    TALK_BYTES = 3000, /* each way, behind the handshake */
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The key of CERTIFICATE, and a server of the same CA. */
static const char KEY[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgiIfcihZHAxqbsLiC\n"
                          "PFc8WPVWlqvX+YodqEtqiNFBicmhRANCAATXkWv21iEXn/CupGNhe0HTQ2vtpBqw\n"
                          "NR69DrZj4G1L+/zZbEapBgATtu7MaWd2iQEyGOXEErxlK+KhGTB+mLWu\n"
                          "-----END PRIVATE KEY-----\n";

static const char SERVER[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBozCCAUigAwIBAgIUO8WwFyNm75+t5HNEWOhaWBwVc+MwCgYIKoZIzj0EAwIw\n"
                             "EjEQMA4GA1UEAwwHZnV6ei1jYTAgFw0yNjExMjEyMzI3MzhaGA8yMTI2MTAyODIz\n"
                             "MjczOFowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
                             "AQcDQgAECkBzbFQ7OKgy1Kgcgr2Qf64VbKVsbMRI7RofHH1uewi+Egs38+pfjlgY\n"
                             "3oAi1wjqPf+CddTDFqDhEaQYvY/SPaN4MHYwCQYDVR0TBAIwADATBgNVHSUEDDAK\n"
                             "BggrBgEFBQcDATAUBgNVHREEDTALgglsb2NhbGhvc3QwHQYDVR0OBBYEFN5Cc6UT\n"
                             "11kZvBSK9HxDLzjOku1uMB8GA1UdIwQYMBaAFNTbLpknhlyZC1PBU2zxN6iWfyvR\n"
                             "MAoGCCqGSM49BAMCA0kAMEYCIQDJUiGL6kxbBoEqj+i6Uhq87EWMfcTA/hz7yDhO\n"
                             "jFMqFQIhAPZlkZCgfC9iEf6anN3tiZoVOuyyZbsVx4e0CleieqBX\n"
                             "-----END CERTIFICATE-----\n";
static const char SERVER_KEY[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdvaRUYr1xf9QICDM\n"
    "9Oj3VfIbDMo3z9T3eEWktngKmW2hRANCAAQKQHNsVDs4qDLUqByCvZB/rhVspWxs\n"
    "xEjtGh8cfW57CL4SCzfz6l+OWBjegCLXCOo9/4J11MMWoOERpBi9j9I9\n"
    "-----END PRIVATE KEY-----\n";

static struct tls *server_side;
static struct trust *shows, *plain;

/* One direction. */
struct pipe {
    uint8_t data[PIPE_BYTES];
    size_t at, end;
    uint64_t passed; /* bytes that went in, before changes */
    bool closed, spoiled;
    const uint8_t *changes; /* of both directions */
    size_t changes_count;
    uint8_t direction;
};

struct end {
    struct tls_conn *tls;
    struct pipe *in, *out;
    bool done, over, said;
    size_t heard;
    uint8_t text; /* what the other one says */
};

static void put_byte(struct pipe *p, uint8_t byte)
{
    if (p->end < PIPE_BYTES)
        p->data[p->end++] = byte;
}

/* One byte of the stream, as the changes want it. */
static void pass(struct pipe *p, uint8_t byte)
{
    bool kept = true;

    for (size_t i = 0; i < p->changes_count; i++) {
        const uint8_t *c = p->changes + i * CHANGE_BYTES;
        uint64_t at = (uint64_t)c[1] | (uint64_t)c[2] << 8;

        if ((c[0] & 1) != p->direction || at != p->passed)
            continue;
        p->spoiled = true;
        switch (c[0] >> 1 & 3) {
        case 0:
            byte ^= c[3] ? c[3] : 1;
            break;
        case 1:
            for (unsigned k = 0; k <= c[4] % 32u; k++)
                put_byte(p, c[3]);
            break;
        case 2:
            kept = false;
            break;
        default:
            put_byte(p, byte);
            break;
        }
    }
    if (kept)
        put_byte(p, byte);
    p->passed++;
}

static ssize_t send_to(void *ctx, const void *data, size_t bytes)
{
    struct end *e = ctx;

    if (e->out->closed)
        return -EPIPE;
    for (size_t i = 0; i < bytes; i++)
        pass(e->out, ((const uint8_t *)data)[i]);
    return (ssize_t)bytes;
}

static ssize_t receive_from(void *ctx, void *data, size_t bytes)
{
    struct pipe *p = ((struct end *)ctx)->in;
    size_t n = p->end - p->at < bytes ? p->end - p->at : bytes;

    if (n == 0)
        return p->closed ? 0 : -EAGAIN;
    memcpy(data, p->data + p->at, n);
    p->at += n;
    if (p->at == p->end)
        p->at = p->end = 0;
    return (ssize_t)n;
}

/* What can be done now; false: nothing, and never again. */
static void step(struct end *e)
{
    static uint8_t room[TLS_RECORD_BYTES];
    char text[200];
    ssize_t r;

    if (e->over)
        return;
    if (!e->done) {
        r = tls_conn_handshake(e->tls);
        if (r == -EAGAIN)
            return;
        e->done = r == 0;
        e->over = r != 0;
        if (e->over)
            (void)tls_conn_close_notify(e->tls);
    }
    if (e->done && !e->said) {
        memset(room, e->text ^ 1, TALK_BYTES);
        r = tls_conn_write(e->tls, room, TALK_BYTES);
        assert(r <= TALK_BYTES);
        e->said = r != -EAGAIN;
    }
    while (e->done && (r = tls_conn_read(e->tls, room, sizeof(room))) != -EAGAIN) {
        for (ssize_t i = 0; i < r; i++)
            assert(room[i] == e->text); /* nobody can change it on the way */
        e->heard += r > 0 ? (size_t)r : 0;
        if (r <= 0) {
            e->over = true;
            break;
        }
    }
    if (e->over) {
        assert(strlen(tls_conn_why(e->tls, text, sizeof(text))) < sizeof(text));
        e->out->closed = true;
    }
}

static void run(struct end *a, struct end *b)
{
    for (int i = 0; i < ROUNDS_MAX && !(a->over && (!b || b->over)); i++) {
        step(a);
        if (b)
            step(b);
        if (!b && a->in->at == a->in->end)
            a->in->closed = true;
    }
}

static void check_names(const struct end *server, bool shown)
{
    const struct auth_peer *peer = tls_conn_peer(server->tls);
    char subject[300];

    assert(!peer || (peer->verified && shown && strcmp(peer->text, "spiffe://td.example/a") == 0));
    (void)tls_conn_subject(server->tls, subject, sizeof(subject));
    assert(memchr(subject, 0, sizeof(subject)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct pipe up, down;
    struct end server = {.in = &up, .out = &down, .text = 'a'};
    struct end client = {.in = &down, .out = &up, .text = 'a' ^ 1};
    const struct mbedtls_ssl_config *config;
    struct err e = {0};
    bool to_server, to_client, shown;

    if (bytes < 1)
        return 0;
    up.at = up.end = down.at = down.end = 0;
    up.passed = down.passed = 0;
    up.closed = down.closed = up.spoiled = down.spoiled = false;
    down.direction = 1;
    to_server = data[0] & 1;
    to_client = !to_server && (data[0] & 2);
    shown = data[0] & 0x80;
    up.changes = down.changes = data + 1;
    up.changes_count = down.changes_count = to_server || to_client ? 0 : (bytes - 1) / CHANGE_BYTES;
    if (up.changes_count > 64)
        up.changes_count = down.changes_count = 64;
    if (trust_config(shown ? shows : plain, &config, &e))
        abort();
    if (tls_conn_new(server_side, send_to, receive_from, &server, &server.tls) ||
        tls_conn_new_client(config, "localhost", send_to, receive_from, &client, &client.tls))
        abort();
    if (to_server || to_client) {
        struct end *hears = to_server ? &server : &client;

        if (bytes - 1 <= PIPE_BYTES) {
            memcpy(hears->in->data, data + 1, bytes - 1);
            hears->in->end = bytes - 1;
        }
        hears->in->spoiled = true;
        run(hears, NULL);
        assert(!hears->done); /* nobody knew a key */
    } else {
        run(&client, &server);
        assert(up.spoiled || down.spoiled ||
               (server.done && client.done && server.heard == TALK_BYTES &&
                client.heard == TALK_BYTES && !tls_conn_peer(server.tls) == !shown));
    }
    check_names(&server, shown);
    tls_conn_free(server.tls);
    tls_conn_free(client.tls);
    return 0;
}

static void put_file(char *path, const char *text)
{
    int fd = mkstemp(path);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd))
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char ca[] = "/tmp/fuzz-tls-XXXXXX", certificate[] = "/tmp/fuzz-tls-XXXXXX";
    char key[] = "/tmp/fuzz-tls-XXXXXX";
    char server[] = "/tmp/fuzz-tls-XXXXXX", server_key[] = "/tmp/fuzz-tls-XXXXXX";
    struct tls_settings s = {.certificate = server,
                             .key = server_key,
                             .client_auth = CONFIG_CLIENT_OPTIONAL,
                             .client_ca = ca};
    static struct config_client_tls want;
    struct err e = {0};

    (void)argc;
    (void)argv;
    put_file(ca, CA);
    put_file(certificate, CERTIFICATE);
    put_file(key, KEY);
    put_file(server, SERVER);
    put_file(server_key, SERVER_KEY);
    (void)snprintf(want.ca, sizeof(want.ca), "%s", ca);
    if (tls_new(&s, &server_side, &e) || trust_new(&want, &plain, &e))
        abort();
    (void)snprintf(want.certificate, sizeof(want.certificate), "%s", certificate);
    (void)snprintf(want.key, sizeof(want.key), "%s", key);
    if (trust_new(&want, &shows, &e))
        abort();
    (void)unlink(ca);
    (void)unlink(certificate);
    (void)unlink(key);
    (void)unlink(server);
    (void)unlink(server_key);
    return 0;
}
