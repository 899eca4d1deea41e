/*
 * series.h: the labels of a series, as Prometheus, Pyroscope and Parca want them: names of
 * [a-zA-Z_][a-zA-Z0-9_]*, each once. Names are made fit, since a label with a dot is refused by one
 * (Parca answers 500) and accepted but invisible in the other (Pyroscope).
 */
#ifndef SIDECAR_FORWARD_SERIES_H
#define SIDECAR_FORWARD_SERIES_H

#include "sidecar/forward/backend.h"
#include "sidecar/forward/push.pb-c.h"

enum {
    SERIES_LABELS_MAX = BACKEND_LABELS_MAX + 8, /* ours beside */
    SERIES_NAME_BYTES = 1025,                   /* of a sample's label: Pyroscope takes 1024 */
};

struct series {
    Push__Label labels[SERIES_LABELS_MAX];
    Push__Label *pointers[SERIES_LABELS_MAX]; /* for protobuf-c; in the order of adding */
    size_t count;
    char names[SERIES_LABELS_MAX][CONFIG_NAME_BYTES + 1]; /* made fit */
};

/** series_name_of(type): the name of a profile ("cpu": "process_cpu"), the type itself when it has
 * no other. Backends know their standard views by it. */
const char *series_name_of(const char *type);

/** series_fit(out, bytes, name): the name made fit. Returns ${out}. */
const char *series_fit(char *out, size_t bytes, const char *name);

/** series_init(s): empty. About 12 KiB, and it must stay where it is: it points into itself. */
void series_init(struct series *s);

/** series_add(s, name, value): unless one of that name is there or there is no room; both texts are
 * borrowed: the value until the series goes, the name is copied (CONFIG_NAME_BYTES of it). */
void series_add(struct series *s, const char *name, const char *value);

/** series_add_plan(s, plan): the configured labels. */
void series_add_plan(struct series *s, const struct backend_plan *plan);

/** series_has(s, name): a label of that name. */
bool series_has(const struct series *s, const char *name);

#endif
