/*
 * Whole ELF files: which Go made them? Then the text of the version alone. Seeds:
 * tests/unit/helper_goelf.c's file with several versions.
 */
#include "sampler/go/buildinfo.h"

enum {
    INPUT_MAX_BYTES = 1 << 20,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char version[BUILDINFO_VERSION_BYTES];
    struct file *f;
    struct elf *e;

    if (bytes > INPUT_MAX_BYTES || file_from_bytes(data, bytes, &f) != 0)
        return 0;
    if (elf_open(f, &e, NULL) == 0) {
        if (buildinfo_version(e, version) == 0)
            (void)buildinfo_minor(version);
        elf_free(e);
    }
    file_free(f);
    if (bytes < sizeof(version)) {
        memcpy(version, data, bytes);
        version[bytes] = '\0';
        (void)buildinfo_minor(version);
    }
    return 0;
}
