/*
 * banned.h: forced into every file of ours (-include): calls that have no safe use here.
 * The headers that declare them come first, so that only our own uses break.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef __cplusplus
#    pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets atoi atol atof \
        gmtime localtime
#endif

#endif
