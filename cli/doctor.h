/*
 * doctor.h: what `pillion doctor` found, and how it is shown. Found in doctor.c, printed in
 * doctor_print.c.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "base/buf.h"
#include "wire/remedy.h"

enum {
    DOCTOR_ROWS = 10, /* kinds of profiles */
};

/* One kind of profile. */
struct doctor_row {
    const char *name;
    enum rights_want want;        /* the right it needs */
    uint32_t kind;                /* RIGHTS_RUNTIME: enum wire_runtime_kind */
    bool can;                     /* right and all */
    char reason[WIRE_TEXT_BYTES]; /* why not though the right is there; else what to know of it */
};

struct doctor {
    const struct wire_target *target; /* NULL: this machine alone */
    const struct wire_facts *facts;
    const char *without; /* why there is no target */
    struct doctor_row row[DOCTOR_ROWS];
    size_t rows;
};

/** doctor_lacks(d): is a right missing for any row? */
bool doctor_lacks(const struct doctor *d);

/** doctor_text(d, out), doctor_json(d, out): for people; for programs, one object. */
void doctor_text(const struct doctor *d, struct buf *out);
void doctor_json(const struct doctor *d, struct buf *out);

#endif
