/*
 * make_profile: profiles for the readers' tests, right ones and wrong ones.
 *
 *   make_profile make CASE      one protobuf profile on standard output, changed as CASE says
 *   make_profile gzip           standard input to one gzip member
 *   make_profile check          what our own reader says of standard input: "ok" or the reason
 *   make_profile again          standard input decoded and encoded
 *   make_profile merge          the same, merged with itself
 *   make_profile folded|speedscope|top TYPE    standard input as text
 */
#include <errno.h>
#include <inttypes.h>

#include "profile/gzip.h"
#include "profile/pprof.pb-c.h"
#include "profile/profile.h"
#include "profile/text.h"

enum {
    INPUT_MAX_BYTES = 64 * 1024 * 1024,
    BLOCK_BYTES = 256 * 1024, /* of the one message that is changed */
};

static const int64_t PERIOD_NS = 10000000;

/* ---- A right one */

static uint64_t function(struct profile *p, const char *name, const char *file, int64_t start)
{
    return profile_function(p, name, name, file, start);
}

static void sample(struct profile *p, const uint64_t *stack, size_t depth, int64_t n,
                   const char *tenant)
{
    struct profile_label label = {.key = "tenant", .str = tenant};
    int64_t values[2] = {n, n * PERIOD_NS};

    (void)profile_sample(p, stack, depth, values, &label, tenant ? 1 : 0);
}

/* main.main → main.work → main.leaf, with main.step inlined into main.work, and a C library. */
static struct profile *whole(void)
{
    struct profile *p = profile_new();
    struct profile_mapping app = {.start = 0x400000,
                                  .limit = 0x500000,
                                  .offset = 0,
                                  .filename = "/app/server",
                                  .build_id = "0123456789abcdef"};
    struct profile_mapping libc = {.start = 0x7f0000000000,
                                   .limit = 0x7f0000200000,
                                   .offset = 0x1000,
                                   .filename = "/lib/libc.so.6",
                                   .build_id = "fedcba9876543210"};
    uint64_t in_app, in_libc, leaf, work, start, write;
    struct profile_line lines[2];

    if (!p)
        return NULL;
    (void)profile_add_type(p, "samples", "count");
    (void)profile_add_type(p, "cpu", "nanoseconds");
    (void)profile_set_period(p, "cpu", "nanoseconds", PERIOD_NS);
    profile_set_time(p, 1763737445000000000, 2000000000);
    in_app = profile_mapping(p, &app);
    in_libc = profile_mapping(p, &libc);
    write = profile_location(p, in_libc, 0x7f0000012340, NULL, 0);
    lines[0] = (struct profile_line){function(p, "main.leaf", "/src/leaf.go", 3), 5};
    leaf = profile_location(p, in_app, 0x401000, lines, 1);
    lines[0] = (struct profile_line){function(p, "main.step", "/src/work.go", 30), 31};
    lines[1] = (struct profile_line){function(p, "main.work", "/src/work.go", 10), 14};
    work = profile_location(p, in_app, 0x402000, lines, 2);
    lines[0] = (struct profile_line){function(p, "main.main", "/src/main.go", 20), 28};
    start = profile_location(p, in_app, 0x403000, lines, 1);
    sample(p, (uint64_t[]){leaf, work, start}, 3, 60, "a");
    sample(p, (uint64_t[]){leaf, work, start}, 3, 30, "b");
    sample(p, (uint64_t[]){work, start}, 2, 20, NULL);
    sample(p, (uint64_t[]){write, start}, 2, 5, NULL);
    return p;
}

/* ---- Changes: each takes the message and leaves it as its case wants it */

static void no_types_but(Pprof__Profile *m, size_t keep)
{
    m->sample_type[0] = m->sample_type[keep];
    m->n_sample_type = 1;
    for (size_t i = 0; i < m->n_sample; i++) {
        m->sample[i]->value[0] = m->sample[i]->value[keep];
        m->sample[i]->n_value = 1;
    }
}

static void samples_only(Pprof__Profile *m)
{
    no_types_but(m, 0);
}

static void cpu_only(Pprof__Profile *m)
{
    no_types_but(m, 1);
}

/* "samples" by another name, wherever it is used. */
static void rename_string(Pprof__Profile *m, const char *from, const char *to)
{
    for (size_t i = 0; i < m->n_string_table; i++) {
        if (strcmp(m->string_table[i], from) == 0)
            m->string_table[i] = (char *)(uintptr_t)to;
    }
}

static void renamed_first(Pprof__Profile *m)
{
    rename_string(m, "samples", "hits");
}

static void native_names(Pprof__Profile *m)
{
    rename_string(m, "samples", "cpu-samples");
    rename_string(m, "cpu", "cpu-time");
}

static void no_start_line(Pprof__Profile *m)
{
    for (size_t i = 0; i < m->n_function; i++)
        m->function[i]->start_line = 0;
}

static void no_lines(Pprof__Profile *m)
{
    m->n_function = 0;
    for (size_t i = 0; i < m->n_location; i++)
        m->location[i]->n_line = 0;
    for (size_t i = 0; i < m->n_mapping; i++)
        m->mapping[i]->has_functions = 0;
}

static void no_mappings(Pprof__Profile *m)
{
    m->n_mapping = 0;
    for (size_t i = 0; i < m->n_location; i++)
        m->location[i]->mapping_id = 0;
}

static void no_addresses(Pprof__Profile *m)
{
    for (size_t i = 0; i < m->n_location; i++)
        m->location[i]->address = 0;
}

static void no_period_type(Pprof__Profile *m)
{
    m->period_type = NULL;
    m->period = 0;
}

static void no_time(Pprof__Profile *m)
{
    m->time_nanos = m->duration_nanos = 0;
}

static void extras(Pprof__Profile *m)
{
    static int64_t comment;

    comment = m->doc_url = m->sample_type[0]->type;
    m->comment = &comment;
    m->n_comment = 1;
}

static void default_samples(Pprof__Profile *m)
{
    m->default_sample_type = m->sample_type[0]->type;
}

static void drop_leaf(Pprof__Profile *m)
{
    m->drop_frames = m->function[0]->name;
}

static void no_samples(Pprof__Profile *m)
{
    m->n_sample = 0;
}

static void value_count(Pprof__Profile *m)
{
    m->sample[0]->n_value = 1;
}

static void duplicate_location(Pprof__Profile *m)
{
    m->location[1]->id = 1;
}

static void missing_location(Pprof__Profile *m)
{
    m->sample[0]->location_id[0] = 77;
}

static void missing_function(Pprof__Profile *m)
{
    m->location[1]->line[0]->function_id = 77;
}

static void missing_mapping(Pprof__Profile *m)
{
    m->location[0]->mapping_id = 77;
}

static void first_string(Pprof__Profile *m)
{
    m->string_table[0] = (char *)(uintptr_t) "x";
}

static void missing_string(Pprof__Profile *m)
{
    m->function[0]->name = 777;
}

static void ids_from_two(Pprof__Profile *m)
{
    for (size_t i = 0; i < m->n_location; i++)
        m->location[i]->id++;
    for (size_t i = 0; i < m->n_sample; i++) {
        for (size_t j = 0; j < m->sample[i]->n_location_id; j++)
            m->sample[i]->location_id[j]++;
    }
}

static void nothing(Pprof__Profile *m)
{
    (void)m;
}

static const struct change {
    const char *name;
    void (*apply)(Pprof__Profile *m);
} CHANGES[] = {
    {"whole", nothing},
    {"samples-only", samples_only},
    {"cpu-only", cpu_only},
    {"renamed-first", renamed_first},
    {"native-names", native_names},
    {"no-start-line", no_start_line},
    {"no-lines", no_lines},
    {"no-mappings", no_mappings},
    {"no-addresses", no_addresses},
    {"no-period-type", no_period_type},
    {"no-time", no_time},
    {"extras", extras},
    {"default-samples", default_samples},
    {"drop-leaf", drop_leaf},
    {"no-samples", no_samples},
    {"value-count", value_count},
    {"duplicate-location", duplicate_location},
    {"missing-location", missing_location},
    {"missing-function", missing_function},
    {"missing-mapping", missing_mapping},
    {"first-string", first_string},
    {"missing-string", missing_string},
    {"ids-from-two", ids_from_two},
};

/* ---- In and out */

static int put(const void *data, size_t bytes)
{
    return fwrite(data, 1, bytes, stdout) == bytes && fflush(stdout) == 0 ? 0 : -EIO;
}

static int get(struct buf *in)
{
    unsigned char chunk[4096];
    size_t n;

    buf_init(in, INPUT_MAX_BYTES);
    while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        buf_put(in, chunk, n);
    return in->failed || ferror(stdin) ? -EIO : 0;
}

/* All of a message's memory is one block: a change may cut parts off or put others in. */
struct block {
    unsigned char *bytes;
    size_t used;
};

static void *block_alloc(void *data, size_t bytes)
{
    struct block *b = data;
    void *at = b->bytes + b->used;

    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > BLOCK_BYTES - b->used)
        return NULL;
    b->used += bytes;
    return at;
}

static void block_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

static int make_changed(const struct buf *right, void (*apply)(Pprof__Profile *m))
{
    struct block b = {.bytes = malloc(BLOCK_BYTES)};
    ProtobufCAllocator allocator = {block_alloc, block_free, &b};
    Pprof__Profile *m;
    struct buf out;
    int rc = -ENOMEM;

    buf_init(&out, INPUT_MAX_BYTES);
    m = b.bytes ? pprof__profile__unpack(&allocator, right->len, right->data) : NULL;
    if (m) {
        apply(m);
        if (buf_reserve(&out, pprof__profile__get_packed_size(m) + 1)) {
            out.len = pprof__profile__pack(m, out.data);
            rc = put(out.data, out.len);
        }
    }
    buf_release(&out);
    free(b.bytes);
    return rc;
}

static int make(const char *name)
{
    struct profile *p = whole();
    struct buf right;
    int rc = p ? 0 : -ENOMEM;

    buf_init(&right, INPUT_MAX_BYTES);
    if (rc == 0)
        rc = profile_encode(p, &right);
    if (rc == 0 && strcmp(name, "whole") == 0) { /* just as it was encoded */
        rc = put(right.data, right.len);
    } else if (rc == 0) {
        rc = -EINVAL;
        for (size_t i = 0; i < sizeof(CHANGES) / sizeof(CHANGES[0]); i++) {
            if (strcmp(CHANGES[i].name, name) == 0)
                rc = make_changed(&right, CHANGES[i].apply);
        }
    }
    buf_release(&right);
    profile_free(p);
    return rc;
}

static int pack(void)
{
    struct buf in, out;
    int rc = get(&in);

    buf_init(&out, INPUT_MAX_BYTES);
    if (rc == 0)
        rc = gzip_pack(in.data, in.len, &out);
    if (rc == 0)
        rc = put(out.data, out.len);
    buf_release(&in);
    buf_release(&out);
    return rc;
}

/* Standard input, packed or not. */
static int load(struct profile **ret, struct err *e)
{
    struct buf in, plain;
    int rc = get(&in);

    buf_init(&plain, INPUT_MAX_BYTES);
    if (rc == 0 && gzip_is(in.data, in.len)) {
        rc = gzip_unpack(in.data, in.len, &plain, e);
        if (rc == 0)
            rc = profile_decode(plain.data, plain.len, ret, e);
    } else if (rc == 0) {
        rc = profile_decode(in.data, in.len, ret, e);
    }
    buf_release(&in);
    buf_release(&plain);
    return rc;
}

static int check(void)
{
    struct profile *p = NULL;
    struct err e = {0};
    int rc = load(&p, &e);

    if (rc == 0)
        rc = profile_validate(p, &e);
    (void)printf("%s\n", rc == 0 ? "ok" : e.text);
    profile_free(p);
    return 0;
}

static int again(bool merged)
{
    struct profile *p = NULL;
    struct err e = {0};
    struct buf out;
    int rc = load(&p, &e);

    buf_init(&out, INPUT_MAX_BYTES);
    if (rc == 0 && merged)
        rc = profile_merge(p, p, &e);
    if (rc == 0)
        rc = profile_encode(p, &out);
    if (rc == 0)
        rc = put(out.data, out.len);
    else
        (void)fprintf(stderr, "%s\n", e.text);
    buf_release(&out);
    profile_free(p);
    return rc;
}

static int print(const char *form, size_t type)
{
    struct profile *p = NULL;
    struct err e = {0};
    struct buf out;
    int rc = load(&p, &e);

    buf_init(&out, INPUT_MAX_BYTES);
    if (rc != 0)
        (void)fprintf(stderr, "%s\n", e.text);
    else if (strcmp(form, "folded") == 0)
        rc = text_folded(p, type, &out);
    else if (strcmp(form, "speedscope") == 0)
        rc = text_speedscope(p, type, "test", &out);
    else
        rc = text_top(p, type, 0, &out);
    if (rc == 0)
        rc = put(out.data, out.len);
    buf_release(&out);
    profile_free(p);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = -EINVAL;

    if (argc == 3 && strcmp(argv[1], "make") == 0)
        rc = make(argv[2]);
    else if (argc == 2 && strcmp(argv[1], "gzip") == 0)
        rc = pack();
    else if (argc == 2 && strcmp(argv[1], "check") == 0)
        rc = check();
    else if (argc == 2)
        rc = again(strcmp(argv[1], "merge") == 0);
    else if (argc == 3)
        rc = print(argv[1], strtoul(argv[2], NULL, 10));
    if (rc != 0)
        (void)fprintf(stderr, "make_profile: %s\n", strerror(-rc));
    return rc == 0 ? 0 : 1;
}
