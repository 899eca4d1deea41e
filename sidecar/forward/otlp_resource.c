#include "sidecar/forward/otlp_resource.h"

#include "profile/frame.h"
#include "sidecar/forward/otlp.pb-c.h"

struct resource {
    Otlp__KeyValue pairs[OTLP_RESOURCE_MAX], *pointers[OTLP_RESOURCE_MAX];
    Otlp__AnyValue values[OTLP_RESOURCE_MAX];
    size_t count;
};

static char *borrowed(const char *text)
{
    union {
        const char *in;
        char *out; /* protobuf-c only reads it */
    } u = {text};

    return u.out;
}

/* The first of a key stays; "" says nothing. */
static Otlp__AnyValue *add_value(struct resource *r, const char *key)
{
    Otlp__KeyValue *pair = &r->pairs[r->count];

    if (r->count == OTLP_RESOURCE_MAX)
        return NULL;
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->pairs[i].key, key) == 0)
            return NULL;
    }
    otlp__key_value__init(pair);
    otlp__any_value__init(&r->values[r->count]);
    pair->key = borrowed(key);
    pair->value = &r->values[r->count];
    r->pointers[r->count++] = pair;
    return pair->value;
}

static void add_text(struct resource *r, const char *key, const char *text)
{
    Otlp__AnyValue *value = text && *text ? add_value(r, key) : NULL;

    if (value) {
        value->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        value->string_value = borrowed(text);
    }
}

static void add_number(struct resource *r, const char *key, uint64_t number)
{
    Otlp__AnyValue *value = number ? add_value(r, key) : NULL;

    if (value) {
        value->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
        value->int_value = (int64_t)number;
    }
}

/* Our labels by the names of OTel's semantic conventions, others as they are. */
static const char *attribute_of(const char *label)
{
    static const char *const names[][2] = {
        {"service_name", "service.name"},    {"version", "service.version"},
        {"namespace", "k8s.namespace.name"}, {"pod", "k8s.pod.name"},
        {"node", "k8s.node.name"},           {"container", "k8s.container.name"},
        {"cluster", "k8s.cluster.name"},     {"env", "deployment.environment.name"},
        {"region", "cloud.region"},          {"zone", "cloud.availability_zone"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(label, names[i][0]) == 0)
            return names[i][1];
    }
    return label;
}

/* Of the target, never of ours. */
static void fill_resource(const struct backend_plan *plan, const struct item *item,
                          struct resource *r)
{
    add_text(r, "service.name", backend_service(plan, item));
    for (size_t i = 0; i < plan->labels_count; i++)
        add_text(r, attribute_of(plan->labels[i].key), plan->labels[i].value);
    add_text(r, "service.version", item->version);
    add_text(r, "service.instance.id", item->runtime_id);
    add_text(r, "container.id", item->container);
    add_text(r, "process.executable.name", item->target);
    add_number(r, "process.pid", item->pid);
    if (strcmp(item->language, "go") == 0) {
        add_text(r, "process.runtime.name", "go");
        add_text(r, "process.runtime.version", item->go_version);
    }
}

void otlp_resource_put(const struct backend_plan *plan, const struct item *item, struct buf *out)
{
    Otlp__Resource m = OTLP__RESOURCE__INIT;
    struct resource *resource = calloc(1, sizeof(*resource));

    if (!resource) {
        out->failed = true;
        return;
    }
    fill_resource(plan, item, resource);
    m.n_attributes = resource->count;
    m.attributes = resource->pointers;
    frame_message(out, OTLP_RESOURCE_FIELD, &m.base);
    free(resource);
}
