/*
 * dataseg.h: is an address in the data segment of the program that runs? The only memory of a
 * target that the guard may ever write to is there: the writable private mappings of the main
 * executable's file, and the anonymous ones that follow them without a gap (.bss). Not the heap,
 * not a stack, not a library, nothing that is shared with others.
 *
 * Fed with /proc/PID/maps line by line: no ELF is parsed here.
 */
#ifndef GUARD_DATASEG_H
#define GUARD_DATASEG_H

#include "guard/mapline.h"

/*
 * Which program's memory that was. exec(2) keeps the pid and makes all of it another's: then the
 * stack is elsewhere (address space randomization), or the file or its place are others.
 */
struct dataseg_id {
    dev_t dev;
    uint64_t inode;
    uint64_t base; /* the executable's first mapping */
    uint64_t stack_end;
};

struct dataseg {
    const char *exe; /* as proc_exe() gives it */
    uint64_t address;
    uint64_t bytes;
    uint64_t chain_end; /* the next mapping belongs to the data segment if it starts here; 0: no */
    bool inside;        /* all the bytes are in one such mapping */
    struct dataseg_id id;
};

/** dataseg_begin(d, exe, address, bytes): ${exe} must outlive ${d}. */
void dataseg_begin(struct dataseg *d, const char *exe, uint64_t address, uint64_t bytes);

/** dataseg_line(d, line): the next one, in the order of the file; its path is changed. */
void dataseg_line(struct dataseg *d, struct mapline *line);

/**
 * dataseg_read(pid, address, bytes, ret): all of it for a process. 0: it is inside, and *ret says
 * whose it is; -EACCES: it is not; or the -errno of reading /proc.
 */
int dataseg_read(pid_t pid, uint64_t address, uint64_t bytes, struct dataseg_id *ret);

/** dataseg_same(a, b): the same program, started once? */
bool dataseg_same(const struct dataseg_id *a, const struct dataseg_id *b);

#endif
