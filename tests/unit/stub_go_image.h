/*
 * stub_go_image.h: sampler/go/image.h with answers that the test writes down, for tests of what
 * stands above it. Included by one .c a test program; all of the module is defined, so that the
 * real one is not linked.
 */
#ifndef TESTS_UNIT_STUB_GO_IMAGE_H
#define TESTS_UNIT_STUB_GO_IMAGE_H

#include <errno.h>

#include "sampler/go/image.h"

/* Part of a function with one stack delta; the rows of one function follow each other. */
struct stub_row {
    uint64_t start, end;
    int32_t delta;
    uint32_t flags;
    const char *name;
};

static struct stub_go {
    int open_code; /* what go_image_open answers; 0: success */
    uint64_t text, etext;
    const struct stub_row *rows;
    size_t count;
    /* seen */
    unsigned opens, frees;
    uint64_t bias;
    const struct elf *elf;
} stub_go;

struct go_image {
    int unused;
};

static struct go_image stub_image;

int go_image_open(struct elf *elf, const struct target *target, uint64_t bias,
                  struct go_image **ret, struct err *e)
{
    (void)target;
    stub_go.opens++;
    stub_go.bias = bias;
    stub_go.elf = elf;
    if (stub_go.open_code < 0)
        return err_set(e, stub_go.open_code, "the stub says no");
    *ret = &stub_image;
    return 0;
}

void go_image_free(struct go_image *g)
{
    if (g)
        stub_go.frees++;
}

const char *go_image_version(const struct go_image *g)
{
    (void)g;
    return "go1.26.8";
}

const char *go_image_note(const struct go_image *g)
{
    (void)g;
    return "";
}

uint16_t go_image_machine(const struct go_image *g)
{
    (void)g;
    return 62; /* EM_X86_64 */
}

bool go_image_is_pie(const struct go_image *g)
{
    (void)g;
    return false;
}

int go_image_formats(const struct go_image *g)
{
    (void)g;
    return 26;
}

int go_image_minor(const struct go_image *g)
{
    (void)g;
    return 26;
}

const struct go_layout *go_image_layout(const struct go_image *g)
{
    (void)g;
    return NULL;
}

bool go_image_has(const struct go_image *g, uint64_t pc)
{
    (void)g;
    return pc >= stub_go.text && pc < stub_go.etext;
}

static const struct stub_row *stub_find(uint64_t pc)
{
    for (size_t i = 0; i < stub_go.count; i++)
        if (pc >= stub_go.rows[i].start && pc < stub_go.rows[i].end)
            return &stub_go.rows[i];
    return NULL;
}

int go_image_frames(struct go_image *g, uint64_t pc, struct frames *ret)
{
    const struct stub_row *row = stub_find(pc);

    (void)g;
    if (!row)
        return -ENOENT;
    ret->count = 1;
    (void)snprintf(ret->frame[0].name, FRAME_NAME_BYTES, "%s", row->name);
    (void)snprintf(ret->frame[0].file, FRAME_FILE_BYTES, "stub.go");
    ret->frame[0].line = 7;
    ret->frame[0].start_line = 5;
    return 0;
}

bool go_image_hidden(struct go_image *g, uint64_t pc)
{
    (void)g;
    (void)pc;
    return false;
}

int go_image_delta(struct go_image *g, uint64_t pc, int32_t *ret_delta, uint32_t *ret_flags)
{
    const struct stub_row *row = stub_find(pc);

    (void)g;
    if (!row)
        return -ENOENT;
    *ret_delta = row->delta;
    *ret_flags = row->flags;
    return 0;
}

int go_image_function(struct go_image *g, const char *name, uint64_t *ret_entry, uint64_t *ret_end)
{
    bool found = false;

    (void)g;
    for (size_t i = 0; i < stub_go.count; i++) {
        if (strcmp(stub_go.rows[i].name, name) != 0)
            continue;
        if (!found)
            *ret_entry = stub_go.rows[i].start;
        *ret_end = stub_go.rows[i].end;
        found = true;
    }
    return found ? 0 : -ENOENT;
}

int go_image_entry(struct go_image *g, uint64_t pc, char *out, size_t out_bytes,
                   uint64_t *ret_entry)
{
    const struct stub_row *row = stub_find(pc);
    uint64_t end;

    if (!row)
        return -ENOENT;
    (void)snprintf(out, out_bytes, "%s", row->name);
    return go_image_function(g, row->name, ret_entry, &end);
}

void go_image_data(const struct go_image *g, uint64_t *ret_lo, uint64_t *ret_hi)
{
    (void)g;
    *ret_lo = *ret_hi = 0;
}

#endif
