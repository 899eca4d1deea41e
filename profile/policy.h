/*
 * policy.h: what a profile may tell: labels kept or dropped, texts redacted, bytes that are no
 * UTF-8 repaired. Applied once, before a profile is kept or sent anywhere.
 *
 * A label with many values multiplies the samples of every backend, so a key with more than
 * max_values different values in one profile is dropped whole and named in the report and in a
 * comment of the profile. Two kinds of key are free of that bound, as their values are many by
 * nature: the ids that join a sample to its trace (profile/correlate.h), which each backend has its
 * own use or none for, and the number "bytes", by which a heap profile tells its block sizes. Both
 * can be dropped by name. Redaction replaces each match of a POSIX extended regular expression
 * (regex(7)); expressions with back-references are refused, since they may take exponential time on
 * names that the target chose.
 */
#ifndef PROFILE_POLICY_H
#define PROFILE_POLICY_H

#include "profile/profile.h"

enum {
    POLICY_RULES_MAX = 16,
    POLICY_KEYS_MAX = 64,
    POLICY_KEY_BYTES = 64,
    POLICY_DROPPED_SHOWN_MAX = 8,
    POLICY_PATTERN_BYTES = 512,
    /* What redaction may cost. Matching may take the square of a text's length, and the target
     * chose the texts: longer ones are cut before they are looked at, and one profile may take only
     * so long (-ETIMEDOUT: better no profile than one with a secret). */
    POLICY_TEXT_MAX_BYTES = 4096,
    POLICY_APPLY_MAX_MS = 5000,
};

/* Names of functions; files of functions and mappings; values of text labels. Comments, which may
 * quote any of them, are under every rule; label keys are under none. */
enum policy_in { POLICY_IN_NAMES = 1, POLICY_IN_FILES = 2, POLICY_IN_LABELS = 4 };

struct policy_rule {
    const char *match, *replace;
    uint32_t in; /* enum policy_in bits */
};

struct policy_want {
    const char *const *keep; /* label keys; none: all */
    size_t keep_count;
    const char *const *drop;
    size_t drop_count;
    uint32_t max_values; /* 0: no bound */
    const struct policy_rule *rules;
    size_t rules_count;
};

struct policy; /* opaque; may be used by several threads at once */

/** policy_new(want, ret, e): everything is copied. -EINVAL (a bad expression), -ENOMEM. */
int policy_new(const struct policy_want *want, struct policy **ret, struct err *e);
void policy_free(struct policy *p); /* NULL-safe */

struct policy_report {
    uint64_t labels_dropped; /* of samples */
    uint64_t texts_redacted; /* strings that changed */
    /* strings with a U+FFFD: they had bytes that are no UTF-8 when the profile was built or read
     * (a struct profile holds nothing else), or came with one */
    uint64_t texts_repaired;
    /* keys with more than max_values values */
    char keys[POLICY_DROPPED_SHOWN_MAX][POLICY_KEY_BYTES];
    size_t keys_count; /* may be more than are shown */
};

/**
 * policy_apply(p, src, ret, ret_report, e): a new profile, the caller's; samples that have become
 * equal are one. ${src} is not changed. ${ret_report} may be NULL. -E2BIG, -ENOMEM, -EOVERFLOW,
 * -ETIMEDOUT.
 */
int policy_apply(const struct policy *p, const struct profile *src, struct profile **ret,
                 struct policy_report *ret_report, struct err *e);

#endif
