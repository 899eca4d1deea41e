/*
 * helper_store.h: a store in a folder of its own, asked as if it answered at once: each call turns
 * the loop until its callback came.
 */
#ifndef TESTS_UNIT_HELPER_STORE_H
#define TESTS_UNIT_HELPER_STORE_H

#include "sidecar/store/store.h"

struct helper_store {
    uv_loop_t loop;
    struct config *config;
    struct store *store;
    char folder[64]; /* spool/ and history/ lie in it */
};

/** helper_store_begin(h, backends): a folder, a configuration with backends a, b, c …; not open. */
void helper_store_begin(struct helper_store *h, unsigned backends);
void helper_store_end(struct helper_store *h); /* closes, removes the folder */

int helper_store_open(struct helper_store *h, struct err *e);
void helper_store_close(struct helper_store *h); /* as an orderly end does */

/** helper_store_turn(h, ms): turn the loop for so long. */
void helper_store_turn(struct helper_store *h, unsigned ms);

/** helper_store_item(n, type, ret): the n-th, its id and time made of ${n}. */
void helper_store_item(unsigned n, const char *type, struct item *ret);

/** helper_store_put(h, n, bytes, backends, ret_why): store_put() of item n; what came, in the end.
 */
int helper_store_put(struct helper_store *h, unsigned n, size_t bytes, uint32_t backends,
                     const char **ret_why);

/** helper_store_fetch(h, backend, handle, ret): what came; 0 also means that the pprof is item n's
 * (n from the id). */
int helper_store_fetch(struct helper_store *h, uint32_t backend, uint64_t handle, struct item *ret);

/** helper_store_files(h, folder): names in that folder beneath spool/, -1: none. */
int helper_store_files(const struct helper_store *h, const char *folder);

/** helper_store_raw(n, bytes, out): what item n is filled with. */
void helper_store_raw(unsigned n, size_t bytes, unsigned char *out);

/** helper_store_rm(path): rm -rf, of what a test made. */
void helper_store_rm(const char *path);

#endif
