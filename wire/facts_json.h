/*
 * facts_json.h: the guard's facts as JSON, for /api/v1/status and `pillion doctor --json` alike:
 * the same names in both. Verdicts are "ok", "untried" or the name of an errno ("EPERM").
 */
#ifndef WIRE_FACTS_JSON_H
#define WIRE_FACTS_JSON_H

#include "base/json.h"
#include "wire/remedy.h"

/** facts_json(f, j, key): one object: calls, machine, both sides. Without a target only ours. */
void facts_json(const struct wire_facts *f, struct json *j, const char *key);

/**
 * facts_json_want(f, want, j): members of an object that is open: reason, causes, grants;
 * empty when it can be had.
 */
void facts_json_want(const struct wire_facts *f, enum rights_want want, struct json *j);

#endif
