/*
 * caps.h: sets of capabilities in words. A set is 64 bits, 1 << CAP_x, as in the Cap… lines of
 * /proc/PID/status (proc(5)) and in include/uapi/linux/capability.h.
 */
#ifndef BASE_CAPS_H
#define BASE_CAPS_H

#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CAPS_TEXT_BYTES = 640, /* all of them by name */
};

#define CAPS_BIT(c) (UINT64_C(1) << (c))
#define CAPS_ALL    ((CAPS_BIT(CAP_CHECKPOINT_RESTORE) << 1) - 1) /* the last of Linux 5.9 */

/**
 * caps_text(caps, out, bytes): "PERFMON,SYS_PTRACE", the two that this project is about first, the
 * others as the kernel numbers them; "none"; "all"; what has no name here as one hexadecimal
 * number. What does not fit is left out. Returns ${out}.
 */
const char *caps_text(uint64_t caps, char *out, size_t bytes);

#endif
