/*
 * num.h: strict numbers, durations and sizes from text. The whole text must be the number: no
 * spaces, no sign, no rest, no overflow. 0, or -EINVAL (not a number),
 * -ERANGE (too large); *ret is set only on success.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

/** num_u64(s, bytes, base, max, ret): base 10 or 16 (digits only, no 0x); at most ${max}. */
int num_u64(const char *s, size_t bytes, unsigned base, uint64_t max, uint64_t *ret);

/**
 * num_any(s, bytes, max, ret): as strconv.ParseUint(s, 0, 64) reads it for the symbol endpoint:
 * 0x.., 0o.., 0b.., 0.. (octal) or decimal.
 */
int num_any(const char *s, size_t bytes, uint64_t max, uint64_t *ret);

/**
 * num_duration_ms(s, bytes, max_ms, ret_ms): 500ms, 10s, 5m, 24h, 30d, also a bare 0; whole numbers
 * only, one unit.
 */
int num_duration_ms(const char *s, size_t bytes, uint64_t max_ms, uint64_t *ret_ms);

/** num_size_bytes(s, bytes, max, ret): 512 (bytes), 64KiB, 256MiB, 1GiB. */
int num_size_bytes(const char *s, size_t bytes, uint64_t max, uint64_t *ret);

#endif
