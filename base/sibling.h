/*
 * sibling.h: where do our other programs lie? Beside this one (build tree, image), or, installed,
 * in libexec/pillion/ seen from bin/ and in bin/ seen from libexec/pillion/. Never through PATH:
 * the guard may hold capabilities, and what it starts must not depend on the environment.
 */
#ifndef BASE_SIBLING_H
#define BASE_SIBLING_H

#include <stddef.h>

/**
 * sibling_path(name, out, bytes): the absolute path of the program ${name} ("pillion-guard") that
 * belongs to this one. 0, -ENOENT (not in any of the places, or not executable), -ENAMETOOLONG, or
 * another -errno of readlink(2) on /proc/self/exe. ${out} is set only on success.
 *
 * -EPERM: this program was given capabilities by its file (AT_SECURE, getauxval(3)), and somebody
 * but root and the file's owner could replace the other one. Else a hard link to the guard in a
 * folder of one's own would give the memory of every process to a sampler of one's own.
 */
int sibling_path(const char *name, char *out, size_t bytes);

#endif
