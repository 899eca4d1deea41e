/*
 * The order of the refusals: first whether the request was meant for us at all (Host), then whether
 * the browser that sent it did so for our own page. Credentials come later and are the handler's,
 * so none of these texts tells anything that a stranger may not know.
 */
#include "sidecar/http/request.h"

#include <string.h>
#include <strings.h>
#include <sys/random.h>

void request_clear(struct server_request *r)
{
    char peer[sizeof(r->peer)];

    /* who is on the other side is known since accept(2) and outlives the request */
    memcpy(peer, r->peer, sizeof(peer));
    *r = (struct server_request){
        .method = SERVER_OTHER, .path = "", .query = "", .listener = r->listener};
    memcpy(r->peer, peer, sizeof(peer));
}

void request_id(struct server_request *r)
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char raw[16] = {0};

    /* Only has to be unlike the others; after boot getrandom(2) does not fail. */
    (void)!getrandom(raw, sizeof(raw), GRND_NONBLOCK);
    for (size_t i = 0; i < sizeof(raw); i++) {
        r->id[2 * i] = DIGITS[raw[i] >> 4];
        r->id[2 * i + 1] = DIGITS[raw[i] & 15];
    }
    r->id[sizeof(r->id) - 1] = '\0';
}

/* A client's own id, if it can be put into a header and a log line as it is. */
static bool take_id(struct server_request *r, const char *id)
{
    size_t bytes = id ? strlen(id) : 0;

    if (bytes == 0 || bytes >= sizeof(r->id))
        return false;
    for (size_t i = 0; i < bytes; i++) {
        bool ok = (id[i] >= '0' && id[i] <= '9') || (id[i] >= 'A' && id[i] <= 'Z') ||
                  (id[i] >= 'a' && id[i] <= 'z') || id[i] == '-';

        if (!ok)
            return false;
    }
    memcpy(r->id, id, bytes + 1);
    return true;
}

void request_fill(struct server_request *r, const struct parse *p)
{
    r->method = parse_method(p);
    r->path = parse_path(p);
    r->query = parse_query(p);
    r->body = p->body.data;
    r->body_bytes = p->body.len;
    r->authorization = parse_value(p, PARSE_AUTHORIZATION);
    r->token = parse_value(p, PARSE_TOKEN);
    r->user_agent = parse_value(p, PARSE_USER_AGENT);
    r->origin = parse_value(p, PARSE_ORIGIN);
    r->sec_fetch_site = parse_value(p, PARSE_SEC_FETCH_SITE);
    r->accepts_gzip = p->accepts_gzip;
    if (!take_id(r, parse_value(p, PARSE_REQUEST_ID)))
        request_id(r);
}

static unsigned refused_host(const char *text, const struct request_place *place,
                             const char **ret_why)
{
    struct host given;

    *ret_why = "the Host header is not a host";
    if (host_parse(text, &given))
        return 400;
    /* On a wildcard listener the dialled address is as good as a configured one: rebinding needs a
     * name, and a name is not an address. */
    if (host_matches(&place->local, &given, place->port))
        return 0;
    for (size_t i = 0; i < place->hosts_count; i++) {
        if (host_matches(&place->hosts[i], &given, place->port))
            return 0;
    }
    *ret_why = "this Host is not served here: add it to admin.hosts (with its port, if that is not "
               "the listener's)";
    return 421;
}

/* RFC 6454: does this Origin name the very place that the request went to? */
static bool same_origin(const char *origin, const char *host, bool tls)
{
    if (strncasecmp(origin, "https://", 8) == 0)
        return strcasecmp(origin + 8, host) == 0;
    /* a page that came without TLS may have been written by anyone on the way */
    return !tls && strncasecmp(origin, "http://", 7) == 0 && strcasecmp(origin + 7, host) == 0;
}

unsigned request_refused(const struct parse *p, const struct request_place *place,
                         const char **ret_why)
{
    const char *host = parse_value(p, PARSE_HOST);
    const char *origin = parse_value(p, PARSE_ORIGIN);
    const char *site = parse_value(p, PARSE_SEC_FETCH_SITE);
    unsigned status = refused_host(host, place, ret_why);

    if (status)
        return status;
    *ret_why = "requests from pages of other sites are not accepted";
    if (origin && !same_origin(origin, host, place->tls))
        return 403;
    /* "none": the user typed the address (W3C Fetch Metadata) */
    if (site && strcasecmp(site, "same-origin") != 0 && strcasecmp(site, "none") != 0)
        return 403;
    return 0;
}
