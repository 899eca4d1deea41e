#include "base/refused.h"

#include <asm/unistd.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"

/* Made by the Makefile of what <sys/syscall.h> has: {number, "name"} each. */
static const struct {
    int nr;
    const char *name;
} calls[] = {
#include "base/syscall_names.inc"
};

const char *refused_name(int nr)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].nr == nr)
            return calls[i].name;
    }
    return "?";
}

/*
 * Runs wherever the call was made, maybe inside of malloc: no allocation and no lock. Another call
 * that is refused here ends the program at once, since SIGSYS is blocked meanwhile. So does the
 * last line: the filter lets nobody touch this handler (SECCOMP_RET_KILL_PROCESS), and the parent
 * sees SIGSYS as ever.
 */
static void on_refused(int sig, siginfo_t *info, void *context)
{
    char call[64];

    (void)context;
    (void)snprintf(call, sizeof(call), "%s (%d)", refused_name(info->si_syscall), info->si_syscall);
    log_last("system call refused", "call", call);
    (void)signal(sig, SIG_DFL);
    _exit(128 + SIGSYS); /* not reached: SIGSYS from elsewhere, before there was a filter */
}

void refused_report(void)
{
    struct sigaction act = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};

    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGSYS, &act, NULL);
}
