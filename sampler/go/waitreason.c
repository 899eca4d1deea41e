#include "sampler/go/waitreason.h"

#include <errno.h>
#include <string.h>

enum {
    STRING_BYTES = 16, /* a string: pointer and length */
    REASONS_MIN = 8,   /* fewer is not the array */
};

/* The first with words, in every version since there is such an array. */
static const char first[] = "GC assist marking";

/*
 * How many strings of the array have a length that a reason may have. What lies behind the array
 * may look like more of them: nobody has a number for those, so they do no harm. Only the first has
 * no words.
 */
static uint32_t plausible(const uint8_t *array, uint32_t count, struct target_range *ranges,
                          struct waitreasons *w)
{
    uint32_t n = 0;

    for (; n < count; n++) {
        uint64_t pointer, bytes;

        memcpy(&pointer, array + (size_t)n * STRING_BYTES, sizeof(pointer));
        memcpy(&bytes, array + (size_t)n * STRING_BYTES + sizeof(pointer), sizeof(bytes));
        if (bytes >= WAITREASON_BYTES || (bytes == 0) != (n == 0))
            break;
        ranges[n] = (struct target_range){pointer, w->text[n], (uint32_t)bytes, 0};
    }
    return n;
}

static bool is_printable(const char *text, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        if (text[i] < ' ' || text[i] > '~')
            return false;
    }
    return true;
}

int waitreason_read(const struct target *target, uint64_t address, struct waitreasons *ret)
{
    uint8_t array[WAITREASON_MAX * STRING_BYTES];
    struct target_range ranges[WAITREASON_MAX], whole = {address, array, sizeof(array), 0};
    uint32_t count, n;
    int r;

    memset(ret, 0, sizeof(*ret));
    /* The array may be followed by anything, also by nothing: what can be read of it counts. */
    r = target->ops->readv(target->ctx, &whole, 1);
    if (r != 0)
        return r;
    count = plausible(array, whole.got / STRING_BYTES, ranges, ret);
    if (count < REASONS_MIN)
        return -EBADMSG; /* other strings, or other things */
    /* [0] has no bytes to read */
    r = target->ops->readv(target->ctx, ranges + 1, count - 1);
    if (r != 0)
        return r;
    for (n = 1; n < count; n++) {
        if (ranges[n].got != ranges[n].bytes || !is_printable(ret->text[n], ranges[n].bytes))
            break;
    }
    if (n < REASONS_MIN || strcmp(ret->text[1], first) != 0)
        return -EBADMSG;
    ret->count = n;
    return 0;
}

bool waitreason_is(const struct target *target, uint64_t address)
{
    struct waitreasons w;

    return waitreason_read(target, address, &w) == 0;
}
