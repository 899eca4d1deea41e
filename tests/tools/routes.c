/*
 * routes: every row of the endpoint's table, one JSON object a line, for the matrix of scopes,
 * endpoints and credentials: what is tested cannot lag behind what is served.
 */
#include "sidecar/routes/table.h"

int main(void)
{
    size_t count;
    const struct route *rows = table_rows(&count);

    for (size_t i = 0; i < count; i++) {
        struct buf scopes;

        if (!(rows[i].where & ROUTE_ADMIN))
            continue;
        buf_init(&scopes, STATE_WHY_BYTES);
        config_scopes_print(rows[i].scope, &scopes);
        (void)printf("{\"path\":\"%s%s\",\"name\":\"%s\",\"scope\":\"%s\",\"listed\":%s}\n",
                     rows[i].path, rows[i].beneath ? "some" : "", rows[i].name, buf_text(&scopes),
                     rows[i].about ? "true" : "false");
        buf_release(&scopes);
    }
    return 0;
}
