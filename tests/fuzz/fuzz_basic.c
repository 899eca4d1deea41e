/*
 * Any bytes as credentials. The first byte says whether they come as Authorization, as
 * X-Pprof-Token or, cut in two, as both. Only the one right token may be known.
 */
#include "auth/auth.h"
#include "auth/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char token[] = "plln_fuzz-fuzz-fuzz-fuzz";

/* Is the token in what was sent, plain or in base64? Then being known may be right. */
static bool carries_token(const uint8_t *data, size_t bytes)
{
    unsigned char decoded[65536];
    size_t used;

    if (memmem(data, bytes, token, sizeof(token) - 1))
        return true;
    for (size_t i = 0; i < bytes; i++) {
        if (data[i] != ' ')
            continue;
        while (i + 1 < bytes && data[i + 1] == ' ')
            i++;
        if (auth_base64_decode((const char *)data + i + 1, bytes - i - 1, decoded, sizeof(decoded),
                               &used) == 0)
            return memmem(decoded, used, token, sizeof(token) - 1) != NULL;
        return false;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct config c;
    static struct auth *a;
    struct auth_request request = {0};
    struct auth_verdict verdict;
    const char *text;

    if (!a) {
        config_defaults(&c);
        if (auth_new(&c, token, &a, NULL) != 0)
            abort();
    }
    if (bytes < 1 || bytes > 60000)
        return 0;
    text = (const char *)data + 1;
    bytes--;
    if (data[0] % 3 != 1) {
        request.authorization = text;
        request.authorization_bytes = data[0] % 3 == 2 ? bytes / 2 : bytes;
    }
    if (data[0] % 3 != 0) {
        request.token = text + request.authorization_bytes;
        request.token_bytes = bytes - request.authorization_bytes;
    }
    auth_judge(a, &request, &verdict, NULL);
    if (verdict.known != (verdict.why == NULL) || verdict.known != (verdict.scopes != 0))
        abort();
    if (verdict.known && (data[0] % 3 == 2 || !carries_token(data + 1, bytes)))
        abort();
    return 0;
}
