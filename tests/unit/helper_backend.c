#include "tests/unit/helper_backend.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"

static void die(const char *what)
{
    perror(what);
    _exit(99);
}

/* The line that says where it listens. */
static uint16_t read_port(int fd)
{
    char line[256];
    size_t n = 0;
    uint64_t port = 0;

    while (n < sizeof(line) - 1 && read(fd, line + n, 1) == 1 && line[n] != '\n')
        n++;
    line[n] = '\0';
    if (n == 0)
        die("backend.py did not start");
    if (strncmp(line, "port ", 5) == 0 && num_u64(line + 5, n - 5, 10, 65535, &port))
        die("backend.py says no port");
    return (uint16_t)port;
}

static void run_child(const char *log, const char *const *args, int in, int out)
{
    const char *argv[HELPER_BACKEND_ARGS_MAX + 6] = {"python3", "tests/e2e/servers/backend.py",
                                                     "--log", log};
    size_t n = 4;

    for (size_t i = 0; args && args[i] && n < HELPER_BACKEND_ARGS_MAX + 4; i++)
        argv[n++] = args[i];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        die("dup2");
    (void)execvp("python3", (char *const *)(uintptr_t)argv);
    die("python3");
}

void helper_backend_start(struct helper_backend *b, const char *folder, const char *const *args)
{
    int in[2], out[2];

    (void)snprintf(b->log, sizeof(b->log), "%.96s/log-XXXXXX", folder);
    if (close(mkstemp(b->log)) || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        die("pipe");
    b->pid = fork();
    if (b->pid < 0)
        die("fork");
    if (b->pid == 0)
        run_child(b->log, args, in[0], out[1]);
    (void)close(in[0]);
    (void)close(out[1]);
    b->in = in[1];
    b->port = read_port(out[0]);
    (void)close(out[0]);
}

void helper_backend_stop(struct helper_backend *b)
{
    int status;

    if (b->pid <= 0)
        return;
    (void)close(b->in);
    (void)kill(b->pid, SIGKILL);
    (void)waitpid(b->pid, &status, 0);
    b->pid = 0;
}

size_t helper_backend_count(const struct helper_backend *b, const char *text)
{
    FILE *f = fopen(b->log, "re");
    char *line = NULL;
    size_t cap = 0, n = 0;

    if (!f)
        die(b->log);
    while (getline(&line, &cap, f) > 0)
        n += strstr(line, text) ? 1 : 0;
    free(line);
    (void)fclose(f);
    return n;
}

int helper_backend_certificates(const char *folder)
{
    static const char SCRIPT[] =
        "cd %s && exec >/dev/null 2>&1 && "
        "key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; } && "
        "ca() { key $1 && openssl req -x509 -new -key $1.key -subj /CN=$1 -days 30 -out $1.crt "
        "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign; } && "
        "leaf() { key $1 && openssl req -new -key $1.key -subj /CN=$1 -out $1.csr && "
        "echo subjectAltName=$2 >$1.ext && "
        "openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -set_serial $3 -extfile $1.ext "
        "-out $1.crt $4 $5; } && "
        "ca ca && ca other-ca && "
        "leaf good DNS:localhost,IP:127.0.0.1,DNS:backend.example 11 -days 30 && "
        "leaf name DNS:elsewhere.example 12 -days 30 && "
        "leaf client DNS:client.example 14 -days 30 && "
        "leaf old DNS:localhost,IP:127.0.0.1 13 -days -1";
    char command[2048];

    (void)snprintf(command, sizeof(command), SCRIPT, folder);
    return system(command) == 0 ? 0 : -1;
}

void helper_backend_folder(char out[static HELPER_BACKEND_PATH])
{
    (void)snprintf(out, HELPER_BACKEND_PATH, "/tmp/pillion-backend-XXXXXX");
    if (!mkdtemp(out))
        die("mkdtemp");
}

void helper_backend_remove(const char *folder)
{
    char command[256];

    if (strncmp(folder, "/tmp/pillion-backend-", strlen("/tmp/pillion-backend-")) != 0)
        return;
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command) != 0)
        (void)fprintf(stderr, "%s stays\n", folder);
}
