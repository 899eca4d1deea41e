/*
 * elfscan.h: look for a bit pattern in the loadable segments' file content: what finds Go's tables
 * when section headers are gone. Read in large pieces, nothing is kept.
 */
#ifndef SAMPLER_GO_ELFSCAN_H
#define SAMPLER_GO_ELFSCAN_H

#include "sampler/symbols/elf.h"

enum {
    ELFSCAN_PIECE_BYTES = 256 * 1024,
    ELFSCAN_RECORD_MAX_BYTES = 1024,
    ELFSCAN_MAX_BYTES = 1024 * 1024 * 1024, /* of one scan; a larger file is not searched further */
};

/* What to look for. The segments are taken in the order of the program headers. */
struct elfscan {
    uint32_t flags_mask, flags; /* only segments with (p_flags & mask) == flags */
    size_t step;                /* look at addresses that are multiples of this power of two */
    size_t record_bytes;        /* so many bytes are at hand for match() */
    /* 1: this is it, the scan ends; 0: go on; -errno: the scan ends. ${offset} is the file's. */
    int (*match)(void *ctx, uint64_t vaddr, uint64_t offset, const unsigned char *record);
    void *ctx;
};

/**
 * elfscan_run(e, what): call match() for each aligned address whose record lies within the file
 * content of one segment. 0 found, -ENOENT, -EINVAL (record_bytes), -ENOMEM, or what match() said.
 */
int elfscan_run(const struct elf *e, const struct elfscan *what);

#endif
