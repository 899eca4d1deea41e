/* The guard's half of front.h. */
#include <errno.h>

#include "wire/front.h"

void front_guard_open(struct link *l, int fd)
{
    link_init(l, fd, WIRE_ROLE_GUARD, WIRE_ROLE_FRONT);
}

int front_tell(struct link *l, const struct wire_status *status, int sampler_fd)
{
    return link_send(l, WIRE_TELL_STATUS, 0, status, sizeof(*status), NULL, 0, &sampler_fd,
                     sampler_fd >= 0);
}

int front_tell_facts(struct link *l, const struct wire_facts *facts)
{
    return link_send(l, WIRE_TELL_FACTS, 0, facts, sizeof(*facts), NULL, 0, NULL, 0);
}

int front_listen(struct link *l, enum front_said *ret)
{
    struct packet p;
    int r = link_recv(l, 0, &p);

    if (r)
        return r;
    if (p.head.type == WIRE_TELL_FRONT_READY) {
        l->turn.state = WIRE_STATE_RUN;
        *ret = FRONT_SAID_READY;
    } else {
        *ret = FRONT_SAID_BLAME;
    }
    return 0;
}
