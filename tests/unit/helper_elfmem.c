#include "tests/unit/helper_elfmem.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/helper_target.h"

static int mem_read(void *ctx, uint64_t address, void *out, size_t bytes)
{
    const struct helper_elfmem *m = ctx;
    uint64_t at = address - m->bias - m->low;

    if (at > m->bytes || bytes > m->bytes - at)
        return -EFAULT;
    memcpy(out, m->memory + at, bytes);
    return 0;
}

static const struct target_ops ops = {.read = mem_read};

static void extent(struct helper_elfmem *m, const Elf64_Phdr *ph, size_t count)
{
    uint64_t hi = 0;

    m->low = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (ph[i].p_type != PT_LOAD)
            continue;
        if (ph[i].p_vaddr < m->low)
            m->low = ph[i].p_vaddr;
        if (ph[i].p_vaddr + ph[i].p_memsz > hi)
            hi = ph[i].p_vaddr + ph[i].p_memsz;
    }
    m->bytes = hi - m->low;
}

/* Base + addend: all that a program of Go's own linker needs besides libc's symbols. */
static void relocate(struct helper_elfmem *m, const char *data, const Elf64_Shdr *sh)
{
    const Elf64_Rela *rela = (const void *)(data + sh->sh_offset);

    for (size_t i = 0; i < sh->sh_size / sizeof(*rela); i++) {
        uint64_t value = (uint64_t)rela[i].r_addend + m->bias, at = rela[i].r_offset - m->low;
        uint64_t type = ELF64_R_TYPE(rela[i].r_info);

        if ((type == R_AARCH64_RELATIVE || type == R_X86_64_RELATIVE) &&
            at + sizeof(value) <= m->bytes)
            memcpy(m->memory + at, &value, sizeof(value));
    }
}

int helper_elfmem_load(struct helper_elfmem *m, const char *path, uint64_t bias)
{
    size_t bytes;
    char *data = helper_target_slurp(path, &bytes);
    const Elf64_Ehdr *eh = (const void *)data;
    const Elf64_Phdr *ph;
    const Elf64_Shdr *sh;

    *m = (struct helper_elfmem){.target = {&ops, m}, .bias = bias};
    if (!data || bytes < sizeof(*eh)) {
        free(data);
        return -ENOEXEC;
    }
    ph = (const void *)(data + eh->e_phoff);
    sh = (const void *)(data + eh->e_shoff);
    extent(m, ph, eh->e_phnum);
    m->memory = calloc(1, m->bytes);
    for (size_t i = 0; m->memory && i < eh->e_phnum; i++) {
        if (ph[i].p_type == PT_LOAD)
            memcpy(m->memory + (ph[i].p_vaddr - m->low), data + ph[i].p_offset, ph[i].p_filesz);
    }
    for (size_t i = 0; m->memory && bias != 0 && i < eh->e_shnum; i++) {
        if (sh[i].sh_type == SHT_RELA)
            relocate(m, data, &sh[i]);
    }
    free(data);
    return m->memory ? 0 : -ENOMEM;
}

void helper_elfmem_release(struct helper_elfmem *m)
{
    free(m->memory);
    m->memory = NULL;
}
