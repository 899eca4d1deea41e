/*
 * image.h: the Go half of an executable: version, pclntab, moduledata; names, files, lines,
 * inlining, stack deltas. Go 1.18 to 1.26, stripped or not, PIE or not, with section headers or
 * without; newer ones as far as their tables prove to be those of 1.26 (pclncheck.h). Sources:
 * runtime/symtab.go, runtime/symtabinl.go, runtime/funcdata.go, cmd/link pclntab of those versions;
 * facts in the layout table (layout.h).
 */
#ifndef SAMPLER_GO_IMAGE_H
#define SAMPLER_GO_IMAGE_H

#include "base/err.h"
#include "sampler/symbols/elf.h"
#include "sampler/symbols/frame.h"
#include "sampler/symbols/target.h"

struct go_layout; /* layout.h */
struct go_image;

/**
 * go_image_open(elf, target, bias, ret, e): ${bias} = address in memory minus virtual address in
 * the file. -ENOENT: no Go program; -ENOTSUP: Go, but a version or shape we do not know (e says
 * which).
 * ${elf} and ${target} must outlive it. Without memory rights a non-PIE file is still read.
 */
int go_image_open(struct elf *elf, const struct target *target, uint64_t bias,
                  struct go_image **ret, struct err *e);
void go_image_free(struct go_image *g);

const char *go_image_version(const struct go_image *g); /* "go1.26.8" */
int go_image_minor(const struct go_image *g);           /* 26 */
/** go_image_formats(g): the minor whose formats it is read with: its own, if that is known. */
int go_image_formats(const struct go_image *g);
uint16_t go_image_machine(const struct go_image *g); /* EM_X86_64, EM_AARCH64 */
bool go_image_is_pie(const struct go_image *g);      /* its code is compiled for any address */
/**
 * go_image_note(g): what its users have to be told: that this version is not certain and how it is
 * read. "" for a known one.
 */
const char *go_image_note(const struct go_image *g);
/** go_image_layout(g): struct offsets of this version, NULL when it is not certain. */
const struct go_layout *go_image_layout(const struct go_image *g);
bool go_image_has(const struct go_image *g, uint64_t pc); /* pc in [text, etext) */

/**
 * go_image_frames(g, pc, ret): inlined frames of a pc (innermost first), without compiler-made
 * wrappers as in Go's own profiles; never empty: a pc with nothing but wrappers keeps them (see
 * go_image_hidden). Names are the full symbol names, as runtime/pprof writes them. 0, -ENOENT,
 * -EBADMSG.
 */
int go_image_frames(struct go_image *g, uint64_t pc, struct frames *ret);

/**
 * go_image_hidden(g, pc): does the pc lie in a compiler-made wrapper alone ((*T).Method around
 * T.Method, main.gowrap1 …)? Go's own profiles leave such an address out of a stack.
 */
bool go_image_hidden(struct go_image *g, uint64_t pc);

/* One level of go_image_levels(). */
struct go_level {
    uint64_t pc;  /* the address that stands for it: a call's, or its inline mark's */
    bool wrapper; /* made by the compiler */
};

/**
 * go_image_levels(g, pc, ret, levels, ret_entry): as go_image_frames, with the wrappers among them,
 * the address of each, and the entry of the function that is really there. 0, -ENOENT, -EBADMSG.
 */
int go_image_levels(struct go_image *g, uint64_t pc, struct frames *ret,
                    struct go_level levels[FRAME_INLINE_MAX], uint64_t *ret_entry);

enum go_delta_flag {
    GO_DELTA_TOP = 1, /* the stack ends here (runtime.goexit, mstart, rt0_go …) */
    GO_DELTA_SPWRITE =
        2, /* the function writes SP: the delta is not to be trusted beyond its entry */
    GO_DELTA_ASM = 4,
};

/**
 * go_image_delta(g, pc, ret_delta, ret_flags): bytes from SP to the return address at ${pc} (the
 * pcsp table). Cached by pc: cheap enough for each sample. 0, -ENOENT (not Go text), -EBADMSG.
 */
int go_image_delta(struct go_image *g, uint64_t pc, int32_t *ret_delta, uint32_t *ret_flags);

/** go_image_function(g, name, ret_entry, ret_end): find a function by its name. -ENOENT. */
int go_image_function(struct go_image *g, const char *name, uint64_t *ret_entry, uint64_t *ret_end);

/**
 * go_image_entry(g, pc, out, out_bytes, ret_entry): name and entry of the function at pc (not
 * inlined ones). -ENOENT.
 */
int go_image_entry(struct go_image *g, uint64_t pc, char *out, size_t out_bytes,
                   uint64_t *ret_entry);

/** go_image_data(g, ret_lo, ret_hi): from noptrdata (or data, where that is lower) to enoptrbss:
 * where the runtime's variables live. */
void go_image_data(const struct go_image *g, uint64_t *ret_lo, uint64_t *ret_hi);

#endif
