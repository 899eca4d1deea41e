/*
 * log.h: one line an event on standard error, written with one write(2).
 *
 * JSON: {"time":"…","level":"info","msg":"…","program":"guard","key":value,…}; text for a
 * terminal: 15:04:05 INFO  guard: msg key=value. Never a token, a key, a body or a query goes in;
 * strings from outside may hold any bytes, they are escaped here. A line is at most
 * LOG_LINE_BYTES; what does not fit is cut and marked. The level is the one global of the
 * program.
 *
 *     log_info("child restarted", LOG_STR("child", name), LOG_U64("after_ms", ms));
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_WAIT_MS = 100, /* for room in a full pipe; then the line is dropped and counted */
    LOG_LINE_BYTES = 4096,
    LOG_VALUE_BYTES = 1024, /* longest string value shown */
};

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format {
    LOG_FORMAT_AUTO,
    LOG_FORMAT_JSON,
    LOG_FORMAT_TEXT
}; /* auto: text on a terminal */

struct log_field {
    const char *key; /* NULL: the field is left out */
    enum { LOG_KIND_STR, LOG_KIND_I64, LOG_KIND_U64, LOG_KIND_BOOL } kind;
    const char *str;
    int64_t i64;
    uint64_t u64;
};

#define LOG_STR(k, v)                                \
    {                                                \
        .key = (k), .kind = LOG_KIND_STR, .str = (v) \
    }
#define LOG_U64(k, v)                                          \
    {                                                          \
        .key = (k), .kind = LOG_KIND_U64, .u64 = (uint64_t)(v) \
    }
#define LOG_I64(k, v)                                         \
    {                                                         \
        .key = (k), .kind = LOG_KIND_I64, .i64 = (int64_t)(v) \
    }
#define LOG_BOOL(k, v)                                        \
    {                                                         \
        .key = (k), .kind = LOG_KIND_BOOL, .u64 = (v) ? 1 : 0 \
    }

/** log_setup(program, level, format): once at start; ${program} must outlive the process. */
void log_setup(const char *program, enum log_level level, enum log_format format);

/** log_level_from(name, ret): debug info warn error; -EINVAL for anything else. */
int log_level_from(const char *name, enum log_level *ret);

/** log_level_name(level): the other way round. */
const char *log_level_name(enum log_level level);

/** log_is_text(): do lines go out as text (for a person)? */
bool log_is_text(void);

/** log_write(level, msg, fields, n): what the macros below call. */
void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n);

/**
 * log_last(msg, key, value): an error line from a signal handler, before the end: without memory
 * of its own, without waiting. Both texts are ours: printable, short, nothing to escape.
 */
void log_last(const char *msg, const char *key, const char *value);

/**
 * log_write_audit(msg, fields, n): a line that goes out at every level, and as JSON unless standard
 * error is a terminal: programs read these lines.
 */
void log_write_audit(const char *msg, const struct log_field *fields, size_t n);

#define log_audit(msg, ...)                                                            \
    log_write_audit((msg), (const struct log_field[]){{.key = NULL}, ##__VA_ARGS__},   \
                    sizeof((const struct log_field[]){{.key = NULL}, ##__VA_ARGS__}) / \
                        sizeof(struct log_field))
#define log_at(level, msg, ...)                                                         \
    log_write((level), (msg), (const struct log_field[]){{.key = NULL}, ##__VA_ARGS__}, \
              sizeof((const struct log_field[]){{.key = NULL}, ##__VA_ARGS__}) /        \
                  sizeof(struct log_field))
#define log_debug(msg, ...) log_at(LOG_LEVEL_DEBUG, msg, ##__VA_ARGS__)
#define log_info(msg, ...)  log_at(LOG_LEVEL_INFO, msg, ##__VA_ARGS__)
#define log_warn(msg, ...)  log_at(LOG_LEVEL_WARN, msg, ##__VA_ARGS__)
#define log_error(msg, ...) log_at(LOG_LEVEL_ERROR, msg, ##__VA_ARGS__)

#endif
