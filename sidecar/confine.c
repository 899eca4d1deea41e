/*
 * The order matters: no io_uring before there is a loop, listeners before the sandbox (it has no
 * socket, bind or listen), the sandbox before the first accept(2). The files of the configuration
 * are opened again on reload, so their folders are the only paths that stay readable.
 */
#include "sidecar/confine.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "base/sandbox.h"
#include "config/files.h"
#include "sidecar/client/trust.h"
#include "sidecar/outgoing.h"

enum {
    SPARE_FDS = 192, /* listeners, links, the loop's own, bulks on their way, files re-read */
};

int confine_loop(void)
{
    /* io_uring_setup has one number on all architectures (it is newer than the table they share) */
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        return -errno;
    return 0;
}

struct folders {
    char *path[SANDBOX_PATHS_MAX];
    size_t count;
    size_t lost; /* had no room */
};

static void add_path(struct folders *f, const char *start, size_t bytes)
{
    char *path;

    path = strndup(start, bytes);
    for (size_t i = 0; path && i < f->count; i++) {
        if (strcmp(f->path[i], path) == 0) {
            free(path);
            return;
        }
    }
    if (path && f->count < SANDBOX_PATHS_MAX) {
        f->path[f->count++] = path;
    } else {
        f->lost++;
        free(path);
    }
}

/* "/", "/etc", "/tmp", the home folder: too much else lies there. */
static bool holds_others(const char *folder, size_t bytes)
{
    const char *home = getenv("HOME");

    if (home && strlen(home) == bytes && memcmp(home, folder, bytes) == 0)
        return true;
    return folder[0] == '/' && (bytes < 2 || !memchr(folder + 1, '/', bytes - 1));
}

/* Where the folder is not one for such files, the file alone: it can be rewritten, not replaced. */
static void add_parent(struct folders *f, const char *file)
{
    const char *slash = strrchr(file, '/');
    size_t bytes = slash ? (size_t)(slash - file) : 0;

    if (!slash || holds_others(file, bytes)) /* without one: realpath(3) tells the folder */
        add_path(f, file, strlen(file));
    else
        add_path(f, file, bytes);
}

/*
 * The folder of ${file}, where it has one of its own, since it may be replaced by rename, and that
 * of what it is a link to, since there a certificate tool or the kubelet puts the next one.
 */
static void add_folder(struct folders *f, const char *file)
{
    char *real;

    if (!file[0])
        return;
    add_parent(f, file);
    real = realpath(file, NULL);
    if (real)
        add_parent(f, real);
    free(real);
}

/* What the configuration names; the folders that are written to are add_all_kept()'s. */
static void add_named(void *data, const char *key, enum config_file use, const char *path)
{
    (void)key;
    if (use != CONFIG_FILE_FOLDER)
        add_folder(data, path);
}

/*
 * What libc reads to resolve a name (resolv.conf(5), nsswitch.conf(5), gai.conf(5), hosts(5)), and
 * where systems have their CAs: the places of sidecar/client/trust.c. Of /etc/ssl and its like the
 * files alone, since private keys lie there too.
 */
static void add_system(struct folders *f)
{
    static const char *const files[] = {
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/host.conf",
        "/etc/nsswitch.conf",
        "/etc/gai.conf",
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    };
    static const char *const alone[] = {"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (access(files[i], F_OK) == 0)
            add_folder(f, files[i]);
    }
    if (getenv("SSL_CERT_FILE")) /* then it is the only place, see trust_bundle() */
        add_folder(f, trust_bundle(0));
    for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
        if (access(alone[i], F_OK) == 0)
            add_path(f, alone[i], strlen(alone[i]));
    }
}

/* A folder that is kept in, and the one it lies in when that is one of its own ("/data" and
 * "/var/lib" are not): a kept folder that was deleted can be made anew then. */
static void add_kept(struct folders *f, const char *folder)
{
    enum { OWN_DEPTH = 3 };
    char *real = folder[0] ? realpath(folder, NULL) : NULL;
    unsigned depth = 0;
    size_t last = 0;

    for (size_t i = 0; real && real[i]; i++) {
        if (real[i] == '/') {
            depth++;
            last = i;
        }
    }
    if (real && depth > OWN_DEPTH && !holds_others(real, last))
        add_path(f, real, last);
    else if (real)
        add_path(f, real, strlen(real));
    free(real);
}

/* What the program keeps by itself: the spool, the history, a backend that is a folder. */
static void add_all_kept(struct folders *f, const struct config *c)
{
    add_kept(f, c->spool.dir);
    add_kept(f, c->history.dir);
    for (size_t i = 0; i < c->forward_count; i++) {
        if (c->forward[i].type == CONFIG_BACKEND_DIRECTORY)
            add_kept(f, c->forward[i].path);
    }
}

static void no_work(uv_work_t *w)
{
    (void)w;
}

static void no_work_done(uv_work_t *w, int status)
{
    (void)w;
    (void)status;
}

/*
 * libuv starts all threads of its pool with the first piece of work, and they stay; it ends the
 * program where it cannot. When that returns, each has begun (init_threads() in its threadpool.c,
 * 1.44 to 1.51, waits for it). A loop of its own, so that none of ours turns before we are
 * confined.
 */
static int start_pool(void)
{
    uv_loop_t loop;
    uv_work_t work;
    int r = uv_loop_init(&loop);

    if (r)
        return r;
    r = uv_queue_work(&loop, &work, no_work, no_work_done);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    return r;
}

int confine_enter(const struct config *c, struct err *e)
{
    struct sandbox_want want = {
        .role = SANDBOX_SIDECAR,
        .allow = landlock_allow_paths,
        .threads = start_pool,
        .nofile = c->limits.connections + SPARE_FDS,
    };
    struct sandbox_state state;
    struct folders f = {.count = 0}, kept = {.count = 0};
    struct outgoing out;
    int r = outgoing_of(c, &out);

    if (r)
        return err_set(e, r, "backends at more than %d ports", SANDBOX_PORTS_MAX);
    want.connects = out.tcp;
    want.connects_unix = out.is_unix;
    memcpy(want.ports, out.ports, sizeof(want.ports));
    want.ports_count = out.count;
    add_folder(&f, c->path[0] ? c->path : CONFIG_DEFAULT_FILE);
    config_files(c, add_named, &f);
    if (out.tcp)
        add_system(&f);
    for (size_t i = 0; i < f.count; i++)
        want.read_paths[i] = f.path[i];
    want.read_paths_count = f.count;
    if (f.lost)
        log_warn("too many folders are configured: some files cannot be read again",
                 LOG_U64("folders", f.lost));
    add_all_kept(&kept, c);
    for (size_t i = 0; i < kept.count && i < SANDBOX_WRITES_MAX; i++)
        want.write_paths[i] = kept.path[i];
    want.write_paths_count = kept.count < SANDBOX_WRITES_MAX ? kept.count : SANDBOX_WRITES_MAX;
    r = sandbox_enter(&want, &state, e);
    if (r == 0)
        sandbox_log(&state);
    for (size_t i = 0; i < f.count; i++)
        free(f.path[i]);
    for (size_t i = 0; i < kept.count; i++)
        free(kept.path[i]);
    return r;
}
