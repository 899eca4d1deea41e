/*
 * All backends in one place.
 */
#include <errno.h>

#include "sidecar/forward/backend.h"

static int no_shape(const struct backend_plan *plan, const struct backend_input *in,
                    struct backend_shaped *ret, struct err *e)
{
    (void)in;
    (void)ret;
    return err_set(e, -ENOTSUP, "%s: this build cannot send there", plan->config.name);
}

static enum backend_verdict no_judge(const struct backend_plan *plan, const struct client_answer *a,
                                     char *why, size_t why_bytes)
{
    (void)plan;
    return backend_judge_usual(a, why, why_bytes);
}

const struct backend_ops *backend_ops_of(enum config_backend_type type)
{
    static const struct backend_ops none = {.name = "none", .shape = no_shape, .judge = no_judge};
    static const struct backend_ops *const ops[CONFIG_BACKEND_TYPES] = {
        [CONFIG_BACKEND_PYROSCOPE] = &backend_pyroscope,
        [CONFIG_BACKEND_PARCA] = &backend_parca,
        [CONFIG_BACKEND_DATADOG] = &backend_datadog,
        [CONFIG_BACKEND_GOOGLE] = &backend_google,
        [CONFIG_BACKEND_OTLP] = &backend_otlp,
        [CONFIG_BACKEND_DIRECTORY] = &backend_directory,
        [CONFIG_BACKEND_S3] = &backend_s3,
    };

    return (size_t)type < CONFIG_BACKEND_TYPES && ops[type] ? ops[type] : &none;
}
