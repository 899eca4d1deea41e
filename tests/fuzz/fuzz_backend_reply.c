/*
 * Hostile answers of backends, each that there is: the first byte chooses the backend and format,
 * the second the status, the third the content type; the rest is the body. The verdict must be one
 * of the enum, the text short, ended and without control characters; where an answer says how long
 * to wait or what the next request is about, that is bounded and clean, too.
 */
#include <assert.h>

#include "base/utf8.h"
#include "sidecar/forward/backend.h"

enum {
    DELAY_MAX_MS = 24 * 3600 * 1000,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(const struct backend_ops *ops, const struct backend_plan *plan,
                  const struct client_answer *a)
{
    char why[256];
    enum backend_verdict v;

    for (size_t room = 1; room <= sizeof(why); room = room * 4) {
        memset(why, 'x', sizeof(why));
        v = ops->judge(plan, a, why, room);
        assert(v >= BACKEND_TAKEN && v <= BACKEND_SPLIT);
        assert(memchr(why, '\0', room) != NULL);
        for (const char *c = why; *c;) {
            size_t step = utf8_step((const unsigned char *)c, strlen(c));

            assert(utf8_control(c) == 0 && step > 0);
            c += step;
        }
    }
}

/* What the answer says about the next request and its time. */
static void check_more(const struct backend_ops *ops, const struct backend_plan *plan,
                       const struct client_answer *a)
{
    static struct backend_part next;
    struct err e = {0};

    if (ops->delay)
        assert(ops->delay(a) <= DELAY_MAX_MS);
    if (!ops->follow)
        return;
    memset(&next, 0, sizeof(next));
    buf_init(&next.body, 1 << 20);
    buf_puts(&next.body, "{\"profileBytes\":\"AAAA\"}");
    if (ops->follow(plan, a, &next, &e) == 0) {
        assert(next.path[0] == '/' && memchr(next.path, '\0', sizeof(next.path)));
        for (const char *c = next.path; *c; c++)
            assert(*c > ' ' && *c < 0x7f);
    } else {
        assert(e.text[0]);
    }
    buf_release(&next.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const struct backend_ops *const all[] = {
        &backend_pyroscope, &backend_parca,  &backend_otlp,
        &backend_datadog,   &backend_google, &backend_s3,
    };
    static const unsigned status[] = {200, 202, 302, 400, 401, 404, 408, 413,
                                      415, 429, 500, 501, 503, 409, 0,   999};
    static const char *const types[] = {"", "application/grpc-web+proto", "application/json",
                                        "text/html", "application/x-protobuf"};
    static struct backend_plan plan; /* too large for a stack; the same for each input but for: */
    struct client_answer a = {.fate = CLIENT_ANSWERED, .why = ""};

    if (bytes < 3)
        return 0;
    plan.config.format = data[0] & 0x80 ? CONFIG_FORMAT_JSON : CONFIG_FORMAT_DEFAULT;
    a.status = status[data[1] % (sizeof(status) / sizeof(status[0]))];
    (void)snprintf(a.content_type, sizeof(a.content_type), "%s",
                   types[data[2] % (sizeof(types) / sizeof(types[0]))]);
    a.body = (const char *)data + 3;
    a.bytes = bytes - 3;
    check(all[data[0] % 6], &plan, &a);
    check_more(all[data[0] % 6], &plan, &a);
    return 0;
}
