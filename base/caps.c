#include "base/caps.h"

/* Without "CAP_", as Kubernetes writes them. */
static const struct {
    int bit;
    const char *name;
} caps_names[] = {
    {CAP_PERFMON, "PERFMON"},
    {CAP_SYS_PTRACE, "SYS_PTRACE"},
    {CAP_CHOWN, "CHOWN"},
    {CAP_DAC_OVERRIDE, "DAC_OVERRIDE"},
    {CAP_DAC_READ_SEARCH, "DAC_READ_SEARCH"},
    {CAP_FOWNER, "FOWNER"},
    {CAP_FSETID, "FSETID"},
    {CAP_KILL, "KILL"},
    {CAP_SETGID, "SETGID"},
    {CAP_SETUID, "SETUID"},
    {CAP_SETPCAP, "SETPCAP"},
    {CAP_LINUX_IMMUTABLE, "LINUX_IMMUTABLE"},
    {CAP_NET_BIND_SERVICE, "NET_BIND_SERVICE"},
    {CAP_NET_BROADCAST, "NET_BROADCAST"},
    {CAP_NET_ADMIN, "NET_ADMIN"},
    {CAP_NET_RAW, "NET_RAW"},
    {CAP_IPC_LOCK, "IPC_LOCK"},
    {CAP_IPC_OWNER, "IPC_OWNER"},
    {CAP_SYS_MODULE, "SYS_MODULE"},
    {CAP_SYS_RAWIO, "SYS_RAWIO"},
    {CAP_SYS_CHROOT, "SYS_CHROOT"},
    {CAP_SYS_PACCT, "SYS_PACCT"},
    {CAP_SYS_ADMIN, "SYS_ADMIN"},
    {CAP_SYS_BOOT, "SYS_BOOT"},
    {CAP_SYS_NICE, "SYS_NICE"},
    {CAP_SYS_RESOURCE, "SYS_RESOURCE"},
    {CAP_SYS_TIME, "SYS_TIME"},
    {CAP_SYS_TTY_CONFIG, "SYS_TTY_CONFIG"},
    {CAP_MKNOD, "MKNOD"},
    {CAP_LEASE, "LEASE"},
    {CAP_AUDIT_WRITE, "AUDIT_WRITE"},
    {CAP_AUDIT_CONTROL, "AUDIT_CONTROL"},
    {CAP_SETFCAP, "SETFCAP"},
    {CAP_MAC_OVERRIDE, "MAC_OVERRIDE"},
    {CAP_MAC_ADMIN, "MAC_ADMIN"},
    {CAP_SYSLOG, "SYSLOG"},
    {CAP_WAKE_ALARM, "WAKE_ALARM"},
    {CAP_BLOCK_SUSPEND, "BLOCK_SUSPEND"},
    {CAP_AUDIT_READ, "AUDIT_READ"},
    {CAP_BPF, "BPF"},
    {CAP_CHECKPOINT_RESTORE, "CHECKPOINT_RESTORE"},
};

/* Where the next one goes, or ${n} again when it does not fit; what is there stays whole. */
static size_t append(char *out, size_t bytes, size_t n, const char *name)
{
    int w = snprintf(out + n, bytes - n, "%s%s", n ? "," : "", name);

    if (w >= 0 && (size_t)w < bytes - n)
        return n + (size_t)w;
    out[n] = '\0';
    return n;
}

const char *caps_text(uint64_t caps, char *out, size_t bytes)
{
    char rest[24];
    size_t n = 0;

    out[0] = '\0';
    if (caps == 0)
        n = append(out, bytes, n, "none");
    if (caps == CAPS_ALL) {
        (void)append(out, bytes, n, "all");
        return out;
    }
    for (size_t i = 0; i < sizeof(caps_names) / sizeof(caps_names[0]); i++) {
        if (caps & CAPS_BIT(caps_names[i].bit))
            n = append(out, bytes, n, caps_names[i].name);
        caps &= ~CAPS_BIT(caps_names[i].bit);
    }
    if (caps) {
        (void)snprintf(rest, sizeof(rest), "0x%llx", (unsigned long long)caps);
        (void)append(out, bytes, n, rest);
    }
    return out;
}
