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
        {"0::/../" A "\n", A},                       /* … with the cgroupfs driver */
        {"0::/../cri-containerd-" A ".scope\n", A},
        {"0::/../../" UID "/" A "\n", A},
        {"0::/..\n", ""}, /* a process of the Pod, not of a container */
        /* containerd: the systemd driver before its names were escaped, and within kind, whose
         * node is a container itself */
        {"0::/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:" A "\n",
         A},
        {"0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
         "kubelet-kubepods-besteffort-pod1f0c1a5e_0a3b.slice/cri-containerd-" A ".scope\n",
         A},
        {"11:memory:/docker/" B "/kubelet/kubepods/besteffort/" UID "/" A "\n0::/\n", A},
        {"0::/system.slice/docker-" B ".scope/kubelet.slice/kubelet-kubepods.slice/"
         "kubelet-kubepods-pod1.slice/cri-containerd-" A ".scope\n",
         A},
        /* CRI-O: both drivers, version 1 with the systemd driver, and crun's inner group */
        {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/crio-" A
         ".scope/container\n",
         A},
        {"0::/kubepods/burstable/" UID "/crio-" A "\n", A},
        {"9:pids:/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/crio-" A
         ".scope\n8:cpu,cpuacct:/kubepods.slice/kubepods-besteffort.slice/"
         "kubepods-besteffort-pod1.slice/crio-" A ".scope\n",
         A},
        {"0::/kubepods.slice/kubepods-pod1.slice/crio-conmon-" A ".scope\n", A}, /* its monitor */
        /* podman: cgroupfs, within a pod (whose id is as long), without root, quadlet */
        {"10:pids:/libpod_parent/libpod-" A "\n", A},
        {"0::/libpod_parent/" B "/libpod-" A "\n", A},
        {"0::/machine.slice/machine-libpod_pod_" B ".slice/libpod-" A ".scope/container\n", A},
        {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" A
         ".scope/container\n",
         A},
        {"0::/system.slice/web.service/libpod-payload-" A "\n", A},
        /* docker: the systemd driver in version 1, buildkit, ECS with a task's id of 32 digits */
        {"7:cpu,cpuacct:/system.slice/docker-" A ".scope\n", A},
        {"0::/docker/buildkit/" A "\n", A},
        {"4:memory:/ecs/0123456789abcdef0123456789abcdef/" A "\n", A},
        /* a hybrid: version 1 has the controllers, version 2 the names alone */
        {"2:cpu:/kubepods/" UID "/" A "\n1:name=systemd:/kubepods/" UID "/" A
         "\n0::/system.slice/containerd.service\n",
         A},
        {"2:cpu:/\n0::/system.slice/docker-" A ".scope\n", A},
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
