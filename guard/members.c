#include "guard/members.h"

#include "base/clock.h"
#include "wire/codec.h"

void guard_members_init(struct guard_members *m, struct target *first)
{
    memset(m, 0, sizeof(*m));
    m->first = first;
    for (size_t i = 0; i < WIRE_MEMBERS_MAX - 1; i++)
        target_init_member(&m->other[i], first);
}

void guard_members_release(struct guard_members *m)
{
    if (!m || !m->first)
        return;
    for (size_t i = 0; i < WIRE_MEMBERS_MAX - 1; i++) {
        if (m->other[i].pidfd >= 0)
            target_drop(&m->other[i], WIRE_TARGET_GONE, "");
    }
    m->missed = 0;
    m->again_ns = 0;
    memset(&m->known, 0, sizeof(m->known));
}

bool guard_members_due(const struct guard_members *m)
{
    return clock_wait_ms(m->again_ns) == 0;
}

static bool is_row(const struct target *t, const struct kin_row *row)
{
    return t->pidfd >= 0 && t->pid == row->pid && t->wire.start_ticks == row->start_ticks;
}

static struct target *held(struct guard_members *m, const struct kin_row *row)
{
    for (size_t i = 0; i < WIRE_MEMBERS_MAX - 1; i++) {
        if (is_row(&m->other[i], row))
            return &m->other[i];
    }
    return NULL;
}

static struct target *free_place(struct guard_members *m)
{
    for (size_t i = 0; i < WIRE_MEMBERS_MAX - 1; i++) {
        if (m->other[i].pidfd < 0)
            return &m->other[i];
    }
    return NULL;
}

static bool let_go(struct guard_members *m, const struct find *found)
{
    bool any = false;

    for (size_t i = 0; i < WIRE_MEMBERS_MAX - 1; i++) {
        struct target *t = &m->other[i];
        bool still = false;

        if (t->pidfd < 0)
            continue;
        for (uint32_t k = 0; k < found->kin && !still; k++)
            still = is_row(t, &found->kin_row[k]);
        if (still && target_alive(t))
            continue;
        target_drop(t, WIRE_TARGET_GONE, "");
        any = true;
    }
    return any;
}

/*
 * A program that names its threads or rewrites its title (workers of a server) is told apart by its
 * comm; one that does not has the name of its executable there, cut after 15 bytes: then the whole.
 */
static void name_of(const struct target *t, const char *comm, char out[static WIRE_NAME_BYTES])
{
    size_t n = strlen(comm);

    codec_text(out, WIRE_NAME_BYTES,
               n > 0 && strncmp(t->wire.name, comm, n) != 0 ? comm : t->wire.name);
}

static void show(struct guard_members *m, const struct target *t, const char *comm, bool apart)
{
    struct wire_member *row = &m->known.row[m->known.count++];

    *row = (struct wire_member){
        .generation = t->wire.generation,
        .pid = t->wire.pid,
        .uid = t->wire.uid,
        .rights = t->wire.rights,
        .mode = t->wire.mode,
        .apart = apart,
        .start_real_ns = t->wire.start_real_ns,
    };
    name_of(t, comm, row->name);
}

static const char *comm_of_first(const struct guard_members *m, const struct find *found)
{
    for (uint32_t k = 0; k < found->kin; k++) {
        if (is_row(m->first, &found->kin_row[k]))
            return found->kin_row[k].comm;
    }
    return "";
}

bool guard_members_take(struct guard_members *m, const struct find *found)
{
    bool any = let_go(m, found);
    uint32_t missed = found->kin_missed;

    memset(&m->known, 0, sizeof(m->known));
    if (m->first->pidfd >= 0)
        show(m, m->first, comm_of_first(m, found), true);
    for (uint32_t k = 0; k < found->kin && m->known.count > 0; k++) {
        const struct kin_row *row = &found->kin_row[k];
        struct target *t = held(m, row);

        if (is_row(m->first, row))
            continue;
        if (!t) {
            t = free_place(m);
            if (!t) { /* the first one need not be among those that were found */
                missed++;
                continue;
            }
            if (target_take(t, row->pid, row->start_ticks) != 0)
                continue; /* it went meanwhile */
            any = true;
        }
        show(m, t, row->comm, row->apart);
    }
    m->known.missed = m->missed = missed;
    return any;
}

void guard_members_rest(struct guard_members *m, uint64_t cost_ns)
{
    cost_ns *= GUARD_MEMBERS_SHARE;
    if (cost_ns < GUARD_MEMBERS_MIN_MS * CLOCK_NS_PER_MS)
        cost_ns = GUARD_MEMBERS_MIN_MS * CLOCK_NS_PER_MS;
    m->again_ns = clock_mono_ns() + cost_ns;
}

struct target *guard_members_of(struct guard_members *m, uint32_t generation)
{
    if (m->first->wire.generation == generation)
        return m->first;
    for (size_t i = 0; i < WIRE_MEMBERS_MAX - 1; i++) {
        if (m->other[i].pidfd >= 0 && m->other[i].wire.generation == generation)
            return &m->other[i];
    }
    return NULL;
}

struct target *guard_members_doing(struct guard_members *m)
{
    for (size_t i = 0; i < WIRE_MEMBERS_MAX - 1; i++) {
        if (m->other[i].doing)
            return &m->other[i];
    }
    return NULL;
}
