/* Container ids from cgroup files as container managers really write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard/cgroup.h"

#define A   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define B   "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID "pod1f0c1a5e-0a3b-4f6e-9d58-2f6c8f0f8a11"

static void test_recorded(void **state)
{
    static const struct {
        const char *text, *id;
    } cases[] = {
        {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1f0c1a5e_0a3b.slice/"
         "cri-containerd-" A ".scope\n",
         A},
        {"0::/kubepods/burstable/" UID "/" A "\n", A},
        {"0::/kubepods.slice/kubepods-pod1.slice/crio-" A ".scope\n", A},
        {"0::/system.slice/docker-" A ".scope\n", A},
        {"0::/machine.slice/libpod-" A ".scope/container\n", A},
        {"12:pids:/kubepods/besteffort/" UID "/" A "\n11:cpu,cpuacct:/kubepods/besteffort/" UID
         "/" A "\n1:name=systemd:/kubepods/" UID "/" A "\n0::/\n",
         A},
        {"3:cpu:/docker/" A "/docker/" B "\n", B}, /* a container in a container */
        {"2:freezer:/\n1:cpu:/docker/" A "\n", A},
        {"0::/\n", ""},
        {"0::/../../cri-containerd-" A ".scope", A}, /* from inside a cgroup namespace */
        {"0::/user.slice/user-1000.slice/session-2.scope\n", ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char id[CGROUP_ID_BYTES];

        assert_int_equal(cgroup_container(cases[i].text, id), cases[i].id[0] != '\0');
        assert_string_equal(id, cases[i].id);
    }
}

static void test_lengths(void **state)
{
    char id[CGROUP_ID_BYTES];

    (void)state;
    assert_false(cgroup_container("0::/" A "0", id)); /* 65 */
    assert_false(cgroup_container("0::/1" A, id));
    assert_false(cgroup_container("0::/0123456789abcdef", id));
    assert_true(cgroup_container("0::/" A, id));
    assert_false(cgroup_container("0::/0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789"
                                  "ABCDEF",
                                  id));
    /* a line's end ends a run */
    assert_false(cgroup_container("0::/0123456789abcdef0123456789abcdef\n"
                                  "0123456789abcdef0123456789abcdef",
                                  id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
