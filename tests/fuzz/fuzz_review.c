/*
 * Any bytes as an API server's answer, to the first question or, after a right one, to the second:
 * a user comes only with a name, and what was read can be asked about.
 */
#include "auth/review.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char audiences[1][CONFIG_TEXT_BYTES] = {"pillion"};
    const struct review_target target = {.namespace = "n", .pod = "p"};
    char name[REVIEW_USER_MAX_BYTES] = "";
    char *user = NULL;
    struct buf out;

    (void)review_read_access(data, bytes);
    if (review_read_token(data, bytes, audiences, 1, &user, name) != 0)
        return 0;
    if (!user || !name[0])
        abort();
    buf_init(&out, 2 * REVIEW_REQUEST_MAX_BYTES);
    if (review_ask_access(user, &target, &out) != 0 || out.failed)
        abort();
    buf_release(&out);
    free(user);
    return 0;
}
