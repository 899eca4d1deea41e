#include "sampler/go/buildinfo.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>

#include "sampler/go/elfscan.h"

/*
 * The blob: 14 bytes of magic, pointer size, flags, then (flag bit 1, since Go 1.18) at 32 two
 * strings with varint lengths: the version, and the modules, which nobody here wants. Before
 * Go 1.18 there were pointers to Go strings instead.
 */
enum {
    BLOB_ALIGN = 16,
    BLOB_HEADER_BYTES = 32,
    BLOB_MAGIC_BYTES = 14,
    BLOB_FLAGS_AT = 15,
    BLOB_FLAG_INLINE = 2,  /* since Go 1.18: varint length and text follow the header */
    BLOB_VARINT_BYTES = 2, /* of a length below 16384; real ones take one */
    MINOR_MAX = 999,
};

static const char blob_magic[BLOB_MAGIC_BYTES] = "\xff Go buildinf:";

/* What the looks at possible blobs said so far. */
struct found {
    struct file *file;
    char version[BUILDINFO_VERSION_BYTES];
    unsigned candidates;
    bool old; /* a blob from before Go 1.18 was seen */
};

/* The version text that follows a header at file ${offset}. 0 or -EBADMSG. */
static int take_version(struct file *f, uint64_t offset, char *out)
{
    char text[BUILDINFO_VERSION_BYTES];
    unsigned char b[BLOB_VARINT_BYTES] = {0};
    uint64_t at = offset + BLOB_HEADER_BYTES;
    size_t bytes;

    if (file_read(f, at, b, sizeof(b)) != 0)
        return -EBADMSG;
    bytes = b[0];
    at++;
    if (b[0] & 0x80) {
        if (b[1] & 0x80)
            return -EBADMSG;
        bytes = (size_t)(b[0] & 0x7f) | (size_t)b[1] << 7;
        at++;
    }
    if (bytes > sizeof(text) - 1)
        bytes = sizeof(text) - 1;
    if (bytes == 0 || file_read(f, at, text, bytes) != 0)
        return -EBADMSG;
    (void)err_clean(out, BUILDINFO_VERSION_BYTES, text, bytes);
    return strstr(out, "go") || strncmp(out, "devel", 5) == 0 ? 0 : -EBADMSG;
}

/* elfscan's question: is this record a blob, and does it tell a version? */
static int blob_match(void *ctx, uint64_t vaddr, uint64_t offset, const unsigned char *record)
{
    struct found *found = ctx;

    (void)vaddr;
    if (memcmp(record, blob_magic, sizeof(blob_magic)) != 0)
        return 0;
    if (found->candidates == BUILDINFO_CANDIDATES_MAX)
        return -ENOENT;
    found->candidates++;
    if ((record[BLOB_FLAGS_AT] & BLOB_FLAG_INLINE) == 0) {
        found->old = true;
        return 0;
    }
    return take_version(found->file, offset, found->version) == 0;
}

int buildinfo_version(const struct elf *e, char out[static BUILDINFO_VERSION_BYTES])
{
    struct found found = {.file = elf_file(e)};
    struct elfscan scan = {.flags_mask = PF_W | PF_X,
                           .flags = PF_W,
                           .step = BLOB_ALIGN,
                           .record_bytes = BLOB_HEADER_BYTES,
                           .match = blob_match,
                           .ctx = &found};
    unsigned char header[BLOB_HEADER_BYTES];
    struct elf_section section;
    int r;

    if (elf_section_find(e, ".go.buildinfo", &section) == 0 &&
        file_read(found.file, section.offset, header, sizeof(header)) == 0 &&
        blob_match(&found, section.address, section.offset, header) == 1) {
        memcpy(out, found.version, sizeof(found.version));
        return 0;
    }
    /* The linker puts it into the first data segment; an external one may put it into a read-only
     * one. Never look among code: debug/buildinfo itself holds the magic. */
    r = elfscan_run(e, &scan);
    if (r == -ENOENT) {
        scan.flags = 0;
        r = elfscan_run(e, &scan);
    }
    if (r == 0)
        memcpy(out, found.version, sizeof(found.version));
    return r == -ENOENT && found.old ? -ENOTSUP : r;
}

/* "go1.N" at the beginning or after a space ("devel go1.N-…"): "xgo1.22" is somebody's joke. */
int buildinfo_minor(const char *version)
{
    const char *p = strstr(version, "go1.");
    int minor = 0;

    if (!p || (p != version && p[-1] != ' ') || !isdigit((unsigned char)p[4]))
        return -1;
    for (p += 4; isdigit((unsigned char)*p); p++) {
        minor = minor * 10 + (*p - '0');
        if (minor > MINOR_MAX)
            return -1;
    }
    return minor;
}
