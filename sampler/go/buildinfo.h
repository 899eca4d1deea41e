/*
 * buildinfo.h: which Go made this file: the .go.buildinfo blob, found by section or by its magic.
 * Sources: debug/buildinfo/buildinfo.go, cmd/link/internal/ld/data.go (buildinfo).
 */
#ifndef SAMPLER_GO_BUILDINFO_H
#define SAMPLER_GO_BUILDINFO_H

#include "sampler/symbols/elf.h"

enum {
    BUILDINFO_VERSION_BYTES = 128,  /* longest version text with its NUL; longer ones are cut */
    BUILDINFO_CANDIDATES_MAX = 256, /* places with the magic that are looked at */
};

/**
 * buildinfo_version(e, out): "go1.22.12", "devel go1.27-…", "go1.25.4 X:nogreenteagc"; other than
 * printable bytes become '?'. 0; -ENOENT: no such blob (not Go, or before 1.13); -ENOTSUP: Go, but
 * from before 1.18.
 */
int buildinfo_version(const struct elf *e, char out[static BUILDINFO_VERSION_BYTES]);

/** buildinfo_minor(version): 22 of "go1.22.12"; -1 when the text does not say. */
int buildinfo_minor(const char *version);

#endif
