/*
 * refused.h: which system call the filter refused. The kernel tells the parent only "SIGSYS"; the
 * number stands in the signal's siginfo (sigaction(2), si_syscall), which nobody but the program
 * itself can see. So it says it, as the last thing it does:
 *
 *     {"level":"error","msg":"system call refused","program":"sampler","call":"ptrace (101)"}
 *
 * base/seccomp.c says why this takes nothing from the filter.
 */
#ifndef BASE_REFUSED_H
#define BASE_REFUSED_H

/** refused_report(): SIGSYS is handled from here on; before the filter is loaded. */
void refused_report(void);

/** refused_name(nr): the call's name on this architecture as this build's headers have it, or "?".
 */
const char *refused_name(int nr);

#endif
