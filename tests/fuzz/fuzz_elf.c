/*
 * fuzz_elf.c: any bytes as an ELF file: everything that sampler/symbols asks of one.
 */
#include "sampler/symbols/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void ask_addresses(struct elf *e, uint64_t address)
{
    uint64_t offset, left, vaddr, into;
    unsigned char some[64];
    char name[128];

    if (elf_vaddr_to_offset(e, address, &offset, &left) == 0 && left == 0)
        abort();
    (void)elf_offset_to_vaddr(e, address, &vaddr);
    (void)elf_read(e, address, some, sizeof some);
    if (elf_symbol(e, address, name, sizeof name, &into) == 0 &&
        (name[0] == '\0' || into > address || strlen(name) >= sizeof name))
        abort();
}

static void ask_everything(struct elf *e)
{
    const struct elf_segment *segments;
    struct elf_section section;
    char id[2 * ELF_BUILD_ID_MAX_BYTES + 1];
    size_t count = elf_segments(e, &segments);

    if (count == 0 || count > ELF_SEGMENTS_MAX)
        abort();
    if (elf_build_id(e, id, sizeof id) != strlen(id))
        abort();
    (void)elf_section_find(e, ".gopclntab", &section);
    (void)elf_section_find(e, "", &section);
    (void)elf_is_program(e);
    for (size_t i = 0; i < count; i++) {
        ask_addresses(e, segments[i].vaddr);
        ask_addresses(e, segments[i].vaddr + segments[i].filesz / 2);
        ask_addresses(e, segments[i].vaddr + segments[i].memsz);
        ask_addresses(e, segments[i].offset);
    }
    ask_addresses(e, 0x1108);
    ask_addresses(e, 0);
    ask_addresses(e, UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct file *file;
    struct elf *elf;
    struct err e = {0};

    if (file_from_bytes(data, bytes, &file) < 0)
        return 0;
    if (elf_open(file, &elf, &e) == 0) {
        ask_everything(elf);
        elf_trim(elf);
        ask_addresses(elf, 0x1108);
        elf_free(elf);
    } else if (e.code == 0 || e.text[0] == '\0') {
        abort();
    }
    file_free(file);
    return 0;
}
