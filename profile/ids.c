/*
 * seen gives each id of the file a dense number in order of appearance; ours[] tells what that one
 * became. Two ids of the file may well become one of ours, when their content is equal.
 */
#include "profile/ids.h"

#include <errno.h>

enum {
    IDS_FIRST = 64,
    IDS_ITEM_BYTES = 64, /* more than one id takes in the table: the count is what bounds it */
};

void ids_init(struct ids *t, const char *what, uint32_t max)
{
    *t = (struct ids){.what = what};
    intern_init(&t->seen, max, (size_t)max * IDS_ITEM_BYTES);
}

void ids_release(struct ids *t)
{
    intern_release(&t->seen);
    free(t->ours);
    t->ours = NULL;
    t->cap = 0;
}

int ids_add(struct ids *t, uint64_t id, uint32_t ours, struct err *e)
{
    uint32_t number;
    int is_new;

    if (id == 0)
        return err_set(e, -EBADMSG, "a %s has the id 0", t->what);
    number = intern_put(&t->seen, &id, sizeof(id), &is_new);
    if (number == INTERN_NONE)
        return err_set(e, -E2BIG, "more than %u %ss", t->seen.max_items, t->what);
    if (!is_new) /* the words of google/pprof's CheckValid, so that a search finds both */
        return err_set(e, -EBADMSG, "multiple %ss with same id: %llu", t->what,
                       (unsigned long long)id);
    if (number == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : IDS_FIRST;
        uint32_t *p = realloc(t->ours, cap * sizeof(*p));

        if (!p)
            return err_set(e, -ENOMEM, "no memory for the profile");
        t->ours = p;
        t->cap = cap;
    }
    t->ours[number] = ours;
    return 0;
}

int ids_find(const struct ids *t, uint64_t id, uint32_t *ret, struct err *e)
{
    uint32_t number = intern_find(&t->seen, &id, sizeof(id));

    if (number == INTERN_NONE)
        return err_set(e, -EBADMSG, "there is no %s with the id %llu", t->what,
                       (unsigned long long)id);
    *ret = t->ours[number];
    return 0;
}
