#!/usr/bin/env python3
"""image.py PROGRAMS OUT -lLIBRARY...: the container image as an OCI layout, from nothing but files.

PROGRAMS is the folder of the static programs (build/static), OUT gets oci/ (image-spec, image
layout), pillion.oci.tar (the same in one file, for `podman load`, `skopeo copy oci-archive:`,
`kind load image-archive`, `ctr images import`) and pillion.spdx.json (tools/sbom.py).

Two runs over the same files give the same bytes: one sorted layer, one owner, one time
(SOURCE_DATE_EPOCH, else the last commit's). No base image, no daemon, no root: the guard's file
capabilities are an extended attribute in the layer's headers, as `tar --xattrs` would write it.
"""
import glob
import gzip
import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time

import sbom

# Beside each other, where base/sibling.c looks first. 0711: a process that can read a program can
# seize it before it has shut itself off. `pillion` has nothing to hide.
PROGRAMS = {"pillion": 0o755, "pillion-guard": 0o711, "pillion-sampler": 0o711, "pillion-sidecar": 0o711}
CA_FOLDER = "/usr/share/ca-certificates/mozilla"  # not /etc/ssl: that has the builder's own CAs too
CA_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
USER = "65532:65532"
MAX_BYTES = 6 * 1024 * 1024  # unpacked; what is pulled is about half
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

# include/uapi/linux/capability.h: struct vfs_cap_data, revision 2. Permitted only, and the
# effective bit (magic & 1) off: with it, exec(2) fails where the Pod does not grant each of them.
CAP_SYS_PTRACE, CAP_PERFMON = 19, 38
CAPABILITY = struct.pack("<5I", 0x02000000, 1 << CAP_SYS_PTRACE, 0, 1 << (CAP_PERFMON - 32), 0)

OCI = "application/vnd.oci.image."


def git(*args):
    try:
        return subprocess.run(("git",) + args, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def epoch():
    return int(os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct") or 0)


def stripped(path):
    """The program without its debugging information, which is half of it."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["strip", "-o", out.name, path], check=True)
        with open(out.name, "rb") as f:
            return f.read()


def authorities():
    """The CA bundle: what the package ca-certificates ships, in the order of the names."""
    out = b""
    for path in sorted(glob.glob(CA_FOLDER + "/*.crt")):
        with open(path, "rb") as f:
            out += f.read().rstrip(b"\n") + b"\n"
    if out.count(b"BEGIN CERTIFICATE") < 50:
        sys.exit("image.py: %s has no CA bundle: install ca-certificates" % CA_FOLDER)
    return out


def entry(tar, name, when, data=None, mode=0o755, capability=None):
    info = tarfile.TarInfo(name)
    info.mtime, info.mode = when, mode
    if data is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = len(data)
    if capability:
        info.pax_headers["SCHILY.xattr.security.capability"] = capability.decode("ascii")
    tar.addfile(info, io.BytesIO(data) if data is not None else None)


def layer(files, when):
    """The one layer, uncompressed."""
    out = io.BytesIO()
    folders = {""}
    for name in files:
        parts = name.split("/")[:-1]
        folders.update("/".join(parts[: i + 1]) for i in range(len(parts)))
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(set(files) | folders):
            if name in folders:
                entry(tar, name or "./", when)
            else:
                data, mode = files[name]
                entry(tar, name, when, data, mode, CAPABILITY if name == "pillion-guard" else None)
    return out.getvalue()


class Layout:
    """An image layout: blobs by their digest."""

    def __init__(self, folder):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder + "/blobs/sha256")

    def put(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as f:
            f.write(data)

    def blob(self, kind, data, **more):
        if not isinstance(data, bytes):
            data = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
        digest = hashlib.sha256(data).hexdigest()
        self.put("blobs/sha256/" + digest, data)
        return dict(mediaType=OCI + kind, digest="sha256:" + digest, size=len(data), **more)


def labels(version, created):
    out = {
        "title": "pillion",
        "description": "A profiling sidecar: samples the process beside it, serves pprof",
        "version": version,
        "created": created,
        "revision": git("rev-parse", "HEAD"),
    }
    return {"org.opencontainers.image." + k: v for k, v in sorted(out.items()) if v}


def image(layout, tar, version, when, architecture):
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": {
            # The guard, not `pillion run`: under no_new_privs an exec can keep file capabilities,
            # but only the container's first one can give them.
            "Entrypoint": ["/pillion-guard"],
            "Cmd": ["run"],
            "User": USER,
            "WorkingDir": "/",
            "Env": ["PATH=/"],
            "Labels": labels(version, created),
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]},
        "history": [{"created": created, "created_by": "tools/image.py"}],
    }
    packed = gzip.compress(tar, 9, mtime=0)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI + "manifest.v1+json",
        "config": layout.blob("config.v1+json", config),
        "layers": [layout.blob("layer.v1.tar+gzip", packed)],
        "annotations": labels(version, created),
    }
    top = layout.blob("manifest.v1+json", manifest, platform={"os": "linux", "architecture": architecture},
                      annotations={"org.opencontainers.image.ref.name": "localhost/pillion:dev"})
    layout.put("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    layout.put("index.json", json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json",
                                         "manifests": [top]}, sort_keys=True).encode())
    return top["digest"], len(packed)


def archive(folder, path, when):
    with tarfile.open(path + ".new", "w", format=tarfile.PAX_FORMAT) as tar:
        for root, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                file = os.path.join(root, name)
                with open(file, "rb") as f:
                    entry(tar, os.path.relpath(file, folder), when, f.read(), 0o644)
    os.replace(path + ".new", path)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__.split("\n", 1)[0])
    programs, out, *libraries = sys.argv[1:]
    when = epoch()
    version = subprocess.run([programs + "/pillion", "version"], check=True, capture_output=True,
                             text=True).stdout.split()[1]
    files = {name: (stripped(os.path.join(programs, name)), mode) for name, mode in PROGRAMS.items()}
    files[CA_BUNDLE] = (authorities(), 0o644)
    tar = layer(files, when)
    os.makedirs(out, exist_ok=True)
    architecture = ARCHITECTURES[os.uname().machine]
    digest, pulled = image(Layout(out + "/oci"), tar, version, when, architecture)
    archive(out + "/oci", out + "/pillion.oci.tar", when)
    with open(out + "/digest", "w", encoding="ascii") as f:
        f.write(digest + "\n")
    sbom.write(out + "/pillion.spdx.json", {n: d for n, (d, _) in files.items()}, libraries, version,
               when, digest)
    print("%s  %.2f MB to pull, %.2f MB unpacked  %s/pillion.oci.tar"
          % (digest, pulled / 1e6, len(tar) / 1e6, out))
    if len(tar) > MAX_BYTES:
        sys.exit("image.py: %d bytes unpacked, more than %d" % (len(tar), MAX_BYTES))


main()
