/*
 * Bytes that begin like an ELF file are opened as a Go executable without memory rights; others are
 * a pc-line table alone. Seeds: tests/unit/helper_goelf.c's file, whole and cut out.
 */
#include <errno.h>

#include "sampler/go/image.h"
#include "sampler/go/nameindex.h"
#include "sampler/go/pclncheck.h"
#include "sampler/go/pclntab.h"

enum {
    PROBES = 48, /* pcs looked at, spread over the text */
    INPUT_MAX_BYTES = 1 << 20,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int no_right(void *ctx, uint64_t address, void *out, size_t bytes)
{
    (void)ctx;
    (void)address;
    (void)out;
    (void)bytes;
    return -EPERM;
}

static void look(struct pclntab *t, uint32_t pc)
{
    char text[64];
    struct pclntab_func fn;
    int64_t line;
    int32_t value;
    uint32_t offset;

    if (pclntab_func_at(t, pc, &fn) != 0)
        return;
    (void)pclntab_value(t, &fn, fn.pcsp, pc, &value);
    (void)pclntab_line(t, &fn, pc, text, sizeof(text), &line);
    (void)pclntab_name(t, fn.name, text, sizeof(text));
    for (uint32_t i = 0; i < 4; i++) {
        (void)pclntab_pcdata(t, &fn, i, pc, &value);
        (void)pclntab_funcdata(t, &fn, i, &offset);
    }
}

static void try_table(struct file *f, size_t bytes)
{
    struct pclntab t;
    struct pclntab_func fn;
    struct nameindex *n;
    uint8_t wrapper;

    if (pclntab_open(f, 0, bytes, &t) != 0 || nameindex_new(&n) != 0)
        return;
    t.credit = PROBES * 1024; /* what the million steps of one table cost is known: look for more */
    for (uint32_t i = 0; i < PROBES; i++)
        look(&t, i * 5);
    look(&t, UINT32_MAX);
    (void)nameindex_find(n, &t, 22, "runtime.start", &fn);
    (void)nameindex_find(n, &t, 22, "main.outer", &fn);
    (void)pclncheck_run(&t, n, &wrapper);
    nameindex_free(n);
}

static void try_image(struct go_image *g, uint64_t pc)
{
    static struct frames frames;
    char name[64];
    uint32_t flags;
    int32_t delta;
    uint64_t entry;

    (void)go_image_frames(g, pc, &frames);
    (void)go_image_hidden(g, pc);
    (void)go_image_delta(g, pc, &delta, &flags);
    (void)go_image_entry(g, pc, name, sizeof(name), &entry);
}

static void try_elf(struct file *f)
{
    static const struct target_ops ops = {.read = no_right};
    struct target target = {&ops, NULL};
    struct go_image *g;
    struct elf *e;
    uint64_t pc, end;

    if (elf_open(f, &e, NULL) != 0)
        return;
    if (go_image_open(e, &target, 0, &g, NULL) == 0) {
        for (uint64_t at = 0x401000; at < 0x401000 + PROBES * 4; at += 4)
            try_image(g, at);
        if (go_image_function(g, "main.outer", &pc, &end) == 0)
            try_image(g, pc);
        go_image_free(g);
    }
    elf_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct file *f;

    if (bytes > INPUT_MAX_BYTES || file_from_bytes(data, bytes, &f) != 0)
        return 0;
    if (bytes > 4 && memcmp(data,
                            "\x7f"
                            "ELF",
                            4) == 0)
        try_elf(f);
    else
        try_table(f, bytes);
    file_free(f);
    return 0;
}
