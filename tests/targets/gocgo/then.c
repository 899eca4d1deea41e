/* A file of its own: a preamble is compiled twice when something is exported. */
#include "_cgo_export.h"

static volatile unsigned long calls;

void c_then_go(int n)
{
    goBack(n);
    calls++;
}
