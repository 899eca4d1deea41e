#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"

/* The one place with state of its own: what is logged, and as what (style.md allows the level). */
static struct {
    const char *program;
    enum log_level level;
    bool text;
    bool audit_text;  /* a person reads: standard error is a terminal */
    uint64_t dropped; /* lines, since nobody takes them */
} state = {"pillion", LOG_LEVEL_INFO, true, true, 0};

static const char cut_mark[] = " (cut)";
static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_setup(const char *program, enum log_level level, enum log_format format)
{
    state.program = program;
    state.level = level;
    state.audit_text = format != LOG_FORMAT_JSON && isatty(STDERR_FILENO) == 1;
    state.text = format == LOG_FORMAT_TEXT || state.audit_text;
}

int log_level_from(const char *name, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level <= LOG_LEVEL_ERROR ? level : LOG_LEVEL_ERROR];
}

bool log_is_text(void)
{
    return state.text;
}

static void text_line(struct buf *b, enum log_level level, const char *msg,
                      const struct log_field *f, size_t n)
{
    char stamp[CLOCK_STAMP_BYTES];
    char clean[LOG_VALUE_BYTES];

    (void)clock_stamp(stamp);
    stamp[19] = '\0'; /* 2026-11-21T15:04:05 */
    buf_printf(b, "%s %-5s %s: %s", stamp + 11, level_names[level], state.program, msg);
    for (size_t i = 0; i < n; i++) {
        if (!f[i].key)
            continue;
        buf_printf(b, " %s=", f[i].key);
        switch (f[i].kind) {
        case LOG_KIND_STR:
            if (f[i].str)
                buf_puts(b, err_clean(clean, sizeof(clean), f[i].str, strlen(f[i].str)));
            break;
        case LOG_KIND_I64:
            buf_printf(b, "%" PRId64, f[i].i64);
            break;
        case LOG_KIND_U64:
            buf_printf(b, "%" PRIu64, f[i].u64);
            break;
        case LOG_KIND_BOOL:
            buf_puts(b, f[i].u64 ? "true" : "false");
            break;
        default:
            break;
        }
    }
}

static void json_line(struct buf *b, enum log_level level, const char *msg,
                      const struct log_field *f, size_t n)
{
    char stamp[CLOCK_STAMP_BYTES];
    struct json j;

    json_begin(&j, b);
    json_object_begin(&j, NULL);
    json_str(&j, "time", clock_stamp(stamp));
    json_str(&j, "level", level_names[level]);
    json_str(&j, "msg", msg);
    json_str(&j, "program", state.program);
    for (size_t i = 0; i < n; i++) {
        if (!f[i].key)
            continue;
        switch (f[i].kind) {
        case LOG_KIND_STR:
            if (f[i].str)
                json_bytes(&j, f[i].key, f[i].str, strnlen(f[i].str, LOG_VALUE_BYTES));
            else
                json_str(&j, f[i].key, NULL);
            break;
        case LOG_KIND_I64:
            json_i64(&j, f[i].key, f[i].i64);
            break;
        case LOG_KIND_U64:
            json_u64(&j, f[i].key, f[i].u64);
            break;
        case LOG_KIND_BOOL:
            json_bool(&j, f[i].key, f[i].u64 != 0);
            break;
        default:
            break;
        }
    }
    json_object_end(&j);
}

/* Half a line still helps in text; half an object is no JSON, so there only the message is kept. */
static void mark_cut(struct buf *b, bool text, enum log_level level, const char *msg)
{
    static const struct log_field fields[] = {LOG_BOOL("cut", true)};

    if (text) {
        b->failed = false;
        b->max_bytes = LOG_LINE_BYTES - 1;
        buf_puts(b, cut_mark);
        return;
    }
    buf_clear(b);
    json_line(b, level, msg, fields, 1);
    if (!b->failed)
        return;
    buf_clear(b);
    buf_puts(b, "{\"level\":\"error\",\"msg\":\"a log line was too long\"}");
}

/*
 * A pipe that nobody reads must not hold us up: neither the guard, which watches, nor the sidecar,
 * which serves. Where poll(2) sees room in a pipe there is a page of it, which is a line.
 */
static bool has_room(void)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&p, 1, state.dropped ? 0 : LOG_WAIT_MS) != 0;
}

static void say_dropped(uint64_t lines)
{
    log_warn("log lines were lost: nobody took them", LOG_U64("lines", lines));
}

static void write_line(bool text, enum log_level level, const char *msg,
                       const struct log_field *fields, size_t n)
{
    uint64_t dropped;
    struct buf b;
    ssize_t w;

    buf_init(&b, LOG_LINE_BYTES - sizeof(cut_mark));
    if (text)
        text_line(&b, level, msg, fields, n);
    else
        json_line(&b, level, msg, fields, n);
    if (b.failed)
        mark_cut(&b, text, level, msg);
    b.failed = false;
    b.max_bytes = LOG_LINE_BYTES;
    buf_putc(&b, '\n');
    if (!has_room()) {
        state.dropped++;
        buf_release(&b);
        return;
    }
    dropped = state.dropped;
    state.dropped = 0;
    do {
        w = write(STDERR_FILENO, b.data, b.len); /* nowhere else to complain to */
    } while (w < 0 && errno == EINTR);
    buf_release(&b);
    if (dropped)
        say_dropped(dropped);
}

void log_last(const char *msg, const char *key, const char *value)
{
    char stamp[CLOCK_STAMP_BYTES];
    char line[LOG_VALUE_BYTES];
    int n;

    (void)clock_stamp(stamp);
    if (state.text)
        n = snprintf(line, sizeof(line), "%.8s ERROR %s: %s %s=%s\n", stamp + 11, state.program,
                     msg, key, value);
    else
        n = snprintf(line, sizeof(line),
                     "{\"time\":\"%s\",\"level\":\"error\",\"msg\":\"%s\",\"program\":\"%s\","
                     "\"%s\":\"%s\"}\n",
                     stamp, msg, state.program, key, value);
    if (n > 0 && (size_t)n < sizeof(line) && has_room())
        (void)!write(STDERR_FILENO, line, (size_t)n);
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
    if (level >= state.level)
        write_line(state.text, level, msg, fields, n);
}

void log_write_audit(const char *msg, const struct log_field *fields, size_t n)
{
    write_line(state.audit_text, LOG_LEVEL_INFO, msg, fields, n);
}
