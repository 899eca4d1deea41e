#include "sampler/symbols/image.h"

#include <errno.h>

/*
 * Mappings without an inode are anonymous memory (JIT code, stacks) or the kernel's: of those only
 * the vDSO is an ELF image. [vsyscall] is one page of three entry points that nobody calls.
 */
bool image_is_wanted(const struct maps *maps, const struct maps_row *row)
{
    return row->inode != 0 || strcmp(maps_path(maps, row), "[vdso]") == 0;
}

/* The path is no part of it: it may be renamed, deleted, cut, or another one in a container. */
bool image_matches(const struct image *i, const struct maps_row *row)
{
    return i->inode == row->inode && i->dev_major == row->dev_major &&
           i->dev_minor == row->dev_minor;
}

/* Whoever opens compares device and inode with the mapping's; here it is bytes of any kind. */
static int open_file(struct image *i, const struct target *target, const struct maps_row *row,
                     struct err *e)
{
    int fd = target->ops->open(target->ctx, row->start, row->inode);
    int rc;

    if (fd < 0)
        return err_set(e, fd, "cannot be opened: %s", strerrordesc_np(-fd));
    rc = file_open(fd, &i->file);
    if (rc < 0)
        return err_set(e, rc, "cannot be read: %s", strerrordesc_np(-rc));
    return 0;
}

/* The kernel maps the whole vDSO file, section headers and all, so memory is as good as a file. */
static int read_vdso(struct image *i, const struct target *target, const struct maps_row *row,
                     struct err *e)
{
    uint64_t bytes = row->end - row->start;
    int rc;

    if (bytes > IMAGE_VDSO_MAX_BYTES)
        bytes = IMAGE_VDSO_MAX_BYTES;
    i->own = malloc(bytes);
    if (!i->own)
        return err_set(e, -ENOMEM, "no memory for it");
    rc = target->ops->read(target->ctx, row->start, i->own, bytes);
    if (rc == 0)
        rc = file_from_bytes(i->own, bytes, &i->file);
    if (rc < 0)
        return err_set(e, rc, "cannot be read from memory: %s", strerrordesc_np(-rc));
    return 0;
}

/* Back to what image_new() began with; the key stays. */
static void close_all(struct image *i)
{
    elf_free(i->elf);
    file_free(i->file);
    free(i->own);
    i->elf = NULL;
    i->file = NULL;
    i->own = NULL;
    i->warm = false;
}

void image_retry(struct image *i, const struct target *target, const struct maps_row *row,
                 struct err *e)
{
    close_all(i);
    i->code = row->inode ? open_file(i, target, row, e) : read_vdso(i, target, row, e);
    if (i->code == 0)
        i->code = elf_open(i->file, &i->elf, e);
    if (i->code < 0) {
        close_all(i);
        return;
    }
    (void)elf_build_id(i->elf, i->build_id, sizeof i->build_id);
    /* Many files are opened and few are looked into. */
    file_trim(i->file);
}

int image_new(const struct target *target, const struct maps_row *row, struct image **ret,
              struct err *e)
{
    struct image *i = calloc(1, sizeof *i);

    if (!i)
        return err_set(e, -ENOMEM, "no memory for an image");
    i->inode = row->inode;
    i->dev_major = row->dev_major;
    i->dev_minor = row->dev_minor;
    image_retry(i, target, row, e);
    *ret = i;
    return 0;
}

void image_free(struct image *i)
{
    if (!i)
        return;
    close_all(i);
    free(i);
}

/* The descriptor and the headers stay, so the target's end or a deleted file change nothing. */
void image_trim(struct image *i)
{
    elf_trim(i->elf);
    file_trim(i->file);
    i->warm = false;
}

/*
 * Taken anew for each row: a hostile or odd file may be mapped twice, and so may a library in two
 * linker namespaces (dlmopen(3)).
 */
int image_bias(const struct image *i, const struct maps_row *row, uint64_t *ret)
{
    uint64_t vaddr;
    int rc;

    if (!i->elf)
        return i->code;
    rc = elf_offset_to_vaddr(i->elf, row->offset, &vaddr);
    if (rc < 0)
        return rc;
    *ret = row->start - vaddr;
    return 0;
}
