/*
 * table.h: every path of the endpoint, in one table. Paths match exactly: what differs by a slash,
 * an escape, a dot or the case is another path and unknown.
 */
#ifndef SIDECAR_ROUTES_TABLE_H
#define SIDECAR_ROUTES_TABLE_H

#include "sidecar/routes/visit.h"

/** table_rows(ret_count): all rows, those of the index sorted by name. */
const struct route *table_rows(size_t *ret_count);

/** table_find(path, where): the row, NULL when this listener (enum route_where) has none. */
const struct route *table_find(const char *path, unsigned where);

/** table_custom(): the row of profiles that only the target's own endpoint has; table_find() never
 * gives it. */
const struct route *table_custom(void);

#endif
