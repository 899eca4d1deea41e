#include "sampler/go/inline.h"

#include <errno.h>

enum {
    ENTRY_GO118_BYTES =
        20, /* {parent i16, funcID u8, pad, file i32, line i32, func i32, parentPc} */
    ENTRY_GO120_BYTES = 16, /* {funcID u8, pad[3], nameOff i32, parentPc i32, startLine i32} */
    INDEX_MAX = 1 << 20,    /* of one tree, as the runtime's own array type has it */
};

struct entry {
    uint32_t name, parent_pc; /* parent_pc: offset from the function's entry */
    int32_t start_line;
    uint8_t id;
};

static uint32_t u32(const unsigned char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v)); /* elf.h takes little-endian files only, as is this machine */
    return v;
}

static int read_entry(const struct pclntab *t, const struct elf *elf, uint64_t tree, int32_t index,
                      struct entry *ret)
{
    bool old = t->magic == PCLNTAB_GO118;
    size_t bytes = old ? ENTRY_GO118_BYTES : ENTRY_GO120_BYTES;
    unsigned char b[ENTRY_GO118_BYTES];

    if (index >= INDEX_MAX || elf_read(elf, tree + bytes * (uint64_t)index, b, bytes) != 0)
        return -EBADMSG;
    if (old)
        *ret = (struct entry){.id = b[2], .name = u32(b + 12), .parent_pc = u32(b + 16)};
    else
        *ret = (struct entry){.id = b[0],
                              .name = u32(b + 4),
                              .parent_pc = u32(b + 8),
                              .start_line = (int32_t)u32(b + 12)};
    return 0;
}

/*
 * The inlined levels alone: the pc's index in the tree, that entry's parent pc, the index there,
 * and so on until there is none (runtime.inlineUnwinder). Go 1.18 and 1.19 also store the parent's
 * index, file and line; the runtime itself goes by the pc. *ret_pc is where the walk came out: the
 * pc of the line of ${fn} itself.
 */
static int walk_tree(struct pclntab *t, const struct elf *elf, uint64_t tree,
                     const struct pclntab_func *fn, uint32_t *ret_pc, struct inline_level *levels,
                     size_t max)
{
    uint32_t pc = *ret_pc;
    int32_t last = INDEX_MAX, index;
    size_t count = 0;
    int r;

    for (;;) {
        struct entry e = {0};

        r = pclntab_pcdata(t, fn, PCLNTAB_PCDATA_INLINE_INDEX, pc, &index);
        if (r != 0)
            return r;
        if (index < 0)
            break;
        /* The compiler adds a call's parent to the tree before the call (cmd/internal/obj/inl.go),
         * so indices fall on the way out: anything else could go round for ever. */
        if (index >= last)
            return -EBADMSG;
        last = index;
        r = read_entry(t, elf, tree, index, &e);
        if (r != 0)
            return r;
        if (count < max)
            levels[count++] = (struct inline_level){pc, e.name, e.start_line, e.id};
        if (e.parent_pc >= fn->end - fn->entry)
            return -EBADMSG;
        pc = fn->entry + e.parent_pc;
    }
    *ret_pc = pc;
    return (int)count;
}

int inline_walk(struct pclntab *t, const struct elf *elf, uint64_t gofunc,
                const struct pclntab_func *fn, uint32_t pc, struct inline_level *levels, size_t max)
{
    uint32_t tree;
    int count = 0;
    int r;

    r = pclntab_funcdata(t, fn, PCLNTAB_FUNCDATA_INLINE_TREE, &tree);
    if (r == 0)
        count = walk_tree(t, elf, gofunc + tree, fn, &pc, levels, max - 1);
    else if (r != -ENOENT)
        return r;
    if (count < 0)
        return count;
    levels[count] = (struct inline_level){pc, fn->name, fn->start_line, fn->id};
    return count + 1;
}
