#include "sampler/symbols/file.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Why a cache at all: the readers of pclntab and of symbol names want a few bytes here and there, a
 * system call each would be most of their time. Why no mmap(2): a page of a file that was truncated
 * since is a SIGBUS, and the target may truncate its files when it likes.
 *
 * A block that came back short keeps its length: what is beyond it is -EFAULT until the cache is
 * trimmed, whatever st_size said. st_size is only what file_bytes() tells; no read trusts it.
 */
struct block {
    uint64_t number; /* offset / FILE_BLOCK_BYTES */
    uint64_t used;   /* the file's clock when it was last wanted: least recently used goes first */
    uint32_t valid;  /* bytes that pread(2) delivered */
    unsigned char *data;
};

struct file {
    int fd;                    /* -1: from_bytes */
    const unsigned char *data; /* from_bytes only */
    uint64_t bytes;
    uint64_t clock;
    uint32_t count; /* blocks in use */
    uint32_t last;  /* the block wanted last: most reads stay in it */
    struct block blocks[FILE_CACHE_BLOCKS];
};

int file_open(int fd, struct file **ret)
{
    struct file *f;
    struct stat st;
    int rc;

    if (fd < 0)
        return -EBADF;
    if (fstat(fd, &st) != 0) {
        rc = -errno;
        close(fd);
        return rc;
    }
    /* A FIFO could block us for ever; the guard passes none, but that is its promise, not ours. */
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    f = calloc(1, sizeof *f);
    if (!f) {
        close(fd);
        return -ENOMEM;
    }
    f->fd = fd;
    f->bytes = st.st_size < 0 ? 0 : (uint64_t)st.st_size;
    *ret = f;
    return 0;
}

int file_from_bytes(const void *data, size_t bytes, struct file **ret)
{
    struct file *f = calloc(1, sizeof *f);

    if (!f)
        return -ENOMEM;
    f->fd = -1;
    f->data = data;
    f->bytes = bytes;
    *ret = f;
    return 0;
}

void file_trim(struct file *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; i < f->count; i++)
        free(f->blocks[i].data);
    f->count = 0;
    f->last = 0;
}

void file_free(struct file *f)
{
    if (!f)
        return;
    file_trim(f);
    if (f->fd >= 0)
        close(f->fd);
    free(f);
}

uint64_t file_bytes(const struct file *f)
{
    return f->bytes;
}

/*
 * As many of `bytes` as there are; -EIO for a real error. Which errno it was is of no use above: a
 * network file system may say anything, and nothing would be done differently.
 */
static ssize_t read_at(const struct file *f, uint64_t offset, void *out, size_t bytes)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t n = pread(f->fd, (char *)out + done, bytes - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -EIO;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* A block to fill: a new one while there is room, else the one that was not wanted for longest. */
static struct block *block_victim(struct file *f)
{
    struct block *oldest = &f->blocks[0];

    if (f->count < FILE_CACHE_BLOCKS) {
        struct block *fresh = &f->blocks[f->count];

        fresh->data = malloc(FILE_BLOCK_BYTES);
        if (fresh->data) {
            f->count++;
            return fresh;
        }
    }
    if (f->count == 0)
        return NULL;
    for (uint32_t i = 1; i < f->count; i++)
        if (f->blocks[i].used < oldest->used)
            oldest = &f->blocks[i];
    return oldest;
}

/* NULL: *ret_code says why. */
static struct block *block_get(struct file *f, uint64_t number, int *ret_code)
{
    struct block *b;
    ssize_t n;

    f->clock++;
    if (f->last < f->count && f->blocks[f->last].number == number) {
        f->blocks[f->last].used = f->clock;
        return &f->blocks[f->last];
    }
    for (uint32_t i = 0; i < f->count; i++)
        if (f->blocks[i].number == number) {
            f->last = i;
            f->blocks[i].used = f->clock;
            return &f->blocks[i];
        }
    b = block_victim(f);
    if (!b) {
        *ret_code = -ENOMEM;
        return NULL;
    }
    /* Nothing may find the old content under this number if the read fails. */
    b->number = UINT64_MAX;
    b->used = 0;
    n = read_at(f, number * FILE_BLOCK_BYTES, b->data, FILE_BLOCK_BYTES);
    if (n < 0) {
        *ret_code = (int)n;
        return NULL;
    }
    *b = (struct block){.number = number, .used = f->clock, .valid = (uint32_t)n, .data = b->data};
    f->last = (uint32_t)(b - f->blocks);
    return b;
}

/* What is at hand at `offset`: a pointer and how many bytes; -EFAULT when there is nothing. */
static int peek(struct file *f, uint64_t offset, const unsigned char **ret, size_t *ret_bytes)
{
    uint32_t within = (uint32_t)(offset % FILE_BLOCK_BYTES);
    struct block *b;
    int code = -EIO;

    if (f->fd < 0) {
        if (offset >= f->bytes)
            return -EFAULT;
        *ret = f->data + offset;
        *ret_bytes = (size_t)(f->bytes - offset);
        return 0;
    }
    if (offset > INT64_MAX - FILE_BLOCK_BYTES)
        return -EFAULT; /* off_t is signed */
    b = block_get(f, offset / FILE_BLOCK_BYTES, &code);
    if (!b)
        return code < 0 ? code : -EIO;
    if (within >= b->valid)
        return -EFAULT;
    *ret = b->data + within;
    *ret_bytes = b->valid - within;
    return 0;
}

/* Whole blocks go past the cache: a table of megabytes would only push everything else out. */
static bool is_bulk(const struct file *f, uint64_t offset, size_t bytes)
{
    return f->fd >= 0 && bytes >= FILE_BLOCK_BYTES && offset <= INT64_MAX - bytes;
}

/* A failure half-way leaves the first part in `out`; nobody looks at it then. */
int file_read(struct file *f, uint64_t offset, void *out, size_t bytes)
{
    unsigned char *to = out;

    if (offset > UINT64_MAX - bytes)
        return -EFAULT;
    if (is_bulk(f, offset, bytes)) {
        ssize_t n = read_at(f, offset, out, bytes);

        if (n < 0)
            return (int)n;
        return (size_t)n == bytes ? 0 : -EFAULT;
    }
    while (bytes > 0) {
        const unsigned char *from;
        size_t have;
        int rc = peek(f, offset, &from, &have);

        if (rc < 0)
            return rc;
        if (have > bytes)
            have = bytes;
        memcpy(to, from, have);
        to += have;
        offset += have;
        bytes -= have;
    }
    return 0;
}

/*
 * Block by block: a name may lie across two blocks, and its length is not known before. The bounds
 * are applied before the search, so that a file of one endless string costs FILE_STRING_MAX_BYTES.
 */
int file_string(struct file *f, uint64_t offset, uint64_t limit, char *out, size_t out_bytes)
{
    size_t len = 0, copied = 0;
    bool ended = false;

    while (!ended && len < FILE_STRING_MAX_BYTES) {
        const unsigned char *from, *nul;
        size_t have;
        int rc;

        if (offset >= limit)
            return -EFAULT;
        rc = peek(f, offset, &from, &have);
        if (rc < 0)
            return rc;
        if (have > limit - offset)
            have = (size_t)(limit - offset);
        if (have > FILE_STRING_MAX_BYTES - len)
            have = FILE_STRING_MAX_BYTES - len;
        nul = memchr(from, 0, have);
        if (nul) {
            have = (size_t)(nul - from);
            ended = true;
        }
        if (copied + 1 < out_bytes) {
            size_t n = have < out_bytes - 1 - copied ? have : out_bytes - 1 - copied;

            memcpy(out + copied, from, n);
            copied += n;
        }
        len += have;
        offset += have;
    }
    if (out_bytes > 0)
        out[copied] = '\0';
    return (int)len;
}
