/*
 * helper_goversions.h: with which Go releases the tests build their programs. GO_VERSIONS=all in
 * the environment: every one whose structures are known; GO_VERSIONS="1.20.14 1.25.4": those; else
 * the few that stand for the others: the oldest, the newest, and one between (pprof labels are a
 * map until 1.23, a list since). And how they are built: stripped and PIE, or in every way.
 */
#ifndef TESTS_UNIT_HELPER_GOVERSIONS_H
#define TESTS_UNIT_HELPER_GOVERSIONS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    HELPER_GOVERSIONS_MAX = 32,
};

/** helper_goversions(): oldest first, NULL at the end. When all are wanted, of 1.23 and 1.24 two:
 * struct m has grown inside these minors. */
const char *const *helper_goversions(void);

/** helper_goversions_newest(): the newest alone, unless GO_VERSIONS says which. */
const char *const *helper_goversions_newest(void);

/** helper_goversions_chosen(): GO_VERSIONS says which: then every way to build is tested, too. */
bool helper_goversions_chosen(void);

/** helper_goversions_has(version): is it among them? */
bool helper_goversions_has(const char *version);

/* The newest: what is tested in more ways than the others. */
#define HELPER_GOVERSIONS_NEWEST "1.26.8"

/* A way to build a program. */
struct helper_goway {
    const char *suffix, *flags; /* flags are words for the shell; NULL suffix: the end of a list */
    const char *env;            /* "NAME=VALUE" for the build, NULL: none */
};

/**
 * helper_goways(version): stripped, and stripped PIE; when GO_VERSIONS has chosen, also plain and
 * PIE with symbols, and the newest release with -s alone, GOAMD64=v3, -race, and with C, dynamic
 * and static.
 */
const struct helper_goway *helper_goways(const char *version);

/* What the newest release is built as besides the first two when GO_VERSIONS says nothing: not what
 * needs a standard library of its own (-race, GOAMD64). */
extern const struct helper_goway *const helper_goways_newest;

/* What most tests build. */
extern const struct helper_goway *const helper_goway_stripped;

/** helper_goway_build(): helper_gotarget_build() (helper_gotarget.h) in this way. 0; 77: not to be
 * had here, and not asked for by GO_VERSIONS; else 1. */
int helper_goway_build(const char *version, const char *name, const struct helper_goway *way,
                       char *out, size_t out_bytes);

#endif
