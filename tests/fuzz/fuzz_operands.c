/*
 * Bytes as code of both machines: nothing before the lead or behind the end is read, and what is
 * found stands within the code. The copy is as large as the code, so that ASan sees each byte more.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "sampler/go/operands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void found(void *ctx, size_t at, uint64_t address)
{
    (void)address;
    if (at >= *(const size_t *)ctx)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *code = malloc(OPERANDS_LEAD_BYTES + bytes);

    if (!code)
        return 0;
    memset(code, 0xCC, OPERANDS_LEAD_BYTES);
    if (bytes > 0)
        memcpy(code + OPERANDS_LEAD_BYTES, data, bytes);
    operands_find(EM_X86_64, code + OPERANDS_LEAD_BYTES, bytes, 0x401000, found, &bytes);
    operands_find(EM_AARCH64, code + OPERANDS_LEAD_BYTES, bytes, UINT64_MAX - 64, found, &bytes);
    free(code);
    return 0;
}
