/*
 * Any bytes as a PROXY header, in portions that the first byte chooses: whatever they are, the
 * outcome is that of all at once, no byte behind the header is wanted, and a header that is taken
 * is within its bounds.
 */
#include <errno.h>
#include <string.h>

#include "sidecar/http/proxyv2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int feed(struct proxyv2 *p, const uint8_t *data, size_t bytes, size_t step)
{
    size_t used = 0;
    int r = -EAGAIN;

    proxyv2_init(p);
    while (r == -EAGAIN && used < bytes) {
        size_t n = proxyv2_wants(p);

        if (n == 0)
            abort();
        n = n < step ? n : step;
        n = n < bytes - used ? n : bytes - used;
        r = proxyv2_feed(p, data + used, n);
        used += n;
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct proxyv2_source one, other;
    struct proxyv2 a, b;
    int r;

    if (bytes < 1)
        return 0;
    r = feed(&a, data + 1, bytes - 1, bytes);
    if (feed(&b, data + 1, bytes - 1, (size_t)data[0] % 64 + 1) != r)
        abort();
    if (r)
        return 0;
    if (a.total != b.total || a.have != a.total ||
        a.total > PROXYV2_FIXED_BYTES + PROXYV2_MAX_BYTES || proxyv2_wants(&a) != 0)
        abort();
    proxyv2_result(&a, &one);
    proxyv2_result(&b, &other);
    if (one.named != other.named || one.port != other.port ||
        memcmp(one.address, other.address, sizeof(one.address)) != 0)
        abort();
    return 0;
}
