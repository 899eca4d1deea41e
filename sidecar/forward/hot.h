/*
 * hot.h: profiles that are being forwarded now, read from the store and packed once for all
 * backends that send them at about the same time.
 *
 * Of those that nobody uses any more HOT_KEPT_MAX small ones are kept, since backends seldom ask at
 * the very same moment. Everything here is called from the loop; reading and packing happen in
 * libuv's pool.
 */
#ifndef SIDECAR_FORWARD_HOT_H
#define SIDECAR_FORWARD_HOT_H

#include "sidecar/forward/backend.h"
#include "sidecar/store/store.h"

enum {
    HOT_KEPT_MAX = 4,
    HOT_KEPT_MAX_BYTES = 1024 * 1024, /* not packed; larger ones are not kept */
    HOT_WAITERS_MAX = CONFIG_BACKENDS_MAX,
};

struct hot;      /* opaque: all of them */
struct hot_item; /* opaque: one, counted */

/* It is there (0: ask again) or cannot be had (-errno: -EBADMSG the store has dropped it). */
typedef void (*hot_came)(void *data, int result, const char *why);

struct hot *hot_new(uv_loop_t *loop, struct store *store); /* NULL without memory */
/** hot_free(h): NULL-safe. Items that are still held stay valid until hot_put(). */
void hot_free(struct hot *h);

/**
 * hot_get(h, backend, entry, then, data, ret): 0 and the item, held for the caller; -EAGAIN: it is
 * on its way and ${then} will be called, once; or another -errno.
 */
int hot_get(struct hot *h, uint32_t backend, const struct store_entry *entry, hot_came then,
            void *data, struct hot_item **ret);

/** hot_forget(h, data): the callbacks of ${data} will not be called. */
void hot_forget(struct hot *h, const void *data);

/** hot_put(i): no longer held. NULL-safe. */
void hot_put(struct hot_item *i);

/** hot_input(i, ret): its bytes, valid while it is held; in any thread. */
void hot_input(const struct hot_item *i, struct backend_input *ret);

#endif
