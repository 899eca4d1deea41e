/*
 * A program without a C library that runs for ever in outer() -> middle() -> leaf(): the base that
 * forge.py puts hostile tables into. It lies at fixed addresses and reserves room for Go's tables,
 * so that forge.py writes the very bytes that stand in memory.
 */
#define ROOM __attribute__((used, aligned(64)))
#ifndef PCLNTAB_BYTES /* small ones are seeds for fuzzing */
#    define PCLNTAB_BYTES (12 * 1024 * 1024)
#    define OTHER_BYTES   (32 * 1024)
#endif

ROOM __attribute__((section(".go.buildinfo"))) char room_buildinfo[OTHER_BYTES] = {1};
ROOM __attribute__((section(".gopclntab"))) const char room_pclntab[PCLNTAB_BYTES] = {1};
ROOM __attribute__((section(".moduledata"))) char room_moduledata[4096] = {1};
ROOM __attribute__((section(".inltree"))) const char room_inltree[OTHER_BYTES] = {1};

static volatile unsigned long counter;

__attribute__((noinline)) void leaf(void)
{
    for (int i = 0; i < 100000; i++)
        counter++;
}

__attribute__((noinline)) void middle(void)
{
    leaf();
    counter++;
}

__attribute__((noinline)) void outer(void)
{
    middle();
    counter++;
}

void _start(void);
void _start(void)
{
    /* what tables say about R14 is to be believed of Go code only: here it points nowhere */
    __asm__ volatile("movq $0x4141414141414140, %%r14" ::: "r14");
    for (;;)
        outer();
}
