/*
 * The text of /proc/PID/maps as the guard reads it: the paths in it are the target's choice. The
 * input: 8 bytes of an address, then lines. What is said to be in the data segment must be within a
 * line that is writable and private.
 */
#include "guard/dataseg.h"

enum {
    INPUT_MAX_BYTES = 64 * 1024,
    WORD = 8,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char text[256];
    struct mapline line;
    struct dataseg d;
    uint64_t address;

    if (bytes < sizeof(address) || bytes > INPUT_MAX_BYTES)
        return 0;
    memcpy(&address, data, sizeof(address));
    data += sizeof(address);
    bytes -= sizeof(address);
    dataseg_begin(&d, "/a", address, WORD);
    while (bytes > 0) {
        const uint8_t *end = memchr(data, '\n', bytes);
        size_t n = end ? (size_t)(end - data) : bytes;
        size_t kept = n < sizeof(text) ? n : sizeof(text) - 1;
        bool before = d.inside;

        memcpy(text, data, kept);
        text[kept] = '\0';
        if (mapline_parse(text, &line)) {
            dataseg_line(&d, &line);
            if (d.inside && !before &&
                (!line.writable || !line.private || address < line.start || line.end < line.start ||
                 line.end - address < WORD))
                abort();
        }
        n += end != NULL;
        data += n;
        bytes -= n;
    }
    return 0;
}
