/*
 * remedy.h: why something is refused, in words, and what would grant it, as YAML to paste: the one
 * place where these words are. The 501s, the index, the `ready` line, `pillion record` and `pillion
 * doctor` all have them from here; docs/kubernetes.md explains the same lines.
 */
#ifndef WIRE_REMEDY_H
#define WIRE_REMEDY_H

#include <stddef.h>

#include "wire/rights.h"

enum {
    REMEDY_YAML_BYTES = 160,
    REMEDY_GRANTS_MAX = 6,
    REMEDY_WHY_BYTES = 512,
    REMEDY_CAUSES_MAX = 17, /* rows of enum rights_cause */
};

/* Where a line belongs. */
enum remedy_place {
    REMEDY_OURS,   /* Pillion's own container */
    REMEDY_TARGET, /* the target's container */
    REMEDY_POD,    /* the Pod's spec */
    REMEDY_NODE,   /* no YAML: a command on the machine */
};

/* One way out; each alone is enough. */
struct remedy_grant {
    char yaml[REMEDY_YAML_BYTES]; /* one line; of REMEDY_NODE a command */
    const char *note;             /* what it takes besides, "" for nothing; constant */
    enum remedy_place place;
};

/** remedy_place_name(place): "the container's", … for people. */
const char *remedy_place_name(enum remedy_place place);

/** remedy_call_name(call): "perf_event_open", "/proc/T/maps" …; JSON keys: remedy_call_key(). */
const char *remedy_call_name(enum wire_call call);
const char *remedy_call_key(enum wire_call call);

/** remedy_verdict(v, out, bytes): "ok", "untried", or the name of the errno. Returns ${out}. */
const char *remedy_verdict(int32_t v, char *out, size_t bytes);

/** remedy_cause_key(cause): one bit of enum rights_cause as one word, NULL: no such bit. */
const char *remedy_cause_key(uint32_t cause);

/** remedy_why(f, want, out, bytes): which call, refused how, and all that is in the way; "" when it
 * can be had. One line. Returns ${out}. */
const char *remedy_why(const struct wire_facts *f, enum rights_want want, char *out, size_t bytes);

/** remedy_grants(f, want, ret): what would grant it, the smallest right first. How many. */
size_t remedy_grants(const struct wire_facts *f, enum rights_want want,
                     struct remedy_grant ret[static REMEDY_GRANTS_MAX]);

/** remedy_text(f, want, out, bytes): both in one line, grants as far as they fit whole. */
const char *remedy_text(const struct wire_facts *f, enum rights_want want, char *out, size_t bytes);

#endif
