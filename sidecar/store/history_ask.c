/*
 * Questions to the history: what they are about is chosen on the loop, from the index; files are
 * read, merged and packed in the pool. A file that went meanwhile, or is bad, is left out and told.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/magic.h"
#include "profile/gzip.h"
#include "profile/profile.h"
#include "sidecar/store/history_priv.h"

enum {
    QUESTION_MAGIC = 0x51554553,
    LIST_MAX_BYTES = 8 * 1024 * 1024,
    PACKED_MAX_BYTES = HISTORY_MERGE_MAX_BYTES + HISTORY_MERGE_MAX_BYTES / 1024 + 1024,
    STAMP_BYTES = 40,
};

struct question {
    struct job job;
    unsigned magic;
    struct history *history;
    struct question *next, **link;
    struct tiers_row *row; /* what it is about; of a listing the newest first */
    size_t count;
    bool more;
    history_came then; /* NULL: forgotten */
    void *data;
    struct buf body;
    struct history_answer answer;
    struct err e;
};

static int open_dir(const struct question *q)
{
    return openat(AT_FDCWD, q->history->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void name_of(const struct question *q, size_t i, char out[static KEY_NAME_BYTES])
{
    key_print(&q->history->types, &q->row[i].key, true, out);
}

/* UTC with milliseconds: RFC 3339. */
static const char *stamp(int64_t time_ns, char out[static STAMP_BYTES])
{
    time_t sec = (time_t)(time_ns / (int64_t)CLOCK_NS_PER_SEC);
    unsigned ms = (unsigned)(time_ns / (int64_t)CLOCK_NS_PER_MS % 1000);
    struct tm tm;
    size_t n = gmtime_r(&sec, &tm) ? strftime(out, STAMP_BYTES, "%Y-%m-%dT%H:%M:%S", &tm) : 0;

    (void)snprintf(out + n, STAMP_BYTES - n, ".%03uZ", ms % 1000u);
    return out;
}

/* --- a listing --- */

/* The first of a file: all that is told of the profile. */
static int peek(int folder, const char *name, struct item *ret, uint64_t *ret_raw_bytes)
{
    unsigned char head[FORMAT_HEAD_BYTES + ITEM_META_MAX_BYTES];
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = pread(fd, head, sizeof(head), 0);
    (void)close(fd);
    return n < 0 ? -EIO : format_peek(head, (size_t)n, ret, ret_raw_bytes);
}

static void print_row(struct json *j, const struct tiers_row *row, const struct item *item,
                      uint64_t raw_bytes)
{
    char time[STAMP_BYTES];

    json_object_begin(j, NULL);
    json_str(j, "id", item->id);
    json_str(j, "type", item->type);
    json_str(j, "time", stamp(item->time_ns, time));
    json_i64(j, "time_ns", item->time_ns);
    json_i64(j, "duration_ns", item->duration_ns);
    json_u64(j, "bytes", row->bytes);
    json_u64(j, "raw_bytes", raw_bytes);
    json_str(j, "target", item->target);
    json_str(j, "runtime_id", item->runtime_id);
    json_str(j, "language", item->language);
    json_str(j, "version", item->version);
    json_str(j, "go_version", item->go_version);
    json_u64(j, "pid", item->pid);
    json_str(j, "source", item->source);
    json_object_end(j);
}

static void list_work(struct job *j)
{
    struct question *q = (struct question *)j;
    int folder = open_dir(q);
    struct json json;

    buf_init(&q->body, LIST_MAX_BYTES);
    json_begin(&json, &q->body);
    json_object_begin(&json, NULL);
    json_array_begin(&json, "profiles");
    for (size_t i = 0; i < q->count && folder >= 0; i++) {
        char name[KEY_NAME_BYTES];
        struct item item = {0};
        uint64_t raw_bytes = 0;

        name_of(q, i, name);
        if (peek(folder, name, &item, &raw_bytes) ||
            !key_is_of(&q->history->types, &q->row[i].key, &item))
            continue; /* gone meanwhile, or bad: whoever asks for it is told */
        print_row(&json, &q->row[i], &item, raw_bytes);
        q->answer.count++;
    }
    json_array_end(&json);
    json_bool(&json, "more", q->more);
    json_object_end(&json);
    buf_putc(&q->body, '\n');
    if (folder >= 0)
        (void)close(folder);
    if (q->body.failed)
        q->answer.result = -ENOMEM;
}

/* --- one --- */

static int read_one(struct question *q, int folder, size_t i, struct item *ret, struct buf *raw)
{
    char name[KEY_NAME_BYTES];
    struct buf file;
    int r;

    buf_init(raw, 0);
    name_of(q, i, name);
    r = disk_read(folder, name, FORMAT_FILE_MAX_BYTES, &file);
    if (r == 0)
        r = format_unpack(q->history->format, file.data, file.len, ret, raw, &q->answer.why);
    else if (r == -EBADMSG)
        q->answer.why = "the file is cut, or no plain file";
    buf_release(&file);
    if (r == 0 && !key_is_of(&q->history->types, &q->row[i].key, ret)) {
        buf_release(raw);
        q->answer.why = "the file is not the profile that its name tells";
        r = -EBADMSG;
    }
    return r;
}

static int pack(struct question *q, const struct buf *raw)
{
    int r;

    buf_init(&q->body, PACKED_MAX_BYTES);
    r = gzip_pack(raw->data, raw->len, &q->body);
    return r == 0 && q->body.failed ? -ENOMEM : r;
}

static void read_work(struct job *j)
{
    struct question *q = (struct question *)j;
    int folder = open_dir(q);
    struct buf raw;

    if (folder < 0) {
        q->answer.result = -ENOENT;
        return;
    }
    q->answer.result = read_one(q, folder, 0, &q->answer.item, &raw);
    if (q->answer.result == 0)
        q->answer.result = pack(q, &raw);
    q->answer.count = 1;
    buf_release(&raw);
    (void)close(folder);
}

/* --- a merge --- */

struct merge {
    struct profile *sum;
    uint64_t raw_bytes;
    size_t merged, skipped;
};

/* What they do not share is not known of the sum. */
static void share(struct item *all, const struct item *one)
{
    const struct {
        size_t offset, bytes;
    } texts[] = {
#define TEXT(f) {offsetof(struct item, f), sizeof(((struct item *)0)->f)}
        TEXT(target),  TEXT(runtime_id), TEXT(container), TEXT(language),
        TEXT(version), TEXT(go_version), TEXT(source),
#undef TEXT
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *a = (char *)all + texts[i].offset;

        if (strcmp(a, (const char *)one + texts[i].offset) != 0)
            memset(a, 0, texts[i].bytes);
    }
    all->duration_ns += one->duration_ns;
    all->pid = all->pid == one->pid ? all->pid : 0;
}

/* 0, or what ends all of it; one that is bad or of other types is left out. */
static int merge_one(struct question *q, struct merge *m, int folder, size_t i)
{
    struct profile *p = NULL;
    struct item item;
    struct buf raw;
    int r = read_one(q, folder, i, &item, &raw);

    if (r == 0) {
        m->raw_bytes += raw.len;
        r = m->raw_bytes > HISTORY_MERGE_MAX_BYTES ? -EFBIG
                                                   : profile_decode(raw.data, raw.len, &p, &q->e);
    }
    buf_release(&raw);
    if (r == 0)
        r = profile_merge(m->sum, p, &q->e);
    profile_free(p);
    if (r == -ENOENT || r == -EBADMSG || r == -EINVAL) {
        m->skipped++;
        return 0;
    }
    if (r)
        return r;
    if (m->merged++ == 0)
        q->answer.item = item;
    else
        share(&q->answer.item, &item);
    return 0;
}

/* First, since only so many fit: the sum has those of all its parts. */
static void comment(const struct question *q, struct profile *sum)
{
    char text[200], from[STAMP_BYTES], to[STAMP_BYTES];

    (void)snprintf(text, sizeof(text), "merge of %zu profiles, from %s to %s", q->count,
                   stamp(q->row[0].key.time_ns, from), stamp(q->row[q->count - 1].key.time_ns, to));
    (void)profile_add_comment(sum, text);
}

static void comment_skipped(const struct merge *m)
{
    char text[200];

    if (!m->skipped)
        return;
    (void)snprintf(text, sizeof(text), "left out: %zu profiles, damaged or of other sample types",
                   m->skipped);
    (void)profile_add_comment(m->sum, text);
}

static int merge_all(struct question *q, struct merge *m, int folder)
{
    struct buf raw;
    int r = 0;

    comment(q, m->sum);
    for (size_t i = 0; i < q->count && r == 0; i++)
        r = atomic_load(&q->history->stopping) ? -ECANCELED : merge_one(q, m, folder, i);
    if (r == 0 && m->merged == 0)
        r = -EBADMSG;
    if (r)
        return r;
    comment_skipped(m);
    buf_init(&raw, HISTORY_MERGE_MAX_BYTES);
    r = profile_encode(m->sum, &raw);
    if (r == 0)
        r = pack(q, &raw);
    buf_release(&raw);
    return r;
}

static void merge_work(struct job *j)
{
    struct question *q = (struct question *)j;
    struct merge m = {.sum = profile_new()};
    int folder = open_dir(q);

    if (folder < 0 || !m.sum)
        q->answer.result = folder < 0 ? -ENOENT : -ENOMEM;
    else
        q->answer.result = merge_all(q, &m, folder);
    q->answer.count = m.merged;
    q->answer.why = NULL; /* of a single file */
    if (q->answer.result == -EFBIG || q->answer.result == -E2BIG)
        q->answer.why = "the profiles are too large together: ask for a shorter range";
    else if (q->answer.result && q->e.text[0])
        q->answer.why = q->e.text;
    profile_free(m.sum);
    if (folder >= 0)
        (void)close(folder);
}

/* --- asking --- */

static void question_after(struct job *j, bool canceled)
{
    struct question *q = (struct question *)j;
    struct history *h = q->history;

    MAGIC_CHECK(q, QUESTION_MAGIC);
    *q->link = q->next;
    if (q->next)
        q->next->link = q->link;
    h->asked--;
    if (canceled)
        q->answer.result = -ECANCELED;
    if (q->answer.result && !q->answer.why)
        q->answer.why = strerror(-q->answer.result);
    q->answer.body = q->answer.result ? NULL : &q->body;
    if (q->then)
        q->then(q->data, &q->answer);
    buf_release(&q->body);
    free(q->row);
    q->magic = 0;
    free(q);
}

static struct question *new_question(struct history *h, size_t rows, void (*work)(struct job *),
                                     history_came then, void *data)
{
    struct question *q = calloc(1, sizeof(*q));

    if (!q)
        return NULL;
    q->row = calloc(rows ? rows : 1, sizeof(*q->row));
    if (!q->row) {
        free(q);
        return NULL;
    }
    q->job = (struct job){NULL, work, question_after, NULL};
    q->magic = QUESTION_MAGIC;
    q->history = h;
    q->then = then;
    q->data = data;
    return q;
}

static int put_question(struct question *q)
{
    struct history *h = q->history;

    q->next = h->questions;
    q->link = &h->questions;
    if (q->next)
        q->next->link = &q->next;
    h->questions = q;
    h->asked++;
    jobs_add(h->jobs, &q->job);
    return 0;
}

static int may_ask(const struct history *h)
{
    if (!h)
        return -ENOTSUP;
    MAGIC_CHECK(h, HISTORY_MAGIC);
    return h->asked >= HISTORY_QUESTIONS_MAX ? -EBUSY : 0;
}

static bool fits(const struct history *h, const struct history_query *q, const struct key *k)
{
    return (!q->type[0] || strcmp(h->types.name[k->type], q->type) == 0) &&
           (!q->from_ns || k->time_ns >= q->from_ns) && (!q->to_ns || k->time_ns < q->to_ns);
}

int history_list(struct history *h, const struct history_query *query, history_came then,
                 void *data)
{
    size_t limit =
        query->limit && query->limit < HISTORY_LIST_MAX ? query->limit : HISTORY_LIST_MAX;
    struct question *q;
    int r = may_ask(h);

    if (r)
        return r;
    q = new_question(h, limit, list_work, then, data);
    if (!q)
        return -ENOMEM;
    for (size_t i = h->rows.count; i-- > 0 && !q->more;) {
        if (!fits(h, query, &h->rows.row[i].key))
            continue;
        if (q->count == limit)
            q->more = true;
        else
            q->row[q->count++] = h->rows.row[i];
    }
    return put_question(q);
}

int history_read(struct history *h, const char *id, history_came then, void *data)
{
    struct question *q;
    int r = may_ask(h);

    if (r)
        return r;
    for (size_t i = h->rows.count; i-- > 0;) {
        char one[ITEM_ID_BYTES];

        key_id(&h->rows.row[i].key, one);
        if (strcmp(one, id) != 0)
            continue;
        q = new_question(h, 1, read_work, then, data);
        if (!q)
            return -ENOMEM;
        q->row[q->count++] = h->rows.row[i];
        return put_question(q);
    }
    return -ENOENT;
}

int history_merge(struct history *h, const struct history_query *query, history_came then,
                  void *data)
{
    struct question *q;
    size_t n = 0;
    int r = may_ask(h);

    if (r)
        return r;
    for (size_t i = 0; i < h->rows.count; i++)
        n += fits(h, query, &h->rows.row[i].key);
    if (n == 0 || n > HISTORY_MERGE_MAX)
        return n ? -EFBIG : -ENOENT;
    q = new_question(h, n, merge_work, then, data);
    if (!q)
        return -ENOMEM;
    for (size_t i = 0; i < h->rows.count && q->count < n; i++) {
        if (fits(h, query, &h->rows.row[i].key))
            q->row[q->count++] = h->rows.row[i];
    }
    return put_question(q);
}

void history_forget(struct history *h, const void *data)
{
    if (!h)
        return;
    MAGIC_CHECK(h, HISTORY_MAGIC);
    for (struct question *q = h->questions; q; q = q->next)
        q->then = q->data == data ? NULL : q->then;
}
