/*
 * verify.h: what must hold between keys, after the file and again after the command line.
 */
#ifndef CONFIG_VERIFY_H
#define CONFIG_VERIFY_H

#include "config/config.h"

/**
 * config_verify(c, ret_at, e): 0, or -EINVAL; *ret_at is then the path of the key that is to blame
 * ("admin.tls"), a constant.
 */
int config_verify(const struct config *c, const char **ret_at, struct err *e);

#endif
