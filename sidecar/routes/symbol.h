/*
 * symbol.h: /debug/pprof/symbol: names of addresses. GET with the addresses as the query, POST with
 * them as the body (what `go tool pprof` does): 0x1234+0x5678, in any base Go's ParseUint reads.
 */
#ifndef SIDECAR_ROUTES_SYMBOL_H
#define SIDECAR_ROUTES_SYMBOL_H

#include "sidecar/routes/visit.h"

/** symbol_handle(v): "num_symbols: 1", then a line "0xaddr name" for each one that is known. */
void symbol_handle(struct visit *v);

/**
 * symbol_parse(text, bytes, ret, max): addresses separated by '+'; what is no number, and 0, is
 * passed over as net/http/pprof does. Their count, or -E2BIG when there are more than ${max}.
 */
int symbol_parse(const char *text, size_t bytes, uint64_t *ret, size_t max);

#endif
