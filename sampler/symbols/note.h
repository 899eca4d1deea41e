/*
 * note.h: the GNU build id in an ELF note segment or section. Sources: elf(5), "Notes (Nhdr)"; the
 * Linux gABI extensions, section 2.1.8 (notes of a segment with p_align 8 are padded to 8).
 */
#ifndef SAMPLER_SYMBOLS_NOTE_H
#define SAMPLER_SYMBOLS_NOTE_H

#include "sampler/symbols/file.h"

enum {
    NOTE_AREA_MAX_BYTES = 64 * 1024, /* more of one segment is not looked at */
    NOTE_ID_MAX_BYTES = 64,          /* GNU ld writes 20 (SHA-1), some tools 8, 16 or 32 */
};

/**
 * note_build_id(f, offset, bytes, align, out): copy the id found among the notes in
 * [offset, offset + bytes). Returns its length, 0 when there is none.
 */
size_t note_build_id(struct file *f, uint64_t offset, uint64_t bytes, uint64_t align,
                     unsigned char out[static NOTE_ID_MAX_BYTES]);

#endif
