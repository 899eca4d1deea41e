/*
 * helper_goversions.h: with which Go releases the tests build their programs. GO_VERSIONS=all in
 * the environment: every one whose structures are known; GO_VERSIONS="1.20.14 1.25.4": those; else
 * the few that stand for the others.
 */
#ifndef TESTS_UNIT_HELPER_GOVERSIONS_H
#define TESTS_UNIT_HELPER_GOVERSIONS_H

#include <stdbool.h>

enum {
    HELPER_GOVERSIONS_MAX = 32,
};

/** helper_goversions(): oldest first, NULL at the end. Of 1.23 and 1.24 two: struct m has grown
 * inside these minors. */
const char *const *helper_goversions(void);

/** helper_goversions_chosen(): GO_VERSIONS says which: then every way to build is tested, too. */
bool helper_goversions_chosen(void);

/** helper_goversions_has(version): is it among them? */
bool helper_goversions_has(const char *version);

/** The newest: what is tested in more ways than the others. */
#define HELPER_GOVERSIONS_NEWEST "1.26.8"

#endif
