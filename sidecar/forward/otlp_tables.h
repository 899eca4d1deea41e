/*
 * otlp_tables.h: the dictionary of an OTLP profiles request (opentelemetry-proto 1.10 and 1.11,
 * ProfilesDictionary): everything that profiles refer to, each once, by its index. Index 0 of every
 * table is the zero element, as the proto demands; of links an empty message, which is what
 * profcheck and Parca want (the proto's own "16 and 8 zero bytes" is a SHOULD).
 *
 * Locations have the profile's own ids as their indices, which are dense from 1; so have functions,
 * but for one without any name (Go's threadcreate has it): that is the zero element.
 */
#ifndef SIDECAR_FORWARD_OTLP_TABLES_H
#define SIDECAR_FORWARD_OTLP_TABLES_H

#include "base/intern.h"
#include "profile/correlate.h"
#include "profile/profile.h"

struct otlp_tables {
    const struct profile *profile;
    struct intern strings;    /* with their NUL */
    struct intern stacks;     /* uint32_t location indices, leaf first */
    struct intern links;      /* 16 + 8 bytes */
    struct intern attributes; /* struct otlp_attribute */
    uint32_t nameless;        /* id of the function that is index 0; UINT32_MAX: none */
    bool failed;              /* a bound or no memory */
};

/** otlp_tables_init(t, profile): with the zero elements. -ENOMEM; release in any case. */
int otlp_tables_init(struct otlp_tables *t, const struct profile *profile);
void otlp_tables_release(struct otlp_tables *t); /* NULL-safe */

/* Each gives an index; what fails gives 0 and sets t->failed. */
uint32_t otlp_tables_string(struct otlp_tables *t, const char *text);
uint32_t otlp_tables_text(struct otlp_tables *t, const char *key, const char *value);
uint32_t otlp_tables_number(struct otlp_tables *t, const char *key, int64_t value,
                            const char *unit);
uint32_t otlp_tables_stack(struct otlp_tables *t, const uint32_t *locations, size_t depth);
/** otlp_tables_link(t, ids): of trace and span (the local root's when there is no other). */
uint32_t otlp_tables_link(struct otlp_tables *t, const struct correlate *ids);

/** otlp_tables_put(t, out): append the dictionary's fields, all that was asked for and the whole
 * profile's locations. Once, as the last thing. */
void otlp_tables_put(struct otlp_tables *t, struct buf *out);

#endif
