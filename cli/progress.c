#include "cli/progress.h"

#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    PROGRESS_BAR = 24,         /* columns */
    PROGRESS_LINE_BYTES = 256, /* longest line drawn */
};

void progress_begin(struct progress *p, const char *what, uint64_t total_ms)
{
    *p = (struct progress){isatty(STDERR_FILENO) == 1, total_ms ? total_ms : 1, what};
}

/* A line that wraps could not be drawn over. */
/* Asked each time: windows change their size. */
static size_t columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return 79;
    return size.ws_col - 1u;
}

void progress_tick(void *data, uint64_t elapsed_ms)
{
    const struct progress *p = data;
    uint64_t done = elapsed_ms < p->total_ms ? elapsed_ms : p->total_ms;
    unsigned filled = (unsigned)(done * PROGRESS_BAR / p->total_ms);
    char line[PROGRESS_LINE_BYTES];
    size_t width = columns();

    /* scripts and CI logs get none of it */
    if (!p->shown)
        return;
    /* after the window the sampler looks up names; a bar that stands still at 100 % worries people
     */
    if (elapsed_ms < p->total_ms)
        (void)snprintf(line, sizeof(line), "[%.*s%.*s] %" PRIu64 "/%" PRIu64 " s  %s", (int)filled,
                       "########################", (int)(PROGRESS_BAR - filled),
                       "........................", done / 1000, p->total_ms / 1000, p->what);
    else
        (void)snprintf(line, sizeof(line), "[########################] finding names  %s", p->what);
    (void)fprintf(stderr, "\r\033[K%.*s", (int)(width < sizeof(line) ? width : sizeof(line)), line);
    (void)fflush(stderr);
}

void progress_end(const struct progress *p)
{
    if (p->shown)
        (void)fputs("\r\033[K", stderr);
}
