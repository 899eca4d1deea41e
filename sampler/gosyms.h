/*
 * gosyms.h: what the addresses of a Go program mean, looked up once each and kept small: for
 * profiles and texts that name the same few thousand addresses a hundred thousand times.
 */
#ifndef SAMPLER_GOSYMS_H
#define SAMPLER_GOSYMS_H

#include "base/intern.h"
#include "sampler/go/image.h"

enum {
    GOSYMS_MAX = 1024 * 1024, /* addresses */
    GOSYMS_FRAMES_MAX = 4 * 1024 * 1024,
    GOSYMS_TEXT_MAX_BYTES = 64 * 1024 * 1024, /* all names and files */
};

/* One function at an address. */
struct gosyms_frame {
    uint32_t name, file; /* for gosyms_text() */
    int64_t line, start_line;
    bool inlined; /* into the next one */
};

/* One address. */
struct gosyms_sym {
    uint32_t first, count; /* frames, innermost first; none: unknown */
    uint64_t entry;        /* of the function, 0: unknown */
    uint32_t outer;        /* name of the function itself, not inlined, wrappers too */
    bool hidden;           /* nothing but a wrapper: left out as Go does */
};

struct gosyms {
    struct go_image *image;
    struct intern addresses, texts;
    struct gosyms_sym *syms; /* by number of the address */
    struct gosyms_frame *frames;
    uint32_t syms_cap, frame_count, frames_cap;
    struct frames scratch;
};

/** gosyms_init(s, image): empty; ${image} must outlive it. */
void gosyms_init(struct gosyms *s, struct go_image *image);
void gosyms_release(struct gosyms *s);

/**
 * gosyms_get(s, address, ret_index): the address itself, already moved back into the call. *ret is
 * its dense number. NULL: no memory, or a bound. Valid until the next call.
 */
const struct gosyms_sym *gosyms_get(struct gosyms *s, uint64_t address, uint32_t *ret_index);

/** gosyms_frame(s, sym, i): frame ${i} < sym->count. Valid until the next gosyms_get(). */
const struct gosyms_frame *gosyms_frame(const struct gosyms *s, const struct gosyms_sym *sym,
                                        uint32_t i);

/** gosyms_text(s, id): NUL-terminated; valid until the next gosyms_get(). */
const char *gosyms_text(const struct gosyms *s, uint32_t id);

#endif
