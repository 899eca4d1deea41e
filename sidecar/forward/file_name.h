/*
 * file_name.h: what a kept profile is called where people look for it: folders and object stores.
 */
#ifndef SIDECAR_FORWARD_FILE_NAME_H
#define SIDECAR_FORWARD_FILE_NAME_H

#include "sidecar/item.h"

enum {
    FILE_NAME_BYTES = 512,
    FILE_NAME_PART_BYTES = 128, /* longest service name in it; longer ones are cut */
};

/**
 * file_name_flat(item, service, ret): "20261121T150405.123Z-shop-cpu-ID.pb.gz": sorts by time. What
 * is not [A-Za-z0-9._-] in the service becomes "_".
 */
void file_name_flat(const struct item *item, const char *service, char ret[static FILE_NAME_BYTES]);

/** file_name_deep(item, service, ret): "shop/cpu/2026/11/21/20261121T150405.123Z-ID.pb.gz". */
void file_name_deep(const struct item *item, const char *service, char ret[static FILE_NAME_BYTES]);

#endif
