#include "tests/unit/helper_gotarget.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LINE_BYTES = 4 * 1024 * 1024, /* a label of a million bytes in hexadecimal */
    PAGE = 4096,
};

int helper_gotarget_build(const char *toolchain, const char *name, const char *suffix,
                          const char *flags, char *out, size_t out_bytes)
{
    char command[512];
    int status;

    /* goindex=0: Go 1.19 cannot read the index of a toolchain that lies in the module cache. */
    (void)snprintf(command, sizeof(command),
                   "GODEBUG=goindex=0 tests/targets/build_go.sh %s %s %s-%s%s %s >/dev/null",
                   toolchain, name, name, toolchain, suffix, flags);
    status = system(command);
    if (status == -1 || !WIFEXITED(status))
        return 1;
    (void)snprintf(out, out_bytes, "tests/targets/bin/%s-%s%s", name, toolchain, suffix);
    return WEXITSTATUS(status);
}

/* Where the kernel put a position independent program: its mapping of the first segment. */
static int find_bias(struct helper_gotarget *g)
{
    const struct elf_segment *segments;
    const char *name = strrchr(g->path, '/'), *line;
    size_t bytes;
    char *maps;
    int r = -ENOENT;

    g->bias = 0;
    if (!elf_is_dyn(g->elf))
        return 0;
    maps = helper_target_maps(&g->t, &bytes);
    if (!maps || !name || elf_segments(g->elf, &segments) == 0) {
        free(maps);
        return -EIO;
    }
    /* The file's mappings are in ascending order; Go's heap may lie below all of them. */
    line = strstr(maps, name);
    if (line) {
        while (line > maps && line[-1] != '\n')
            line--;
        g->bias = strtoull(line, NULL, 16) - segments[0].vaddr / PAGE * PAGE;
        r = 0;
    }
    free(maps);
    return r;
}

static int open_image(struct helper_gotarget *g)
{
    struct err e = {0};
    int r = file_open(open(g->path, O_RDONLY | O_CLOEXEC), &g->file);

    if (r == 0)
        r = elf_open(g->file, &g->elf, &e);
    if (r == 0)
        r = find_bias(g);
    if (r == 0)
        r = go_image_open(g->elf, &g->t.target, g->bias, &g->image, &e);
    if (r != 0)
        (void)fprintf(stderr, "%s: %d %s\n", g->path, r, e.text);
    return r;
}

int helper_gotarget_start(struct helper_gotarget *g, char *const argv[],
                          void (*line)(void *ctx, const char *text), void *ctx)
{
    char *text = malloc(LINE_BYTES);
    int r;

    memset(g, 0, sizeof(*g));
    (void)snprintf(g->path, sizeof(g->path), "%s", argv[0]);
    r = text ? helper_target_spawn(&g->t, argv) : -ENOMEM;
    while (r == 0) {
        r = helper_target_line(&g->t, text, LINE_BYTES);
        if (r < 0 || strcmp(text, "ready") == 0)
            break;
        r = 0;
        if (line)
            line(ctx, text);
    }
    if (r >= 0)
        r = open_image(g);
    free(text);
    return r;
}

void helper_gotarget_release(struct helper_gotarget *g)
{
    go_image_free(g->image);
    elf_free(g->elf);
    file_free(g->file);
    helper_target_release(&g->t);
}

static const Elf64_Shdr *symtab_of(const char *data, size_t bytes, size_t *ret_sections)
{
    const Elf64_Ehdr *eh = (const void *)data;
    const Elf64_Shdr *sh = (const void *)(data + eh->e_shoff);

    if (bytes < sizeof(*eh) || eh->e_shoff + eh->e_shnum * sizeof(*sh) > bytes)
        return NULL;
    *ret_sections = eh->e_shnum;
    for (size_t i = 0; i < eh->e_shnum; i++) {
        if (sh[i].sh_type == SHT_SYMTAB && sh[i].sh_link < eh->e_shnum)
            return &sh[i];
    }
    return NULL;
}

int helper_gotarget_symbol(const char *path, const char *name, uint64_t *ret)
{
    size_t bytes, sections, count;
    char *data = helper_target_slurp(path, &bytes);
    const Elf64_Shdr *table = data ? symtab_of(data, bytes, &sections) : NULL;
    const Elf64_Sym *symbols;
    const char *strings;
    int r = -ENOENT;

    if (table) {
        const Elf64_Shdr *all = (const void *)(data + ((const Elf64_Ehdr *)(void *)data)->e_shoff);

        symbols = (const void *)(data + table->sh_offset);
        strings = data + all[table->sh_link].sh_offset;
        count = table->sh_size / sizeof(*symbols);
        for (size_t i = 0; i < count && r != 0; i++) {
            if (symbols[i].st_value != 0 && strcmp(strings + symbols[i].st_name, name) == 0) {
                *ret = symbols[i].st_value;
                r = 0;
            }
        }
    }
    free(data);
    return r;
}
