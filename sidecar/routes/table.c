/*
 * A linear search over some thirty rows by exact comparison: no decoding, no cleaning; rows of
 * what has names of its own (the history) take one more segment as it is.
 * Whatever a proxy or a client thinks two spellings have in common, here they are two paths.
 */
#include "sidecar/routes/table.h"

#include "sidecar/routes/api.h"
#include "sidecar/routes/argv.h"
#include "sidecar/routes/cpu.h"
#include "sidecar/routes/health.h"
#include "sidecar/routes/history.h"
#include "sidecar/routes/index.h"
#include "sidecar/routes/runtime.h"
#include "sidecar/routes/symbol.h"
#include "sidecar/routes/through.h"

#define PPROF         "/debug/pprof/"
#define NOT_YET(what) "this version of pillion cannot give " what " yet"

/* A profile: its path is PPROF and its name. */
#define PROFILE(n, meth, bits, fn, text)                                                        \
    {                                                                                           \
        .path = PPROF n, .name = (n), .methods = (meth), .where = ROUTE_ADMIN, .scope = (bits), \
        .handle = (fn), .about = (text)                                                         \
    }
/* One that is to come: listed with its reason when it has a text, answered with 501. */
#define ABSENT(p, n, bits, text, reason)                                                       \
    {                                                                                          \
        .path = (p), .name = (n), .methods = ROUTE_GET, .where = ROUTE_ADMIN, .scope = (bits), \
        .about = (text), .absent = NOT_YET(reason)                                             \
    }
#define PAGE(p, n, listeners, bits, fn)                                                        \
    {                                                                                          \
        .path = (p), .name = (n), .methods = ROUTE_GET, .where = (listeners), .scope = (bits), \
        .handle = (fn)                                                                         \
    }
#define PROFILE_OF_TARGET(p, n, bits, fn)                                               \
    {                                                                                   \
        .path = (p), .name = (n), .methods = ROUTE_GET, .scope = (bits), .handle = (fn) \
    }
/* All paths that begin with it and have no further slash. */
#define BENEATH(p, n, bits, fn)                                                                \
    {                                                                                          \
        .path = (p), .name = (n), .methods = ROUTE_GET, .where = ROUTE_ADMIN, .scope = (bits), \
        .handle = (fn), .beneath = true                                                        \
    }

enum {
    BOTH = ROUTE_ADMIN | ROUTE_HEALTH,
};

/* Names are the metrics' labels: each stands once. */
static const struct route rows[] = {
    PAGE(PPROF, "index", ROUTE_ADMIN, 0, index_handle),
    PAGE("/debug/pprof", "index_redirect", ROUTE_ADMIN, 0, index_to_slash),
    PAGE("/", "root", ROUTE_ADMIN, 0, index_to_slash),

    PROFILE("allocs", ROUTE_GET, CONFIG_SCOPE_HEAP, runtime_handle,
            "A sampling of all past memory allocations."),
    PROFILE("block", ROUTE_GET, CONFIG_SCOPE_CONTENTION, runtime_handle,
            "Stacks that waited for synchronization primitives."),
    PROFILE("cmdline", ROUTE_GET, CONFIG_SCOPE_CMDLINE, argv_handle,
            "The arguments the target was started with, joined by NUL."),
    PROFILE("goroutine", ROUTE_GET, CONFIG_SCOPE_GOROUTINE, runtime_handle,
            "The stacks of all current goroutines. debug=2 shows each as a panic does, "
            "labels=detail adds goid, state and creator as labels."),
    PROFILE(
        "heap", ROUTE_GET, CONFIG_SCOPE_HEAP, runtime_handle,
        "A sampling of the allocations of live objects. seconds= gives what changed meanwhile."),
    PROFILE("mutex", ROUTE_GET, CONFIG_SCOPE_CONTENTION, runtime_handle,
            "Stacks of the holders of contended mutexes."),
    ABSENT(PPROF "offcpu", "offcpu", CONFIG_SCOPE_CPU, "Where threads waited off the CPU.",
           "the off-CPU profile (offcpu)"),
    PROFILE(
        "profile", ROUTE_GET, CONFIG_SCOPE_CPU, cpu_handle,
        "CPU profile. seconds= sets how long, hz= how often; open the file with go tool pprof."),
    PROFILE("symbol", ROUTE_GET | ROUTE_POST, CONFIG_SCOPE_SYMBOL, symbol_handle,
            "Function names of program counters, given as the query or a POST body, with '+' "
            "between them."),
    PROFILE("threadcreate", ROUTE_GET, CONFIG_SCOPE_GOROUTINE, runtime_handle,
            "Stacks that led to new operating system threads."),
    {.path = PPROF "trace",
     .name = "trace",
     .methods = ROUTE_GET,
     .where = ROUTE_ADMIN,
     .scope = CONFIG_SCOPE_TRACE,
     .handle = through_trace,
     .about = "An execution trace of the target. seconds= sets how long; open the file with go "
              "tool trace.",
     .alone = "only the target itself can make an execution trace: set collect.scrape.url to its "
              "own /debug/pprof"},
    PROFILE("wall", ROUTE_GET, CONFIG_SCOPE_CPU, cpu_handle,
            "Wall-clock profile: where all threads are, waiting ones too. Needs no perf and stops "
            "nothing. seconds= sets how long, hz= how often."),

    PAGE(PPROF "delta_heap", "delta_heap", ROUTE_ADMIN, CONFIG_SCOPE_HEAP, runtime_delta_handle),
    PAGE(PPROF "delta_block", "delta_block", ROUTE_ADMIN, CONFIG_SCOPE_CONTENTION,
         runtime_delta_handle),
    PAGE(PPROF "delta_mutex", "delta_mutex", ROUTE_ADMIN, CONFIG_SCOPE_CONTENTION,
         runtime_delta_handle),
    /* met by table_custom() alone: what is in it nobody knows beforehand, so who may have it may
     * have all that profiles show */
    PROFILE_OF_TARGET(PPROF "*", "custom", CONFIG_SCOPE_SCRAPE, through_custom),
    PAGE("/debug/fgprof", "fgprof", ROUTE_ADMIN, CONFIG_SCOPE_CPU, cpu_handle),
    ABSENT("/speedscope/", "speedscope", CONFIG_SCOPE_CPU, NULL, "the flame graph page"),

    PAGE("/livez", "livez", BOTH, 0, health_live),
    PAGE("/readyz", "readyz", BOTH, 0, health_ready),
    PAGE("/metrics", "metrics", BOTH, CONFIG_SCOPE_METRICS, health_metrics),
    PAGE("/api/v1/status", "api_status", ROUTE_ADMIN, 0, api_status),
    PAGE("/api/v1/targets", "api_targets", ROUTE_ADMIN, 0, api_targets),
    PAGE("/api/v1/profiles", "api_profiles", ROUTE_ADMIN, CONFIG_SCOPE_HISTORY, history_route_list),
    PAGE("/api/v1/profiles/merge", "api_profiles_merge", ROUTE_ADMIN, CONFIG_SCOPE_HISTORY,
         history_route_merge),
    BENEATH("/api/v1/profiles/", "api_profile", CONFIG_SCOPE_HISTORY, history_route_one),
};

const struct route *table_rows(size_t *ret_count)
{
    *ret_count = sizeof(rows) / sizeof(rows[0]);
    return rows;
}

static bool lies_beneath(const struct route *row, const char *path)
{
    size_t bytes = strlen(row->path);

    return row->beneath && strncmp(path, row->path, bytes) == 0 && path[bytes] &&
           !strchr(path + bytes, '/');
}

/* A whole path before one that is only begun with. */
const struct route *table_find(const char *path, unsigned where)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((rows[i].where & where) && !rows[i].beneath && strcmp(rows[i].path, path) == 0)
            return &rows[i];
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((rows[i].where & where) && lies_beneath(&rows[i], path))
            return &rows[i];
    }
    return NULL;
}

const struct route *table_custom(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].where == 0)
            return &rows[i];
    }
    return NULL;
}
