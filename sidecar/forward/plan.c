#include "sidecar/forward/plan.h"

#include <errno.h>
#include <unistd.h>

#include "config/slurp.h"

static void set_label(struct backend_plan *p, const struct config_label *label)
{
    for (size_t i = 0; i < p->labels_count; i++) {
        if (strcmp(p->labels[i].key, label->key) == 0) {
            p->labels[i] = *label;
            return;
        }
    }
    if (p->labels_count < BACKEND_LABELS_MAX)
        p->labels[p->labels_count++] = *label;
}

/* Where it is: as configured, or where such a backend usually is. */
static int set_url(struct backend_plan *p, struct err *e)
{
    const struct backend_ops *ops = backend_ops_of(p->config.type);
    char text[CONFIG_TEXT_BYTES];
    int r;

    if (ops->deliver)
        return 0;
    (void)snprintf(text, sizeof(text), "%s", p->config.url);
    if (!text[0] && !ops->default_url)
        return err_set(e, -EINVAL, "backend %s: it needs a url", p->config.name);
    if (!text[0]) {
        r = ops->default_url(&p->config, text, sizeof(text), e);
        if (r)
            return r;
    }
    r = client_url_parse(text, &p->url, e);
    if (r)
        err_prefix(e, "backend %s: ", p->config.name);
    return r;
}

int plan_backend_make(const struct config *c, size_t index, struct backend_plan **ret,
                      struct err *e)
{
    struct backend_plan *p = calloc(1, sizeof(*p));
    const char *service;
    int r;

    if (!p)
        return err_set(e, -ENOMEM, "out of memory");
    p->config = c->forward[index];
    for (size_t i = 0; i < c->labels_count; i++)
        set_label(p, &c->labels[i]);
    for (size_t i = 0; i < p->config.labels_count; i++)
        set_label(p, &p->config.labels[i]);
    memcpy(p->keep, c->sample_labels.keep, sizeof(p->keep));
    p->keep_count = c->sample_labels.keep_count;
    service = backend_label(p, "service_name");
    (void)snprintf(p->service, sizeof(p->service), "%s", service ? service : "");
    if (gethostname(p->hostname, sizeof(p->hostname) - 1) != 0)
        p->hostname[0] = '\0';
    (void)snprintf(p->project, sizeof(p->project), "%s", p->config.project);
    r = set_url(p, e);
    if (r) {
        free(p);
        return r;
    }
    *ret = p;
    return 0;
}

/* Both were zeroed before they were filled (calloc, config_defaults()), so padding is equal too. */
bool plan_backend_same(const struct backend_plan *a, const struct backend_plan *b)
{
    return memcmp(a, b, offsetof(struct backend_plan, project)) == 0;
}

int plan_secrets_read(const struct backend_plan *plan, struct backend_secrets *ret, struct err *e)
{
    const struct config_backend *c = &plan->config;
    struct backend_secrets *s = calloc(1, sizeof(*s));
    const struct {
        const char *path;
        char *to;
    } files[] = {
        {c->auth.bearer_file, s ? s->bearer : NULL},
        {c->auth.password_file, s ? s->password : NULL},
        {c->api_key_file, s ? s->api_key : NULL},
        {c->secret_access_key_file, s ? s->secret_key : NULL},
        {c->session_token_file, s ? s->session_token : NULL},
    };
    int r = 0;

    if (!s)
        return err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i].path[0])
            r = slurp_secret(files[i].path, files[i].to, BACKEND_SECRET_BYTES, e);
    }
    if (r == 0)
        *ret = *s;
    explicit_bzero(s, sizeof(*s));
    free(s);
    return r;
}
