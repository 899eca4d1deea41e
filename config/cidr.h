/*
 * cidr.h: ranges of addresses as text, "10.0.0.0/8", "2001:db8::/32", "127.0.0.1".
 */
#ifndef CONFIG_CIDR_H
#define CONFIG_CIDR_H

#include "config/config.h"

/**
 * config_cidr_parse(text, ret, e): RFC 4632 and RFC 4291, 2.3. An address alone is a range of one;
 * bits set behind the prefix are refused, since one of the two numbers is then not what was meant.
 * IPv4 becomes ::ffff:a.b.c.d/96+n. 0 or -EINVAL.
 */
int config_cidr_parse(const char *text, struct config_cidr *ret, struct err *e);

/** config_cidr_print(c, out): the text that config_cidr_parse() takes, always with its prefix. */
void config_cidr_print(const struct config_cidr *c, struct buf *out);

/**
 * config_cidr_holds(list, count, address): is ${address} in one of these ranges? It is written as
 * struct config_cidr has it, IPv4 as ::ffff:a.b.c.d, so an IPv4 client of a dual-stack socket is in
 * an IPv4 range. An empty list holds nothing.
 */
bool config_cidr_holds(const struct config_cidr *list, size_t count,
                       const uint8_t address[static 16]);

#endif
