/* Any bytes as a configuration file; what is taken must print and be taken again. */
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct config c, again;
    struct plan plan;
    const char *why;
    struct buf out;
    struct err e;

    if (config_parse(&c, "f", (const char *)data, bytes, &e) != 0) {
        /* every error has its text, and the text its end */
        if (e.text[0] == '\0' || memchr(e.text, '\0', sizeof(e.text)) == NULL)
            abort();
        return 0;
    }
    config_plan(&c, &plan);
    if (plan_check(&plan, sizeof(plan), &why) != 0)
        abort();
    buf_init(&out, 4 * CONFIG_FILE_MAX_BYTES);
    config_print(&c, &out);
    if (out.failed)
        abort();
    for (size_t i = 0; i < c.auth.tokens_count; i++) {
        if (c.auth.tokens[i].has_hash) /* hidden, so it cannot be read again */
            goto out;
    }
    if (config_parse(&again, "f", (const char *)out.data, out.len, &e) != 0 ||
        memcmp(&c, &again, sizeof(c)) != 0)
        abort();
out:
    buf_release(&out);
    return 0;
}
