/*
 * cgroup.h: which container does a process run in? What /proc/PID/cgroup tells (cgroups(7)).
 *
 * Lines are "hierarchy:controllers:path"; version 2 has one, "0::path". Container managers put the
 * container's id, 64 hex digits, into the last part of the path, bare or with decoration:
 *
 *     /kubepods/burstable/pod…/ID                              cgroupfs driver
 *     /kubepods.slice/…/cri-containerd-ID.scope                systemd driver: containerd
 *     /kubepods.slice/…/crio-ID.scope   /…/crio-conmon-ID.scope   CRI-O; the second is its monitor
 *     /system.slice/docker-ID.scope     /machine.slice/libpod-ID.scope/container   docker, podman
 *     /../cri-containerd-ID.scope       /../ID         seen from a cgroup namespace beside it
 *
 * The text is the kernel's, but names in it are anybody's who may make a cgroup.
 */
#ifndef GUARD_CGROUP_H
#define GUARD_CGROUP_H

#include <stdbool.h>

enum {
    CGROUP_ID_BYTES = 65, /* 64 lower-case hex digits and a NUL */
};

/**
 * cgroup_container(text, ret): the innermost container's id; false and "" when there is none (a
 * process of the host, or of a container whose cgroup namespace hides it: "0::/").
 */
bool cgroup_container(const char *text, char ret[static CGROUP_ID_BYTES]);

#endif
