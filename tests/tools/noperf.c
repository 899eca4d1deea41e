/*
 * noperf COMMAND [ARG...]: runs it as a container's default seccomp profile would: with
 * perf_event_open(2) refused (EPERM), and everything else allowed. `noperf --ptrace` refuses
 * ptrace(2) too.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int both = argc > 1 && strcmp(argv[1], "--ptrace") == 0;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, both ? SYS_ptrace : SYS_perf_event_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};

    argv += 1 + both;
    if (!argv[0])
        return 2;
    /* the system call numbers of another word size are nobody's here: tests run natively */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0) {
        perror("noperf");
        return 77;
    }
    execvp(argv[0], argv);
    perror(argv[0]);
    return 127;
}
