#include "guard/eventset.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t ring_bytes(const struct guard_eventset *s)
{
    return (s->pages + (size_t)1) * (size_t)sysconf(_SC_PAGESIZE); /* the control page first */
}

int guard_eventset_add(struct guard_eventset *s, uint32_t tid, int cpu, uint32_t period_ns)
{
    uint64_t id;
    int fd;

    if (s->live >= s->budget || s->nevents >= WIRE_PERF_EVENTS_MAX)
        return -EMFILE;
    fd = guard_event_open(&s->plan, (pid_t)tid, cpu, period_ns);
    if (fd < 0)
        return fd;
    if (ioctl(fd, PERF_EVENT_IOC_ID, &id) != 0) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    s->fd[s->nevents] = fd;
    s->event[s->nevents] = (struct wire_event){
        .id = id,
        .tid = tid,
        .cpu = cpu < 0 ? UINT32_MAX : (uint32_t)cpu,
        .first_period_ns = period_ns,
    };
    s->nevents++;
    s->live++;
    return 0;
}

int guard_eventset_ring(struct guard_eventset *s)
{
    uint32_t event = s->nevents - 1;
    void *map;

    if (s->nrings >= WIRE_PERF_RINGS_MAX)
        return -EMFILE;
    /* writable, or the kernel would overwrite what was not read yet */
    map = mmap(NULL, ring_bytes(s), PROT_READ | PROT_WRITE, MAP_SHARED, s->fd[event], 0);
    if (map == MAP_FAILED)
        return errno == EPERM ? -ENOBUFS : -errno; /* EPERM: perf_event_mlock_kb is used up */
    s->ring[s->nrings++] = (struct guard_eventset_ring){map, event};
    return 0;
}

int guard_eventset_join(struct guard_eventset *s, uint32_t ring)
{
    int owner = s->fd[s->ring[ring].event];

    return ioctl(s->fd[s->nevents - 1], PERF_EVENT_IOC_SET_OUTPUT, owner) ? -errno : 0;
}

static void drop_map(struct guard_eventset *s, uint32_t ring)
{
    if (s->ring[ring].map)
        (void)munmap(s->ring[ring].map, ring_bytes(s));
    s->ring[ring].map = NULL;
}

static void drop_event(struct guard_eventset *s, uint32_t event)
{
    uint64_t count_ns = 0, lost = 0;

    if (s->fd[event] < 0)
        return;
    if (guard_event_read(&s->plan, s->fd[event], &count_ns, &lost) == 0) {
        s->count_ns += count_ns;
        s->lost += lost;
    }
    (void)close(s->fd[event]);
    s->fd[event] = -1;
    s->live--;
}

void guard_eventset_drop(struct guard_eventset *s, uint32_t ring)
{
    drop_map(s, ring);
    drop_event(s, s->ring[ring].event);
}

void guard_eventset_cut(struct guard_eventset *s, uint32_t events)
{
    while (s->nrings > 0 && s->ring[s->nrings - 1].event >= events)
        drop_map(s, --s->nrings);
    while (s->nevents > events)
        drop_event(s, --s->nevents);
}

void guard_eventset_switch(struct guard_eventset *s, uint32_t from, int on)
{
    for (uint32_t i = from; i < s->nevents; i++)
        if (s->fd[i] >= 0) /* an event whose thread ended answers 0 as well */
            (void)ioctl(s->fd[i], on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}
