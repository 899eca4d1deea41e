/*
 * What stands in a perf ring, as the sampler reads it. First byte: bit 0 chooses the ring (else one
 * record); the rest is 8-byte aligned by copying. A ring input begins with data_head. Seeds are
 * records of real sessions (x86-64, registers bp sp ip r14, 256 bytes of stack).
 */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/perf_event.h>

#include "sampler/perf/ring.h"
#include "sampler/perf/weigh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct record_shape shape = {.regs = 1 << 6 | 1 << 7 | 1 << 8 | 1 << 22};

struct sum {
    struct weigh *weigh;
    uint64_t bytes;
};

/* Touch everything the record points to. */
static int each(void *ctx, const struct record *rec)
{
    struct sum *s = ctx;
    uint64_t weight;

    for (uint32_t i = 0; i < rec->chain_count; i++)
        s->bytes += rec->chain[i];
    for (uint32_t i = 0; i < rec->stack_bytes; i++)
        s->bytes += rec->stack[i];
    if (rec->kind == RECORD_SAMPLE)
        (void)weigh_sample(s->weigh, rec, &weight);
    else if (rec->kind == RECORD_EXIT)
        weigh_exit(s->weigh, rec->tid, rec->time_ns);
    return 0;
}

static void one_record(const uint8_t *data, size_t size, struct sum *s)
{
    uint64_t *copy = malloc(size + 8); /* exactly as long as it says, for the sanitizer */
    struct record rec;

    if (!copy)
        return;
    memcpy(copy, data, size);
    if (record_parse(copy, size, &shape, &rec) == 0)
        (void)each(s, &rec);
    free(copy);
}

static void whole_ring(const uint8_t *data, size_t size, struct sum *s)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = memfd_create("ring", MFD_CLOEXEC);
    struct perf_event_mmap_page *control;
    struct ring *ring;
    uint64_t head, bad = 0;

    if (fd < 0 || size < sizeof(head) || ftruncate(fd, (off_t)(3 * page)) != 0)
        goto out;
    control = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED)
        goto out;
    memcpy(&head, data, sizeof(head));
    data += sizeof(head);
    size -= sizeof(head);
    for (size_t at = 0; size > 0 && at < 2 * page; at += size) /* fill it by repeating */
        memcpy((uint8_t *)control + page + at, data, at + size > 2 * page ? 2 * page - at : size);
    if (ring_open(fd, 2, &ring) == 0) {
        fd = -1;
        for (int i = 0; i < 4; i++) { /* goes on where it stood, over the end of the ring too */
            control->data_head = head * (uint64_t)(i + 1);
            (void)ring_read(ring, &shape, each, s, 64, &bad);
        }
        ring_free(ring);
    } else {
        fd = -1;
    }
    (void)munmap(control, 3 * page);
out:
    if (fd >= 0)
        (void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_event event = {.id = 1, .tid = 1, .first_period_ns = 1000000};
    struct sum s = {0};

    if (size < 1 || weigh_new(10000000, 16, &s.weigh) != 0)
        return 0;
    (void)weigh_add(s.weigh, &event, 0);
    if (data[0] & 1)
        whole_ring(data + 1, size - 1, &s);
    else
        one_record(data + 1, size - 1, &s);
    weigh_free(s.weigh);
    return 0;
}
