/*
 * `pillion token`: the token is shown this once; what the configuration keeps is its hash.
 */
#include "auth/auth.h"
#include "cli/verbs.h"

int cli_token(int argc, char **argv)
{
    char token[AUTH_TOKEN_TEXT_BYTES];
    char hex[2 * CONFIG_SHA256_BYTES + 1];
    int r;

    (void)argv;
    if (argc > 1)
        return cli_fail(CLI_CANNOT, "token takes no arguments");
    r = auth_token_make(token, sizeof(token));
    if (r)
        return cli_fail(CLI_CANNOT, "no random bytes: %s", strerror(-r));
    auth_sha256_hex(token, strlen(token), hex);
    (void)printf("%s\n- {name: NAME, sha256: \"%s\", scopes: [view]}\n", token, hex);
    explicit_bzero(token, sizeof(token));
    return cli_flush();
}
