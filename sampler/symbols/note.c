#include "sampler/symbols/note.h"

#include <elf.h>

/* `align` is 4 or 8. */
static uint64_t padded(uint64_t bytes, uint64_t align)
{
    return (bytes + align - 1) & ~(align - 1);
}

/*
 * Name and descriptor are padded, each to the area's alignment. All sums are of a value below
 * NOTE_AREA_MAX_BYTES and 32-bit ones from the file: 64 bits cannot overflow.
 */
size_t note_build_id(struct file *f, uint64_t offset, uint64_t bytes, uint64_t align,
                     unsigned char out[static NOTE_ID_MAX_BYTES])
{
    uint64_t at = 0;

    if (bytes > NOTE_AREA_MAX_BYTES)
        bytes = NOTE_AREA_MAX_BYTES;
    if (align != 8)
        align = 4;
    /* Each turn moves on by a header at least, so NOTE_AREA_MAX_BYTES bounds the turns. */
    while (bytes - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr n;
        char name[sizeof ELF_NOTE_GNU];
        uint64_t desc;

        if (offset > UINT64_MAX - at || file_read(f, offset + at, &n, sizeof n) < 0)
            return 0;
        desc = padded(at + sizeof n + n.n_namesz, align);
        if (desc > bytes || n.n_descsz > bytes - desc)
            return 0;
        if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == sizeof name && n.n_descsz > 0 &&
            n.n_descsz <= NOTE_ID_MAX_BYTES &&
            file_read(f, offset + at + sizeof n, name, sizeof name) == 0 &&
            memcmp(name, ELF_NOTE_GNU, sizeof name) == 0)
            return file_read(f, offset + desc, out, n.n_descsz) == 0 ? n.n_descsz : 0;
        at = padded(desc + n.n_descsz, align);
        if (at > bytes)
            return 0;
    }
    return 0;
}
