/*
 * pump CONFIG RATE COUNT PPROF...: put profiles into the store and send them on, as the sidecar
 * does, without sampler and network side: what do keeping and forwarding cost? RATE a second (0: as
 * fast as they go, PUMP_WAITING_MAX in the spool), COUNT in all, the files in turns, each time with
 * a new id. Prints one JSON object. COUNT 0: only open the store and say how long that took.
 *
 * CPU time is this process's own; whoever receives is another one.
 */
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "profile/gzip.h"
#include "profile/profile.h"
#include "sidecar/forward/forward.h"
#include "sidecar/store/store.h"

enum {
    PUMP_FILES_MAX = 8,
    PUMP_WAITING_MAX = 64,
    PUMP_TICK_MS = 20,
    PUMP_RSS_MAX = 64, /* readings, evenly over the profiles */
    PUMP_END_MS = 30000,
};

struct file {
    char type[ITEM_TYPE_BYTES];
    struct buf raw;
    int64_t time_ns, duration_ns; /* its own, as collect/refine.c has it */
};

struct pump {
    uv_loop_t loop;
    uv_timer_t tick;
    struct store *store;
    struct forward *forward;
    struct file files[PUMP_FILES_MAX];
    size_t files_count;
    uint64_t rate, count;
    uint64_t put, accepted, refused, busy;
    uint64_t began_ns, put_ended_ns;
    uint64_t rss_kib[PUMP_RSS_MAX];
    size_t rss_count;
};

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "pump: %s: %s\n", what, why);
    exit(1);
}

/* tests/…/cpu.pb.gz: the type is the name up to the first dot. */
static void read_file(const char *path, struct file *ret)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    FILE *f = fopen(path, "r");
    struct profile *p = NULL;
    struct err e = {0};
    char chunk[65536];
    struct buf in;
    size_t n;

    if (!f)
        die(path, strerror(errno));
    buf_init(&in, ITEM_RAW_MAX_BYTES);
    buf_init(&ret->raw, ITEM_RAW_MAX_BYTES);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        buf_put(&in, chunk, n);
    (void)fclose(f);
    if (gzip_unpack(in.data, in.len, &ret->raw, &e) != 0)
        die(path, e.text);
    buf_release(&in);
    if (profile_decode(ret->raw.data, ret->raw.len, &p, &e) != 0)
        die(path, e.text);
    ret->time_ns = profile_time_ns(p);
    ret->duration_ns = profile_duration_ns(p);
    profile_free(p);
    (void)snprintf(ret->type, sizeof(ret->type), "%.*s", (int)strcspn(name, "."), name);
}

static uint64_t rss_kib(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f && fscanf(f, "%*u %lu", &pages) != 1) /* NOLINT(cert-err34-c): a bench's own reading */
        pages = 0;
    if (f)
        (void)fclose(f);
    return pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

static void accepted(void *data, int result, const char *why)
{
    struct pump *p = data;

    (void)why;
    p->accepted += result == 0;
    p->refused += result != 0;
    if (p->accepted * PUMP_RSS_MAX / p->count > p->rss_count && p->rss_count < PUMP_RSS_MAX)
        p->rss_kib[p->rss_count++] = rss_kib();
}

static bool put_one(struct pump *p)
{
    const struct file *f = &p->files[p->put % p->files_count];
    struct item item = {.seq = p->put, .pid = 4711};
    int r;

    if (item_new_id(item.id))
        die("id", "no random numbers");
    item.time_ns = f->time_ns;
    item.duration_ns = f->duration_ns;
    memcpy(item.type, f->type, sizeof(item.type));
    (void)snprintf(item.target, sizeof(item.target), "server");
    (void)snprintf(item.language, sizeof(item.language), "go");
    r = store_put(p->store, &item, f->raw.data, f->raw.len, (1u << forward_count(p->forward)) - 1,
                  false, accepted, p);
    if (r == -EBUSY) {
        p->busy++;
        return false;
    }
    if (r)
        die("store_put", uv_strerror(r));
    p->put++;
    return true;
}

static uint64_t most_waiting(const struct pump *p)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < forward_count(p->forward); i++) {
        uint64_t n = store_waiting(p->store, i, NULL);

        most = n > most ? n : most;
    }
    return most;
}

static void on_tick(uv_timer_t *t)
{
    struct pump *p = t->data;
    uint64_t now = clock_mono_ns();
    uint64_t due = p->rate ? (now - p->began_ns) * p->rate / CLOCK_NS_PER_SEC : UINT64_MAX;

    while (p->put < p->count && p->put < due &&
           (p->rate || most_waiting(p) + (p->put - p->accepted) < PUMP_WAITING_MAX) && put_one(p))
        ;
    if (p->put < p->count)
        return;
    if (!p->put_ended_ns)
        p->put_ended_ns = now;
    if ((p->accepted + p->refused == p->count && most_waiting(p) == 0) ||
        now - p->put_ended_ns > PUMP_END_MS * CLOCK_NS_PER_MS)
        uv_stop(t->loop);
}

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void report(const struct pump *p, double opened_s)
{
    double wall = (double)(clock_mono_ns() - p->began_ns) / 1e9;
    struct store_counts counts;
    struct rusage use;

    (void)getrusage(RUSAGE_SELF, &use);
    store_counts(p->store, &counts);
    (void)printf("{\"open_s\":%.3f,\"waiting\":%llu,\"put\":%llu,\"accepted\":%llu,\"busy\":%llu,"
                 "\"wall_s\":%.3f,\"user_s\":%.3f,\"system_s\":%.3f,\"peak_rss_kib\":%ld",
                 opened_s, (unsigned long long)counts.profiles, (unsigned long long)p->put,
                 (unsigned long long)p->accepted, (unsigned long long)p->busy, wall,
                 seconds(&use.ru_utime), seconds(&use.ru_stime), use.ru_maxrss);
    (void)printf(",\"rss_kib\":[");
    for (size_t i = 0; i < p->rss_count; i++)
        (void)printf("%s%llu", i ? "," : "", (unsigned long long)p->rss_kib[i]);
    (void)printf("],\"raw_bytes\":[");
    for (size_t i = 0; i < p->files_count; i++)
        (void)printf("%s%zu", i ? "," : "", p->files[i].raw.len);
    (void)printf("],\"backends\":[");
    for (size_t i = 0; i < forward_count(p->forward); i++) {
        struct forward_status s;

        forward_look(p->forward, i, &s);
        (void)printf("%s{\"name\":\"%s\",\"taken\":%llu,\"skipped\":%llu,\"failed\":%llu,"
                     "\"rejected\":%llu,\"bytes\":%llu}",
                     i ? "," : "", s.name, (unsigned long long)s.taken,
                     (unsigned long long)s.skipped, (unsigned long long)s.failed,
                     (unsigned long long)s.rejected, (unsigned long long)s.bytes);
    }
    (void)printf("]}\n");
}

static void run(struct pump *p, const struct config *c)
{
    struct err e = {0};
    uint64_t before = clock_mono_ns();
    double opened_s;

    if (store_open(&p->loop, c, &p->store, &e))
        die("store_open", e.text);
    opened_s = (double)(clock_mono_ns() - before) / 1e9;
    p->began_ns = clock_mono_ns();
    if (p->count > 0) {
        if (forward_new(&p->loop, c, p->store, &p->forward, &e))
            die("forward_new", e.text);
        (void)uv_timer_start(&p->tick, on_tick, 0, p->rate ? PUMP_TICK_MS : 1);
        (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    }
    report(p, opened_s);
}

int main(int argc, char **argv)
{
    struct pump *p = calloc(1, sizeof(*p));
    struct config *c = calloc(1, sizeof(*c));
    struct err e = {0};

    if (argc < 4 || argc > 4 + PUMP_FILES_MAX || !p || !c) {
        (void)fprintf(stderr, "usage: pump CONFIG RATE COUNT PPROF...\n");
        return 2;
    }
    config_defaults(c);
    if (config_read(c, argv[1], &e))
        die(argv[1], e.text);
    p->rate = strtoull(argv[2], NULL, 10);
    p->count = strtoull(argv[3], NULL, 10);
    for (int i = 4; i < argc; i++)
        read_file(argv[i], &p->files[p->files_count++]);
    if (p->count && p->files_count == 0)
        die("nothing", "no profile to put");
    (void)uv_loop_init(&p->loop);
    (void)uv_timer_init(&p->loop, &p->tick);
    p->tick.data = p;
    run(p, c);
    forward_free(p->forward);
    store_close(p->store);
    uv_close((uv_handle_t *)&p->tick, NULL);
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&p->loop);
    for (size_t i = 0; i < p->files_count; i++)
        buf_release(&p->files[i].raw);
    free(c);
    free(p);
    return 0;
}
