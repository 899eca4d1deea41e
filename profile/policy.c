/*
 * First each key is judged once for the whole profile, over its label sets (each is there once,
 * however many samples have it); then one copy of all samples, with texts rewritten on the way.
 */
#include "profile/policy.h"

#include <errno.h>
#include <regex.h>

#include "base/clock.h"
#include "profile/copy.h"
#include "profile/correlate.h"

enum {
    POLICY_ERROR_BYTES = 128, /* what regerror(3) says */
    POLICY_COMMENT_BYTES = 160,
};

struct rule {
    regex_t match;
    char *replace;
    uint32_t in;
};

struct policy {
    char keep[POLICY_KEYS_MAX][POLICY_KEY_BYTES];
    size_t keep_count;
    char drop[POLICY_KEYS_MAX][POLICY_KEY_BYTES];
    size_t drop_count;
    uint32_t max_values;
    struct rule rules[POLICY_RULES_MAX];
    size_t rules_count;
};

/* ---- As configured */

/* \1 to \9 outside of brackets (in them a backslash is itself, POSIX.1-2017 9.3.5). */
static bool has_back_reference(const char *p)
{
    bool bracket = false;

    for (; *p; p++) {
        if (bracket) {
            bracket = *p != ']';
        } else if (*p == '\\' && p[1]) {
            p++;
            if (*p >= '1' && *p <= '9')
                return true;
        } else if (*p == '[') {
            bracket = true;
            if (p[1] == '^')
                p++;
            if (p[1] == ']') /* first, it is a member */
                p++;
        }
    }
    return false;
}

static int add_rule(struct policy *p, const struct policy_rule *from, struct err *e)
{
    struct rule *rule = &p->rules[p->rules_count];
    char why[POLICY_ERROR_BYTES];
    int rc;

    if (!from->match || !*from->match || strlen(from->match) >= POLICY_PATTERN_BYTES)
        return err_set(e, -EINVAL, "redact: an expression of 1 to %d bytes is wanted",
                       POLICY_PATTERN_BYTES - 1);
    if (has_back_reference(from->match))
        return err_set(e, -EINVAL, "redact: \"%s\" has a back-reference, which may take for ever",
                       from->match);
    rule->replace = strdup(from->replace ? from->replace : "");
    if (!rule->replace)
        return err_set(e, -ENOMEM, "no memory for the policy");
    rc = regcomp(&rule->match, from->match, REG_EXTENDED);
    if (rc != 0) {
        (void)regerror(rc, &rule->match, why, sizeof(why));
        free(rule->replace);
        return err_set(e, -EINVAL, "redact: \"%s\": %s", from->match, why);
    }
    rule->in = from->in;
    p->rules_count++;
    return 0;
}

static int add_keys(char (*to)[POLICY_KEY_BYTES], size_t *ret_count, const char *const *from,
                    size_t n, struct err *e)
{
    if (n > POLICY_KEYS_MAX)
        return err_set(e, -EINVAL, "more than %d label keys", POLICY_KEYS_MAX);
    for (size_t i = 0; i < n; i++) {
        if ((size_t)snprintf(to[i], POLICY_KEY_BYTES, "%s", from[i]) >= POLICY_KEY_BYTES)
            return err_set(e, -EINVAL, "the label key \"%s\" has more than %d bytes", from[i],
                           POLICY_KEY_BYTES - 1);
    }
    *ret_count = n;
    return 0;
}

int policy_new(const struct policy_want *want, struct policy **ret, struct err *e)
{
    struct policy *p = calloc(1, sizeof(*p));
    int rc;

    if (!p)
        return err_set(e, -ENOMEM, "no memory for the policy");
    p->max_values = want->max_values;
    rc = add_keys(p->keep, &p->keep_count, want->keep, want->keep_count, e);
    if (rc == 0)
        rc = add_keys(p->drop, &p->drop_count, want->drop, want->drop_count, e);
    if (rc == 0 && want->rules_count > POLICY_RULES_MAX)
        rc = err_set(e, -EINVAL, "more than %d redactions", POLICY_RULES_MAX);
    for (size_t i = 0; rc == 0 && i < want->rules_count; i++)
        rc = add_rule(p, &want->rules[i], e);
    if (rc == 0)
        *ret = p;
    else
        policy_free(p);
    return rc;
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->rules_count; i++) {
        regfree(&p->rules[i].match);
        free(p->rules[i].replace);
    }
    free(p);
}

/* ---- Texts */

/* One profile under the policy. */
struct apply {
    const struct policy *policy;
    const struct profile *src;
    struct policy_report report;
    struct intern seen; /* struct value_rec */
    uint32_t *values;   /* different values by the key's number in src */
    bool *dropped;      /* by the same */
    struct buf from;    /* a text on its way through the rules */
    uint64_t deadline_ns;
};

/* One different value of a key. */
struct value_rec {
    uint32_t key, str;
    int64_t num;
};

/*
 * Each match of one rule in ${text}, appended to ${out}. An empty match replaces nothing: it is
 * passed with the character behind it.
 */
static bool replace_all(const struct rule *rule, const char *text, struct buf *out)
{
    bool changed = false;
    regmatch_t m;
    int flags = 0;

    while (*text && regexec(&rule->match, text, 1, &m, flags) == 0) {
        size_t skip = m.rm_eo > m.rm_so ? 0 : 1;

        if ((size_t)m.rm_so + skip > strlen(text))
            break;
        buf_put(out, text, (size_t)m.rm_so + skip);
        if (!skip) {
            buf_puts(out, rule->replace);
            changed = true;
        }
        text += (size_t)m.rm_eo + skip;
        flags = REG_NOTBOL;
    }
    buf_puts(out, text);
    return changed;
}

static uint32_t rules_for(enum copy_text kind)
{
    switch (kind) {
    case COPY_NAME:
        return POLICY_IN_NAMES;
    case COPY_FILE:
        return POLICY_IN_FILES;
    case COPY_LABEL:
        return POLICY_IN_LABELS;
    case COPY_OTHER:
    case COPY_COMMENT:
    case COPY_TEXTS:
        break;
    }
    return kind == COPY_COMMENT ? POLICY_IN_NAMES | POLICY_IN_FILES | POLICY_IN_LABELS : 0;
}

/*
 * Through all rules of its kind, one after the other; the result is in ${out}. Replacements may
 * make a text longer than a string may be: then it ends where the buffer did, which never shows
 * more.
 */
static int redact(void *ctx, enum copy_text kind, const char *text, struct buf *out)
{
    struct apply *a = ctx;
    uint32_t in = rules_for(kind);
    size_t bytes = strlen(text);
    bool changed = bytes > POLICY_TEXT_MAX_BYTES, any = false;

    buf_put(out, text, changed ? POLICY_TEXT_MAX_BYTES : bytes);
    for (size_t i = 0; i < a->policy->rules_count; i++) {
        struct buf swap = a->from;

        if (!(a->policy->rules[i].in & in))
            continue;
        any = true;
        if (clock_mono_ns() > a->deadline_ns)
            return -ETIMEDOUT;
        a->from = *out;
        *out = swap;
        buf_clear(out);
        changed |= replace_all(&a->policy->rules[i], buf_text(&a->from), out);
        out->failed = false;
    }
    if (!any || !changed)
        return 0;
    a->report.texts_redacted++;
    return 1;
}

static void count_repaired(struct apply *a)
{
    for (uint32_t i = 0; i < a->src->strings.count; i++) {
        if (strstr(profile_text(a->src, i), "\xef\xbf\xbd"))
            a->report.texts_repaired++;
    }
}

/* ---- Keys */

static bool listed(const char (*keys)[POLICY_KEY_BYTES], size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i], key) == 0)
            return true;
    }
    return false;
}

/* Free of the bound on values, see policy.h. */
static bool unbounded(const char *key, const struct profile_label_rec *l)
{
    return correlate_key(key) || (l->str == 0 && strcmp(key, "bytes") == 0);
}

static void drop_for_values(struct apply *a, uint32_t key)
{
    struct policy_report *r = &a->report;

    a->dropped[key] = true;
    if (r->keys_count < POLICY_DROPPED_SHOWN_MAX)
        (void)err_clean(r->keys[r->keys_count], POLICY_KEY_BYTES, profile_text(a->src, key),
                        strlen(profile_text(a->src, key)));
    r->keys_count++;
}

static int judge_label(struct apply *a, const struct profile_label_rec *l)
{
    const struct policy *p = a->policy;
    const char *key = profile_text(a->src, l->key);
    const struct value_rec rec = {l->key, l->str, l->num};
    int is_new;

    if (a->dropped[l->key])
        return 0;
    if (listed(p->drop, p->drop_count, key) ||
        (p->keep_count > 0 && !listed(p->keep, p->keep_count, key))) {
        a->dropped[l->key] = true;
        return 0;
    }
    if (p->max_values == 0 || unbounded(key, l))
        return 0;
    if (intern_put(&a->seen, &rec, sizeof(rec), &is_new) == INTERN_NONE)
        return -ENOMEM;
    if (is_new && ++a->values[l->key] > p->max_values)
        drop_for_values(a, l->key);
    return 0;
}

static int judge_keys(struct apply *a)
{
    const struct profile *src = a->src;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < src->labelsets.count; i++) {
        size_t bytes;
        const struct profile_label_rec *set = intern_get(&src->labelsets, i, &bytes);

        for (size_t j = 0; rc == 0 && j < bytes / sizeof(*set); j++)
            rc = judge_label(a, &set[j]);
    }
    return rc;
}

/* ---- Samples */

static int apply_sample(struct apply *a, struct copy *c, size_t i)
{
    struct profile_label_rec labels[PROFILE_LABELS_MAX];
    uint32_t stack[PROFILE_DEPTH_MAX];
    const struct profile_label_rec *from;
    struct profile_sample_view s;
    size_t n, kept = 0;
    int rc;

    if (!profile_get_sample(a->src, i, &s))
        return -EINVAL;
    rc = copy_stack(c, &s, stack);
    from = profile_sample_labels(a->src, i, &n);
    for (size_t j = 0; j < n; j++) {
        if (!a->dropped[from[j].key]) {
            copy_label(c, &from[j], &labels[kept]);
            if (from[j].str == 0 || labels[kept].str != 0) {
                kept++;
                continue;
            }
        }
        a->report.labels_dropped++;
    }
    return rc ? rc : profile_put_sample(c->dst, stack, s.depth, s.values, labels, kept);
}

static void add_comments(const struct apply *a, struct profile *dst)
{
    char text[POLICY_COMMENT_BYTES];

    for (size_t i = 0; i < a->report.keys_count && i < POLICY_DROPPED_SHOWN_MAX; i++) {
        (void)snprintf(text, sizeof(text), "label %s dropped: more than %u different values",
                       a->report.keys[i], a->policy->max_values);
        (void)profile_add_comment(dst, text);
    }
}

/* What was allocated is released in either case. */
static int apply_all(struct apply *a, struct profile *dst)
{
    const struct profile *src = a->src;
    struct copy c = {0};
    int rc = -ENOMEM;

    a->values = calloc(src->strings.count, sizeof(*a->values));
    a->dropped = calloc(src->strings.count, sizeof(*a->dropped));
    if (a->values && a->dropped)
        rc = judge_keys(a);
    if (rc == 0)
        rc = copy_init(&c, dst, src, a->policy->rules_count ? redact : NULL, a);
    if (rc == 0)
        copy_head(&c, true);
    for (size_t i = 0; rc == 0 && i < src->samples.count; i++)
        rc = apply_sample(a, &c, i);
    if (rc == 0)
        rc = copy_result(&c);
    copy_release(&c);
    free(a->values);
    free(a->dropped);
    return rc;
}

int policy_apply(const struct policy *p, const struct profile *src, struct profile **ret,
                 struct policy_report *ret_report, struct err *e)
{
    struct apply a = {.policy = p, .src = src};
    struct profile *dst = profile_new();
    int rc = dst ? 0 : -ENOMEM;

    a.deadline_ns = clock_mono_ns() + POLICY_APPLY_MAX_MS * CLOCK_NS_PER_MS;
    intern_init(&a.seen, PROFILE_STRINGS_MAX, PROFILE_MAX_BYTES);
    buf_init(&a.from, PROFILE_STRING_MAX_BYTES);
    if (rc == 0)
        rc = apply_all(&a, dst);
    intern_release(&a.seen);
    buf_release(&a.from);
    if (rc != 0) {
        profile_free(dst);
        return err_set(e, rc, "the label policy cannot be applied: %s",
                       rc == -ETIMEDOUT ? "its expressions take too long on these names"
                                        : strerror(-rc));
    }
    count_repaired(&a);
    add_comments(&a, dst);
    if (ret_report)
        *ret_report = a.report;
    *ret = dst;
    return 0;
}
