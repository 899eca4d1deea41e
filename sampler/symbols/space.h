/*
 * space.h: the target's address space: its mappings, the images in them, and what an address is.
 * One object a target generation; it is refreshed when mappings change.
 */
#ifndef SAMPLER_SYMBOLS_SPACE_H
#define SAMPLER_SYMBOLS_SPACE_H

#include "sampler/symbols/elf.h"
#include "sampler/symbols/frame.h"
#include "sampler/symbols/maps.h"
#include "sampler/symbols/target.h"

struct go_image; /* sampler/go/image.h */

enum {
    SPACE_IMAGES_MAX = 1024,
    SPACE_WARM_MAX = 8, /* files with a cache at a time */
    /*
     * A target may map as many files as it likes, each with a table of millions, and run through
     * all of them in turn. So what is held is bounded (64 MiB), and so is what one profile loads,
     * which is more only if tables had to make room for each other: some seconds of sorting.
     */
    SPACE_SYMBOLS_MAX = ELF_SYMBOLS_MAX,
    SPACE_SYMBOLS_LOADED_MAX = 8 * 1024 * 1024,
    SPACE_OPEN_MAX_MS = 2000, /* opening files for one profile, all together */
    SPACE_POOL_MAX = 2048,    /* files open at once, of all spaces that share */
    SPACE_EAGER_MAX = 64,     /* files opened as soon as they are seen, while the target is there */
    SPACE_GO_TRIES_MAX = 8,
};

struct space; /* opaque */

/* One mapping as a profile shows it. */
struct space_mapping {
    uint64_t start, end, offset;
    const char *path;
    const char *build_id; /* "" when none */
};

/** space_new(target, ret): empty; call space_refresh() next. ${target} must outlive it. */
int space_new(const struct target *target, struct space **ret);

/**
 * space_new_beside(target, other, ret): the same for another process. Files that are mapped in both
 * are opened once and their symbols held once, and the bounds above on open files and symbols are
 * for all of them together. ${other} may be freed before it; NULL: as space_new().
 */
int space_new_beside(const struct target *target, const struct space *other, struct space **ret);
void space_free(struct space *s);

/**
 * space_refresh(s, maps_text, bytes, e): take in the mappings as they are now. Known images are
 * kept; mappings that vanished keep their meaning until another takes their place.
 */
int space_refresh(struct space *s, const char *maps_text, size_t bytes, struct err *e);

/**
 * space_trim(s): give caches back between profiles. With the next refresh, mappings that vanished
 * are forgotten: no sample that means them is left.
 */
void space_trim(struct space *s);

/** space_go(s): the executable's Go half, NULL when it is no Go program (or unknown: see _note). */
struct go_image *space_go(struct space *s);
/** space_note(s): why something is not known, "" when all is well. */
const char *space_note(const struct space *s);
/** space_build_id(s): of the executable, hex, "" when none. */
const char *space_build_id(struct space *s);

/** space_main(s): an address in the executable's own code, 0 when it is not known. */
uint64_t space_main(struct space *s);

/** space_is_code(s, address): is it in an executable mapping? */
bool space_is_code(const struct space *s, uint64_t address);

enum space_trait {
    SPACE_EXACT_CALLER = 1, /* the pc above it is no return address: asyncPreempt, sigpanic */
    SPACE_SWITCHES = 2,     /* leaves the goroutine for good: mcall. Its caller is of no interest */
    SPACE_ENDS = 4,         /* the first function of a thread that is not Go's: _start, clone … */
    SPACE_ABOVE_MAIN = 8,   /* calls main; above it is nothing that has a frame */
};

/**
 * space_traits(s, address): what an unwinder must know of the function there. Cheap for Go's; for
 * others a name is looked up, and remembered.
 */
unsigned space_traits(struct space *s, uint64_t address);

/**
 * space_is_libc(s, address): is it in the C library or the loader (by the file's name)? Threads
 * begin there, in functions that often have no name.
 */
bool space_is_libc(const struct space *s, uint64_t address);

/** space_mapping(s, address, ret): 0 or -ENOENT. Texts live until the next refresh. */
int space_mapping(struct space *s, uint64_t address, struct space_mapping *ret);

/**
 * space_frames(s, address, ret): what runs at this address (already moved back by one for a return
 * address). count 0 when nothing is known: then show file + offset. 0 or -errno (target gone).
 */
int space_frames(struct space *s, uint64_t address, struct frames *ret);

#endif
