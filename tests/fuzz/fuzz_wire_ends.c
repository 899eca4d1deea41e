/*
 * Each end of each link as it really is, over a socket pair with descriptors: what a program that
 * was taken over sends to another one. fuzz_wire.c feeds the codec alone.
 *
 * The input: which end, then packets: {type, flags, length (2), body}. The head is made here, right
 * but for what the flags say, so that the bytes go where a handler sees them; the mutator knows the
 * table and keeps lengths and numbers of descriptors in step with it. After each input no
 * descriptor may be left over.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "wire/answer_guard.h"
#include "wire/answer_sampler.h"
#include "wire/ask_guard.h"
#include "wire/ask_sampler.h"
#include "wire/front.h"

enum {
    ENDS = 6,
    PACKETS_MAX = 8,
    HEAD_BYTES = 4, /* of a packet in the input */
    TYPES = 64,
    RINGS = 3,
    WRONG_MAGIC = 1,
    WRONG_BYTES = 2,
    WRONG_ID = 4,
    FDS_SHIFT = 4,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t max_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t max_bytes, unsigned seed);

static const struct {
    enum wire_role self, peer;
} LINKS[ENDS] = {
    {WIRE_ROLE_GUARD, WIRE_ROLE_SAMPLER}, {WIRE_ROLE_SAMPLER, WIRE_ROLE_GUARD},
    {WIRE_ROLE_SAMPLER, WIRE_ROLE_FRONT}, {WIRE_ROLE_FRONT, WIRE_ROLE_SAMPLER},
    {WIRE_ROLE_FRONT, WIRE_ROLE_GUARD},   {WIRE_ROLE_GUARD, WIRE_ROLE_FRONT},
};

/* --- a guard's operations that do nothing --- */

struct guard {
    int null; /* what is handed out */
    int open; /* bit per slot */
};

static int another(const struct guard *g)
{
    return fcntl(g->null, F_DUPFD_CLOEXEC, 0);
}

static void do_target(void *ctx, struct wire_target *ret)
{
    (void)ctx;
    ret->generation = 1;
}

static int do_maps(void *ctx, uint32_t generation, int *ret_fd, uint32_t *ret_truncated)
{
    *ret_truncated = 0;
    *ret_fd = generation == 1 ? another(ctx) : -1;
    return generation == 1 ? 0 : -ESTALE;
}

static int do_file(void *ctx, const struct wire_file *file, int *ret_fd)
{
    uint32_t truncated;

    return do_maps(ctx, file->generation, ret_fd, &truncated);
}

static void do_file_done(void *ctx, int fd)
{
    (void)ctx;
    (void)close(fd);
}

static int do_read(void *ctx, uint32_t generation, const struct wire_range *ranges, uint32_t count,
                   uint32_t *ret_got)
{
    size_t total = 0;

    (void)ctx;
    for (uint32_t i = 0; i < count; i++) {
        total += ((size_t)ranges[i].bytes + 7) & ~(size_t)7;
        ret_got[i] = ranges[i].bytes;
    }
    if (count > WIRE_READ_MAX_RANGES || total > WIRE_ARENA_BYTES)
        abort();
    return generation == 1 ? 0 : -ESTALE;
}

static int do_cmdline(void *ctx, uint32_t generation, int *ret_fd)
{
    uint32_t truncated;

    return do_maps(ctx, generation, ret_fd, &truncated);
}

static int do_perf_is_open(void *ctx, uint32_t slot)
{
    const struct guard *g = ctx;

    if (slot >= WIRE_PERF_SLOTS)
        abort();
    return g->open >> slot & 1;
}

static void do_perf_open(void *ctx, const struct wire_perf_open *open, struct wire_perf_opened *ret,
                         int *ret_fd)
{
    struct guard *g = ctx;

    if (do_perf_is_open(g, open->slot))
        abort();
    g->open |= 1 << open->slot;
    ret->rings = RINGS;
    ret->ring_pages = 1;
    *ret_fd = another(g);
}

static void do_perf_rings(void *ctx, uint32_t slot, uint32_t from, struct answer_guard_rings *ret)
{
    const struct guard *g = ctx;

    if (!do_perf_is_open(ctx, slot) || from >= RINGS)
        abort();
    ret->head.count = 1;
    ret->fds[0] = g->null;
}

static int do_perf_enable(void *ctx, uint32_t slot, int on)
{
    if (!do_perf_is_open(ctx, slot) || on < 0 || on > 1)
        abort();
    return 0;
}

static void do_perf_tick(void *ctx, uint32_t slot, const struct wire_period *periods,
                         uint32_t count, struct wire_perf_ticked *ret, uint32_t *ret_from)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += periods[i].period_ns;
    if (!do_perf_is_open(ctx, slot) || count > WIRE_TICK_MAX)
        abort();
    ret->rings = sum % 2 ? 1 : 0;
    *ret_from = RINGS - 1;
}

static void do_perf_close(void *ctx, uint32_t slot, struct wire_perf_closed *ret)
{
    struct guard *g = ctx;

    (void)ret;
    if (!do_perf_is_open(ctx, slot))
        abort();
    g->open &= ~(1 << slot);
}

static void do_members(void *ctx, uint32_t generation, struct wire_members *ret)
{
    (void)ctx;
    (void)generation;
    (void)ret;
}

static int do_rate(void *ctx, const struct wire_rate_ask *ask)
{
    (void)ctx;
    (void)ask;
    return 0;
}

static void do_blame(void *ctx)
{
    (void)ctx;
}

static const struct answer_guard_ops OPS = {
    .target = do_target,
    .maps = do_maps,
    .file = do_file,
    .file_done = do_file_done,
    .read = do_read,
    .cmdline = do_cmdline,
    .perf_open = do_perf_open,
    .perf_rings = do_perf_rings,
    .perf_enable = do_perf_enable,
    .perf_tick = do_perf_tick,
    .perf_close = do_perf_close,
    .perf_is_open = do_perf_is_open,
    .members = do_members,
    .rate = do_rate,
    .blame = do_blame,
};

/* --- what the other end sends --- */

static const struct wire_row *row_of(unsigned end, uint8_t type)
{
    const struct wire_row *row = codec_row(type % TYPES);

    return row && row->to == LINKS[end].self && row->from == LINKS[end].peer ? row : NULL;
}

static void send_packet(int fd, const uint8_t *data, size_t length, uint32_t id, int null)
{
    struct wire_head head = {WIRE_MAGIC, data[0] % TYPES, (uint16_t)(data[1] >> FDS_SHIFT & 3), id,
                             (uint32_t)length};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(3 * sizeof(int))];
    } control = {0};
    struct iovec iov[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)(data + HEAD_BYTES), length}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    int fds[3] = {null, null, null};

    if (head.fds) {
        struct cmsghdr *c;

        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(head.fds * sizeof(int));
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(head.fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, head.fds * sizeof(int));
    }
    head.magic ^= data[1] & WRONG_MAGIC;
    head.bytes += (data[1] & WRONG_BYTES) ? 8 : 0;
    head.id += (data[1] & WRONG_ID) ? 1 : 0;
    (void)sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* All packets of the input; their types, for who asks. */
static size_t send_all(int fd, const uint8_t *data, size_t bytes, int null,
                       uint8_t types[static PACKETS_MAX])
{
    size_t n = 0;

    while (bytes >= HEAD_BYTES && n < PACKETS_MAX) {
        size_t length = (size_t)data[2] | (size_t)data[3] << 8;

        length = length < bytes - HEAD_BYTES ? length : bytes - HEAD_BYTES;
        types[n] = data[0] % TYPES;
        send_packet(fd, data, length, types[n] == WIRE_ANS_PERF_RINGS ? 0 : (uint32_t)n, null);
        n++;
        data += HEAD_BYTES + length;
        bytes -= HEAD_BYTES + length;
    }
    (void)shutdown(fd, SHUT_WR);
    return n;
}

/* --- who hears it --- */

static void drop(int fd)
{
    if (fd >= 0 && close(fd) != 0)
        abort(); /* it was told that it is its own */
}

/* The question to which such a packet is the answer. */
static int ask_for(struct ask_guard *g, uint8_t type)
{
    static struct wire_members members;
    const struct wire_range range = {.address = 0x1000, .bytes = 64};
    const struct wire_perf_open open = {.period_ns = 10000000};
    struct wire_perf_opened opened;
    struct wire_perf_closed closed;
    struct wire_perf_ticked ticked;
    struct wire_perf_rings rings;
    struct wire_rate_ask rate = {0};
    int fds[WIRE_FDS_MAX], fd = -1, truncated, r;
    uint32_t got[1];

    switch (type) {
    case WIRE_ANS_MAPS:
        r = ask_guard_maps(g, 1, &fd, &truncated);
        break;
    case WIRE_ANS_FILE:
        r = ask_guard_file(g, 1, 0, 0, &fd);
        break;
    case WIRE_ANS_READ:
        r = ask_guard_read(g, 1, &range, 1, got);
        if (r == 0 && got[0] > range.bytes)
            abort();
        break;
    case WIRE_ANS_CMDLINE:
        r = ask_guard_cmdline(g, 1, &fd);
        break;
    case WIRE_ANS_PERF_OPEN:
        r = ask_guard_perf_open(g, &open, &opened, &fd);
        break;
    case WIRE_ANS_PERF_RINGS:
        r = ask_guard_perf_rings(g, 0, &rings, fds);
        for (uint32_t i = 0; r == 0 && i < rings.count; i++)
            drop(fds[i]);
        break;
    case WIRE_ANS_PERF_ENABLE:
        r = ask_guard_perf_enable(g, 0, 1);
        break;
    case WIRE_ANS_PERF_TICK:
        r = ask_guard_perf_tick(g, 0, NULL, 0, &ticked);
        break;
    case WIRE_ANS_PERF_CLOSE:
        r = ask_guard_perf_close(g, 0, &closed);
        break;
    case WIRE_ANS_RATE:
        r = ask_guard_rate(g, &rate);
        break;
    case WIRE_ANS_MEMBERS:
        r = ask_guard_members(g, 1, &members);
        break;
    default:
        g->link.next_id++;
        r = ask_guard_news(g);
        break;
    }
    if (r == 0)
        drop(fd);
    return r;
}

static void hear_guard(int fd, const uint8_t *types, size_t count)
{
    static uint8_t arena[WIRE_ARENA_BYTES];
    static struct ask_guard g;

    memset(&g, 0, sizeof(g));
    link_init(&g.link, fd, WIRE_ROLE_SAMPLER, WIRE_ROLE_GUARD);
    g.link.turn.state = WIRE_STATE_RUN;
    g.link.next_id = 0;
    g.arena = arena;
    for (size_t i = 0; i < count; i++) {
        int r = ask_for(&g, types[i]);

        if (r == -EPROTO || r == -EPIPE || r == -ETIMEDOUT)
            break;
    }
    link_close(&g.link);
}

static void hear_sampler(int fd)
{
    struct ask_sampler_answer a;
    struct link l;

    ask_sampler_open(&l, fd);
    while (ask_sampler_next(&l, 0, &a) == 0)
        drop(a.fd);
    link_close(&l);
}

static void hear_news(int fd)
{
    struct front_news news;
    struct link l;

    front_open(&l, fd);
    while (front_hear(&l, 0, &news) == 0)
        drop(news.sampler_fd);
    link_close(&l);
}

static void be_asked(int fd, int null)
{
    struct guard g = {.null = null};
    struct link l;

    answer_guard_open(&l, fd);
    while (answer_guard_one(&l, &OPS, &g) == 0)
        ;
    link_close(&l);
}

static void be_asked_by_front(int fd)
{
    static struct answer_sampler_question q;
    struct link l;

    answer_sampler_open(&l, fd);
    while (answer_sampler_next(&l, &q) == 0) {
        if (q.count > WIRE_SYMBOLS_MAX)
            abort();
    }
    link_close(&l);
}

static void listen_to_front(int fd)
{
    enum front_said said;
    struct link l;

    front_guard_open(&l, fd);
    while (front_listen(&l, &said) == 0)
        ;
    link_close(&l);
}

static int lowest_free(int null)
{
    int fd = dup(null);

    (void)close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t types[PACKETS_MAX];
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int before = lowest_free(null);
    size_t count;
    int pair[2];

    if (bytes < 1 || null < 0 || link_pair(pair) != 0) {
        (void)close(null);
        return 0;
    }
    count = send_all(pair[1], data + 1, bytes - 1, null, types);
    switch (data[0] % ENDS) {
    case 0:
        be_asked(pair[0], null);
        break;
    case 1:
        hear_guard(pair[0], types, count);
        break;
    case 2:
        be_asked_by_front(pair[0]);
        break;
    case 3:
        hear_sampler(pair[0]);
        break;
    case 4:
        hear_news(pair[0]);
        break;
    default:
        listen_to_front(pair[0]);
        break;
    }
    (void)close(pair[1]);
    if (lowest_free(null) != before)
        abort(); /* one was kept, or one too many closed */
    (void)close(null);
    return 0;
}

/* --- the mutator --- */

/* Where packet ${n} begins, or ${bytes}. */
static size_t seek(const uint8_t *data, size_t bytes, size_t n)
{
    size_t at = 1;

    while (n-- > 0 && at + HEAD_BYTES <= bytes)
        at += HEAD_BYTES + ((size_t)data[at + 2] | (size_t)data[at + 3] << 8);
    return at < bytes ? at : bytes;
}

/* One more packet behind the others, as the table wants it, with zeros or ones for a body. */
static size_t append(uint8_t *data, size_t bytes, size_t max_bytes, unsigned seed)
{
    unsigned end = data[0] % ENDS;
    const struct wire_row *row = NULL;
    uint8_t type = (uint8_t)seed;
    size_t length;

    for (int i = 0; i < TYPES && !(row = row_of(end, type)); i++)
        type++;
    if (!row)
        return bytes;
    length = row->min_bytes + (seed >> 8 & 1 ? (row->max_bytes - row->min_bytes) / 2 : 0);
    if (bytes + HEAD_BYTES + length > max_bytes || length > UINT16_MAX)
        return bytes;
    data[bytes] = type % TYPES;
    data[bytes + 1] = (uint8_t)((row->max_fds && (seed >> 9 & 3) ? 1 : 0) << FDS_SHIFT);
    data[bytes + 2] = (uint8_t)length;
    data[bytes + 3] = (uint8_t)(length >> 8);
    memset(data + bytes + HEAD_BYTES, seed >> 11 & 1, length);
    return bytes + HEAD_BYTES + length;
}

/* The body of one packet, whose length stays as it is or follows. */
static size_t change_body(uint8_t *data, size_t bytes, size_t max_bytes, unsigned seed)
{
    size_t at = seek(data, bytes, seed % PACKETS_MAX);
    size_t length, rest, now, room;
    uint8_t *body;

    if (at + HEAD_BYTES >= bytes)
        return append(data, bytes, max_bytes, seed);
    length = (size_t)data[at + 2] | (size_t)data[at + 3] << 8;
    length = length < bytes - at - HEAD_BYTES ? length : bytes - at - HEAD_BYTES;
    body = data + at + HEAD_BYTES;
    rest = bytes - at - HEAD_BYTES - length;
    room = seed >> 8 & 3 ? length : length + 64; /* mostly as long as it was */
    if (at + HEAD_BYTES + room + rest > max_bytes)
        room = length;
    if (rest) {
        uint8_t *copy = malloc(rest);

        memcpy(copy, body + length, rest);
        now = LLVMFuzzerMutate(body, length, room);
        now = seed >> 8 & 3 && now < length ? length : now;
        memcpy(body + now, copy, rest);
        free(copy);
    } else {
        now = LLVMFuzzerMutate(body, length, room);
        now = seed >> 8 & 3 && now < length ? length : now;
    }
    data[at + 2] = (uint8_t)now;
    data[at + 3] = (uint8_t)(now >> 8);
    return at + HEAD_BYTES + now + rest;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t max_bytes, unsigned seed)
{
    if (bytes < 1 || seed % 8 == 0)
        return LLVMFuzzerMutate(data, bytes, max_bytes);
    if (seed % 8 == 1) { /* another end: its types are of no use there */
        data[0] = (uint8_t)(seed >> 8);
        return append(data, 1, max_bytes, seed >> 3);
    }
    return seed % 8 < 4 ? append(data, bytes, max_bytes, seed >> 3)
                        : change_body(data, bytes, max_bytes, seed >> 3);
}
