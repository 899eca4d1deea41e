/*
 * How the kernel maps a program (fs/binfmt_elf.c): its PT_LOAD segments from its file, private, and
 * what the last one has more in memory than in the file (.bss) anonymous right behind, in one or
 * more mappings as mprotect(2) has split them. What the linker wants read-only after relocation
 * (RELRO) is not writable any more when we look. The heap of brk(2) may follow without a gap, but
 * has a name, and so has what Go 1.25 and newer map (prctl(2), PR_SET_VMA_ANON_NAME).
 */
#include "guard/dataseg.h"

#include <errno.h>

#include "wire/wire.h"

void dataseg_begin(struct dataseg *d, const char *exe, uint64_t address, uint64_t bytes)
{
    *d = (struct dataseg){.exe = exe, .address = address, .bytes = bytes};
}

/* The name alone could be another file's by now; that of the first mapping decides for all. */
static bool is_exe(struct dataseg *d, const struct mapline *line)
{
    if (line->path[0] != '/' || strcmp(line->path, d->exe) != 0)
        return false;
    if (d->id.base == 0) {
        d->id.base = line->start;
        d->id.dev = line->dev;
        d->id.inode = line->inode;
    }
    return line->dev == d->id.dev && line->inode == d->id.inode;
}

/* A name would make it somebody's: [heap], [anon: Go: …]. */
static bool is_bss(const struct dataseg *d, const struct mapline *line)
{
    return d->chain_end != 0 && line->start == d->chain_end && line->inode == 0 &&
           line->path[0] == '\0';
}

void dataseg_line(struct dataseg *d, struct mapline *line)
{
    bool ours;

    /* its end is fixed at exec(2), its start moves as it grows */
    if (strcmp(line->path, "[stack]") == 0)
        d->id.stack_end = line->end;
    (void)mapline_unescape(line->path);
    ours = (is_exe(d, line) || is_bss(d, line)) && line->writable && line->private;
    /* anything else ends the chain: what lies behind it is not .bss */
    d->chain_end = ours ? line->end : 0;
    if (ours && d->address >= line->start && d->address < line->end &&
        line->end - d->address >= d->bytes)
        d->inside = true;
}

int dataseg_read(pid_t pid, uint64_t address, uint64_t bytes, struct dataseg_id *ret)
{
    char exe[PROC_PATH_BYTES];
    char path[64];
    struct mapline row;
    struct dataseg d;
    char *line = NULL;
    size_t cap = 0;
    size_t total = 0;
    ssize_t n;
    FILE *f;
    int r = proc_exe(pid, exe, sizeof(exe));

    if (r)
        return r;
    (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return -errno;
    dataseg_begin(&d, exe, address, bytes);
    /* to the end: the stack stands there */
    while (total < WIRE_MAPS_MAX_BYTES && (n = getline(&line, &cap, f)) > 0) {
        total += (size_t)n;
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        if (mapline_parse(line, &row))
            dataseg_line(&d, &row);
        else
            d.chain_end = 0; /* not understood, so not trusted to be no gap */
    }
    free(line);
    (void)fclose(f);
    if (!d.inside)
        return -EACCES;
    *ret = d.id;
    return 0;
}

/* Without address space randomization two runs of one program look the same: then the value that
 * stands there is all that tells them apart, and the caller compares that too. */
bool dataseg_same(const struct dataseg_id *a, const struct dataseg_id *b)
{
    return a->dev == b->dev && a->inode == b->inode && a->base == b->base &&
           a->stack_end == b->stack_end;
}
