/*
 * A process that makes its profiler's life hard, in one of several ways, for as long as it lives:
 *
 *   abuse loop|wild|code|deep|sp     frame pointers: round and round, into nothing, to return
 *                                    addresses in data, 127 new addresses each time; SP garbage
 *   abuse maps N                     N mappings, every second one executable
 *   abuse files DIR N M              N files mapped executable, all of them in its stacks, behind M
 *                                    other mappings
 *   abuse libs FILE...               run through spin() of each library in turn
 *   abuse truncate|replace FILE      a library that is cut, filled or replaced all the time
 *   abuse swap FILE OTHER            map FILE, then rename OTHER (FIFO, device, …) over it
 *   abuse over FILE DIR OTHER        map FILE in DIR, then mount over DIR and put OTHER there
 *   abuse names DIR                  mapped files whose names are newlines, 0xff and 4 KB long
 *   abuse title                      a name of control characters
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FRAMES = 127, /* as many as the kernel follows */
    PAGE = 4096,
    CODE_BYTES = 1 << 30,
};

static volatile unsigned long counter;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

__attribute__((noinline)) static void burn(unsigned long turns)
{
    for (unsigned long i = 0; i < turns; i++)
        counter++;
}

/* Spin with this frame pointer and, unless 0, this stack pointer. */
__attribute__((noinline)) static void burn_at(uint64_t bp, uint64_t sp, unsigned long turns)
{
    __asm__ volatile("movq %%rsp, %%r12\n\t"
                     "movq %%rbp, %%r13\n\t"
                     "testq %1, %1\n\t"
                     "cmovneq %1, %%rsp\n\t"
                     "movq %0, %%rbp\n\t"
                     "1: decq %2\n\t"
                     "jnz 1b\n\t"
                     "movq %%r13, %%rbp\n\t"
                     "movq %%r12, %%rsp\n\t"
                     :
                     : "r"(bp), "r"(sp), "r"(turns)
                     : "r12", "r13", "memory", "cc");
}

static uint64_t random_u64(void)
{
    static uint64_t s = 88172645463325252u;

    s ^= s << 13;
    s ^= s >> 7;
    return s ^= s << 17;
}

static void *map(size_t bytes, int prot, int fd)
{
    void *p =
        mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

/* frames[0..n): a chain of frame records with these return addresses. */
static void burn_chain(const uint64_t *addresses, size_t n)
{
    static uint64_t frames[FRAMES + 1][2];

    for (size_t i = 0; i < n; i++) {
        frames[i][0] = i + 1 < n ? (uint64_t)&frames[i + 1] : 0;
        frames[i][1] = addresses[i];
    }
    burn_at((uint64_t)&frames[0], 0, 200000);
}

static void stacks(const char *mode)
{
    static uint64_t self[2], data[1024];
    uint64_t addresses[FRAMES], code = 0;
    static const uint64_t wild[] = {0,          8,         0x1000,         0x800000000000,
                                    ~0ull,      ~0ull - 7, 1ull << 63,     0xffffffff81000000,
                                    0x41414141, 3,         0x7ffffffff000, 0xffffffffff600000};

    self[0] = (uint64_t)self;
    self[1] = (uint64_t)burn + 4;
    if (strcmp(mode, "deep") == 0)
        code = (uint64_t)map(CODE_BYTES, PROT_READ | PROT_EXEC, -1);
    for (unsigned turn = 0;; turn++) {
        if (strcmp(mode, "loop") == 0)
            burn_at((uint64_t)self, 0, 1000000);
        else if (strcmp(mode, "wild") == 0)
            burn_at(wild[turn % 12], 0, 1000000);
        else if (strcmp(mode, "sp") == 0)
            burn_at(wild[turn % 12], wild[turn / 12 % 12] | 8, 1000000);
        for (int i = 0; i < FRAMES; i++)
            addresses[i] =
                code ? code + random_u64() % CODE_BYTES : (uint64_t)&data[random_u64() % 1024];
        if (strcmp(mode, "deep") == 0 || strcmp(mode, "code") == 0)
            burn_chain(addresses, FRAMES);
    }
}

static void many_maps(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (mmap(NULL, PAGE, PROT_READ | (i & 1 ? PROT_EXEC : 0), MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0) == MAP_FAILED)
            break;
}

/* The files first: mappings grow downwards, and who reads the list from its beginning meets them
 * last. */
static void many_files(const char *dir, unsigned n, unsigned others)
{
    uint64_t *start = calloc(n, sizeof *start), addresses[FRAMES];
    unsigned char elf[PAGE];
    int self = open("/proc/self/exe", O_RDONLY);

    if (self < 0 || read(self, elf, sizeof elf) != sizeof elf)
        die("/proc/self/exe");
    for (unsigned i = 0; i < n; i++) {
        char path[PAGE];
        int fd;

        snprintf(path, sizeof path, "%s/%u", dir, i);
        fd = open(path, O_RDWR | O_CREAT, 0700);
        if (fd < 0 || write(fd, elf, sizeof elf) != sizeof elf)
            die(path);
        start[i] = (uint64_t)map(PAGE, PROT_READ | PROT_EXEC, fd);
        close(fd);
    }
    many_maps(others);
    puts("ready");
    fflush(stdout);
    for (unsigned at = 0;;) {
        for (unsigned i = 0; i < FRAMES; i++)
            addresses[i] = start[at++ % n] + 64 + random_u64() % 1024;
        burn_chain(addresses, FRAMES);
    }
}

static void (*spin_of(const char *file))(void)
{
    void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    void (*spin)(void);

    if (!lib) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)&spin = dlsym(lib, "spin");
    return spin;
}

static void libs(char **files, int n)
{
    void (*spin[64])(void);

    for (int i = 0; i < n && i < 64; i++)
        spin[i] = spin_of(files[i]);
    puts("ready");
    fflush(stdout);
    for (int i = 0;; i++)
        spin[i % n]();
}

static const char *victim;

static void *truncator(void *unused)
{
    struct stat st;
    int fd = open(victim, O_RDWR);
    char *all;

    (void)unused;
    if (fd < 0 || fstat(fd, &st) != 0)
        die(victim);
    all = malloc((size_t)st.st_size);
    if (pread(fd, all, (size_t)st.st_size, 0) != st.st_size)
        die(victim);
    for (;;) { /* what is mapped stays; the tables behind it come and go, at times as garbage */
        off_t keep = 4 * PAGE + (off_t)(random_u64() % (uint64_t)(st.st_size - 4 * PAGE));

        if (ftruncate(fd, keep) != 0 ||
            pwrite(fd, all + keep, (size_t)(st.st_size - keep), keep) < 0)
            die("truncate");
        all[4 * PAGE + random_u64() % (uint64_t)(st.st_size - 4 * PAGE)] ^= (char)random_u64();
    }
    return NULL;
}

static void *replacer(void *unused)
{
    char cmd[2 * PAGE];

    (void)unused;
    snprintf(cmd, sizeof cmd, "cp '%s' '%s.new' && mv '%s.new' '%s'", victim, victim, victim,
             victim);
    for (;;)
        if (system(cmd) != 0)
            die(cmd);
    return NULL;
}

static void changing(const char *file, void *(*how)(void *))
{
    void (*spin)(void) = spin_of(file);
    pthread_t t;

    victim = file;
    pthread_create(&t, NULL, how, NULL);
    puts("ready");
    fflush(stdout);
    for (;;)
        spin();
}

static void swap(const char *file, const char *other)
{
    void (*spin)(void) = spin_of(file);

    if (rename(other, file) != 0)
        die("rename");
    puts("ready");
    fflush(stdout);
    for (;;)
        spin();
}

static void over(const char *file, const char *dir, const char *other)
{
    void (*spin)(void) = spin_of(file);
    char cmd[4 * PAGE];

    snprintf(cmd, sizeof cmd, "mount -t tmpfs none '%s' && cp '%s' '%s'", dir, other, file);
    if (system(cmd) != 0)
        die(cmd);
    puts("ready");
    fflush(stdout);
    for (;;)
        spin();
}

/* Copies of the library under names of our choice, one after another. */
static void names(const char *dir)
{
    static const char *const name[] = {
        "new\nline\n7f0000000000-7f0000001000 r-xp 00000000 00:00 0  x", "\xff\xfe\x1b[31m\x07",
        "back\\012slash (deleted)", "[vdso]", " "};
    char part[256], cmd[PAGE];
    void (*spin[8])(void);
    int n = 0;

    if (chdir(dir) != 0)
        die(dir);
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        snprintf(cmd, sizeof cmd, "./%s", name[i]);
        if (link("lib.so", name[i]) != 0)
            die(cmd);
        spin[n++] = spin_of(cmd);
        unlink(name[i]); /* another file for the next one */
        if (system("cp lib.so lib.so.2 && mv lib.so.2 lib.so") != 0)
            die("cp");
    }
    memset(part, 'd', 254);
    part[254] = '\0';
    for (int i = 0; i < 18; i++) { /* 4.5 KB: longer than any path that open(2) takes */
        if (mkdir(part, 0700) != 0 || rename("lib.so", "lib.so") != 0)
            die("mkdir");
        snprintf(cmd, sizeof cmd, "%s/lib.so", part);
        if (rename("lib.so", cmd) != 0 || chdir(part) != 0)
            die("chdir");
    }
    n = 0;
    puts("ready");
    fflush(stdout);
    {
        int fd = open("lib.so", O_RDONLY);
        uint64_t start = (uint64_t)map(PAGE, PROT_READ | PROT_EXEC, fd), addresses[1] = {start + 8};

        for (;; n++) {
            spin[n % 5]();
            burn_chain(addresses, 1);
        }
    }
}

static void title(void)
{
    prctl(PR_SET_NAME, "\x1b[31m\n) R 1 (\xff");
    for (;;)
        burn(100000);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    if (strcmp(mode, "maps") == 0)
        many_maps((unsigned)strtoul(argv[2], NULL, 10));
    else if (strcmp(mode, "files") == 0) {
        many_files(argv[2], (unsigned)strtoul(argv[3], NULL, 10),
                   (unsigned)strtoul(argv[4], NULL, 10));
    } else if (strcmp(mode, "libs") == 0)
        libs(argv + 2, argc - 2);
    else if (strcmp(mode, "truncate") == 0)
        changing(argv[2], truncator);
    else if (strcmp(mode, "replace") == 0)
        changing(argv[2], replacer);
    else if (strcmp(mode, "swap") == 0)
        swap(argv[2], argv[3]);
    else if (strcmp(mode, "over") == 0)
        over(argv[2], argv[3], argv[4]);
    else if (strcmp(mode, "names") == 0)
        names(argv[2]);
    else if (strcmp(mode, "title") == 0)
        title();
    else
        stacks(mode);
    puts("ready");
    fflush(stdout);
    for (;;)
        burn(100000);
}
