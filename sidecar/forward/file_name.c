#include "sidecar/forward/file_name.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

enum {
    STAMP_BYTES = 24,
    MS_PER_SEC = 1000,
};

/* A service's name comes from the configuration or is the target's: neither may leave the folder.
 */
static void clean(const char *text, char *ret)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t i;

    for (i = 0; i < FILE_NAME_PART_BYTES - 1 && text[i]; i++)
        ret[i] = strchr(good, text[i]) ? text[i] : '_';
    ret[i] = '\0';
    if (ret[0] == '.' || !ret[0])
        ret[0] = '_';
    if (i == 0)
        ret[1] = '\0';
}

static void stamp(const struct item *item, struct tm *ret_tm, char *ret, size_t bytes)
{
    uint64_t ns = item->time_ns > 0 ? (uint64_t)item->time_ns : 0;
    time_t seconds = (time_t)(ns / CLOCK_NS_PER_SEC);
    char text[STAMP_BYTES];

    memset(ret_tm, 0, sizeof(*ret_tm));
    (void)gmtime_r(&seconds, ret_tm);
    if (strftime(text, sizeof(text), "%Y%m%dT%H%M%S", ret_tm) == 0)
        text[0] = '\0';
    (void)snprintf(ret, bytes, "%s.%03uZ", text, (unsigned)(ns / CLOCK_NS_PER_MS % MS_PER_SEC));
}

void file_name_flat(const struct item *item, const char *service, char ret[static FILE_NAME_BYTES])
{
    char who[FILE_NAME_PART_BYTES], when[STAMP_BYTES + 8];
    struct tm tm;

    clean(service, who);
    stamp(item, &tm, when, sizeof(when));
    (void)snprintf(ret, FILE_NAME_BYTES, "%s-%s-%s-%s.pb.gz", when, who, item->type, item->id);
}

void file_name_deep(const struct item *item, const char *service, char ret[static FILE_NAME_BYTES])
{
    char who[FILE_NAME_PART_BYTES], when[STAMP_BYTES + 8];
    struct tm tm;

    clean(service, who);
    stamp(item, &tm, when, sizeof(when));
    (void)snprintf(ret, FILE_NAME_BYTES, "%s/%s/%04d/%02d/%02d/%s-%s.pb.gz", who, item->type,
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, when, item->id);
}
