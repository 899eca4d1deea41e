/*
 * guard/{target,mapped}.c: what of a target is read and opened, and what is not. The target is a
 * copy of this process that has a file mapped; then the file's name becomes something else.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bulk.h"
#include "guard/target.h"

enum {
    PAGE = 4096,
};

static struct {
    char folder[64], file[96], other[96];
    struct target target;
    struct wire_file mapping;
    unsigned char *map;
    pid_t pid;
} t;

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static uint64_t start_of(pid_t pid)
{
    struct proc_stat st = {0};

    assert_int_equal(proc_stat(pid, &st), 0);
    return st.start_ticks;
}

static int begin(void **state)
{
    struct stat st;
    int fd;

    (void)state;
    memset(&t, 0, sizeof(t));
    (void)snprintf(t.folder, sizeof(t.folder), "/tmp/pillion-target-XXXXXX");
    if (!mkdtemp(t.folder) || chmod(t.folder, 0755) != 0)
        return -1;
    (void)snprintf(t.file, sizeof(t.file), "%s/mapped", t.folder);
    (void)snprintf(t.other, sizeof(t.other), "%s/other", t.folder);
    write_file(t.file, "the mapped one");
    fd = open(t.file, O_RDONLY);
    t.map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    if (t.map == MAP_FAILED || fstat(fd, &st) != 0)
        return -1;
    (void)close(fd);
    t.pid = fork();
    if (t.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            (void)pause();
    }
    if (target_init(&t.target) != 0 || target_take(&t.target, t.pid, start_of(t.pid)) != 0)
        return -1;
    t.mapping = (struct wire_file){.generation = t.target.wire.generation,
                                   .start = (uint64_t)(uintptr_t)t.map,
                                   .inode = st.st_ino};
    return 0;
}

static int end(void **state)
{
    (void)state;
    (void)kill(t.pid, SIGKILL);
    (void)waitpid(t.pid, NULL, 0);
    target_release(&t.target);
    (void)munmap(t.map, PAGE);
    (void)unlink(t.file);
    (void)unlink(t.other);
    return rmdir(t.folder);
}

/* --- files --- */

static void the_mapped_file(void **state)
{
    char text[32] = "";
    int fd = -1;

    (void)state;
    assert_int_equal(target_file(&t.target, &t.mapping, &fd), 0);
    assert_int_equal(pread(fd, text, sizeof(text), 0), 14);
    assert_string_equal(text, "the mapped one");
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), -1);
    (void)close(fd);
}

static void no_such_mapping(void **state)
{
    struct wire_file want = t.mapping;
    int fd = -1;

    (void)state;
    want.inode++;
    assert_int_equal(target_file(&t.target, &want, &fd), -ENOENT);
    want = t.mapping;
    want.start += PAGE;
    assert_int_equal(target_file(&t.target, &want, &fd), -ENOENT);
    want = t.mapping;
    want.generation++;
    assert_int_equal(target_file(&t.target, &want, &fd), -ESTALE);
    assert_int_equal(fd, -1);
}

/* The name now means something else: it must not even be opened, for an open may do things. */
static void is_refused(int wants)
{
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    char events[512];
    int fd = -1;

    /* IN_OPEN comes from every open(2) but one with O_PATH; of the name itself, not of a link */
    assert_true(inotify_add_watch(watch, t.file, IN_OPEN | IN_DONT_FOLLOW) >= 0);
    assert_int_equal(target_file(&t.target, &t.mapping, &fd), wants);
    assert_int_equal(fd, -1);
    assert_int_equal(read(watch, events, sizeof(events)), -1);
    (void)close(watch);
}

static void replaced_by_a_file(void **state)
{
    (void)state;
    write_file(t.other, "another");
    assert_int_equal(rename(t.other, t.file), 0);
    is_refused(-ESTALE);
}

static void replaced_by_a_link(void **state)
{
    (void)state;
    assert_int_equal(unlink(t.file), 0);
    assert_int_equal(symlink("/etc/passwd", t.file), 0);
    is_refused(-ELOOP);
}

static void replaced_by_a_pipe(void **state)
{
    (void)state;
    assert_int_equal(unlink(t.file), 0);
    assert_int_equal(mkfifo(t.file, 0644), 0);
    is_refused(-EINVAL);
}

/* Opening some devices does something, a watchdog's more than one would like. */
static void replaced_by_a_device(void **state)
{
    (void)state;
    assert_int_equal(unlink(t.file), 0);
    if (mknod(t.file, S_IFCHR | 0644, (1 << 8) | 7) != 0) { /* /dev/full */
        write_file(t.file, "");
        skip();
    }
    is_refused(-EINVAL);
}

static void replaced_by_a_magic_link(void **state)
{
    (void)state;
    assert_int_equal(unlink(t.file), 0);
    assert_int_equal(symlink("/proc/self/exe", t.file), 0);
    is_refused(-ELOOP);
}

static void gone(void **state)
{
    int fd = -1;

    (void)state;
    assert_int_equal(unlink(t.file), 0);
    assert_int_equal(target_file(&t.target, &t.mapping, &fd), -ENOENT);
    write_file(t.file, "");
}

/* --- memory --- */

static void ranges(void **state)
{
    static const char text[] = "read me";
    struct wire_range r[] = {
        {(uint64_t)(uintptr_t)text, sizeof(text), 0},
        {0, 16, 0},                                    /* nothing there */
        {UINT64_MAX - 3, 16, 0},                       /* around the end */
        {(uint64_t)(uintptr_t)t.map + PAGE - 8, 0, 0}, /* nothing wanted */
        {(uint64_t)(uintptr_t)text, 4, 0},
    };
    uint32_t got[5] = {99, 99, 99, 99, 99};

    (void)state;
    assert_int_equal(target_read(&t.target, t.mapping.generation, r, 5, got), 0);
    assert_int_equal(got[0], sizeof(text));
    assert_int_equal(got[1], 0);
    assert_int_equal(got[2], 0);
    assert_int_equal(got[3], 0);
    assert_int_equal(got[4], 4);
    assert_memory_equal(t.target.arena, text, sizeof(text));
    assert_memory_equal(t.target.arena + 8 + 16 + 16, text, 4);
    assert_int_equal(target_read(&t.target, t.mapping.generation - 1, r, 5, got), -ESTALE);
}

static void texts(void **state)
{
    uint32_t truncated = 9;
    struct bulk b = {0};
    int fd = -1;

    (void)state;
    assert_int_equal(target_maps(&t.target, t.mapping.generation, &fd, &truncated), 0);
    assert_int_equal(truncated, 0);
    assert_int_equal(bulk_map(fd, WIRE_MAPS_MAX_BYTES, &b), 0);
    assert_non_null(memmem(b.data, b.bytes, t.file, strlen(t.file)));
    bulk_release(&b);
    (void)close(fd);
    fd = -1;
    assert_int_equal(target_cmdline(&t.target, t.mapping.generation, &fd), 0);
    (void)close(fd);
}

/* --- who it is --- */

static void another_with_its_number(void **state)
{
    (void)state;
    assert_int_equal(target_take(&t.target, t.pid, start_of(t.pid) + 1), -ESRCH);
    assert_int_equal(target_alive(&t.target), 0);
}

static void its_end(void **state)
{
    uint32_t got = 0;
    struct wire_range r = {(uint64_t)(uintptr_t)t.map, 4, 0};
    int fd = -1;
    uint32_t truncated;

    (void)state;
    (void)kill(t.pid, SIGKILL);
    (void)waitpid(t.pid, NULL, 0);
    assert_false(target_alive(&t.target));
    assert_int_equal(target_read(&t.target, t.mapping.generation, &r, 1, &got), -ESRCH);
    assert_true(target_file(&t.target, &t.mapping, &fd) < 0);
    assert_true(target_maps(&t.target, t.mapping.generation, &fd, &truncated) < 0);
    assert_int_equal(fd, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_mapped_file),
        TEST(no_such_mapping),
        TEST(replaced_by_a_file),
        TEST(replaced_by_a_link),
        TEST(replaced_by_a_pipe),
        TEST(replaced_by_a_device),
        TEST(replaced_by_a_magic_link),
        TEST(gone),
        TEST(ranges),
        TEST(texts),
        TEST(another_with_its_number),
        TEST(its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
