/*
 * image.h: one file (or the vDSO) that is mapped into the target: opened once, known by its device
 * and inode, also where several processes map it. Its descriptor stays open, so the inode cannot be
 * given to another file meanwhile.
 */
#ifndef SAMPLER_SYMBOLS_IMAGE_H
#define SAMPLER_SYMBOLS_IMAGE_H

#include "sampler/symbols/elf.h"
#include "sampler/symbols/maps.h"
#include "sampler/symbols/target.h"

enum {
    IMAGE_VDSO_MAX_BYTES = 64 * 1024, /* x86-64 has 8 KiB, AArch64 as much */
};

struct image {
    uint64_t inode; /* 0: the vDSO */
    uint32_t dev_major, dev_minor;
    int code;           /* 0: open; else the -errno that opening it ended with */
    uint32_t users;     /* spaces that have it (space.h) */
    uint64_t used;      /* when its symbols were last wanted */
    bool warm;          /* they were since the last trim: its file's cache may be full */
    struct file *file;  /* NULL unless open */
    struct elf *elf;    /* NULL unless open */
    unsigned char *own; /* the vDSO's bytes */
    char build_id[2 * ELF_BUILD_ID_MAX_BYTES + 1];
};

/** image_is_wanted(maps, row): is there an image in this row: a file, or the vDSO? */
bool image_is_wanted(const struct maps *maps, const struct maps_row *row);

/** image_matches(i, row): is it this row's image? */
bool image_matches(const struct image *i, const struct maps_row *row);

/**
 * image_new(target, row, ret, e): open the row's file, or read the vDSO from memory. 0 also when
 * that failed: then (*ret)->code and ${e} tell. -ENOMEM: there is no object at all.
 */
int image_new(const struct target *target, const struct maps_row *row, struct image **ret,
              struct err *e);

/** image_retry(i, target, row, e): open again what had failed. */
void image_retry(struct image *i, const struct target *target, const struct maps_row *row,
                 struct err *e);

void image_free(struct image *i);

/** image_trim(i): give caches and symbols back. */
void image_trim(struct image *i);

/** image_bias(i, row, ret): address in memory minus address in the file. -EFAULT, i->code. */
int image_bias(const struct image *i, const struct maps_row *row, uint64_t *ret);

#endif
