"""sbom.py: what is in the image, as SPDX 2.3 JSON.

The programs are linked statically, so their parts are Debian packages' archives: of each library
that the Makefile links, the package that owns its .a, with its version and source. What the C
compiler adds (libc, libgcc, start files) is found in the same way.
"""
import hashlib
import json
import subprocess
import time

# The licence of what each package gives, by its debian/copyright. A library that is not here stops
# the build, so that the list cannot fall behind.
LICENCES = {
    "ca-certificates": "MPL-2.0",
    "libc6-dev": "LGPL-2.1-or-later",
    "libcrypt-dev": "LGPL-2.1-or-later",
    "libgcc": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libjansson-dev": "MIT",
    "libllhttp-dev": "MIT",
    "libmbedtls-dev": "Apache-2.0 OR GPL-2.0-or-later",
    "libprotobuf-c-dev": "BSD-2-Clause",
    "libuv1-dev": "MIT",
    "libyaml-dev": "MIT",
    "libzstd-dev": "BSD-3-Clause OR GPL-2.0-only",
    "zlib1g-dev": "Zlib",
}


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout.strip()


def owner(archive):
    """The package whose file it is. Debian's merged /usr: dpkg may know it by its path in /lib."""
    path = run("realpath", run("cc", "-print-file-name=" + archive))
    for name in (path, path.removeprefix("/usr")):
        try:
            return run("dpkg-query", "-S", name).split(":")[0]
        except subprocess.CalledProcessError:
            pass
    raise SystemExit("sbom.py: no package owns %s" % path)


def licence(name):
    known = LICENCES.get("libgcc" if name.startswith("libgcc-") else name)
    if not known:
        raise SystemExit("sbom.py: what is the licence of %s?" % name)
    return known


def package(name):
    form = "${Version}\t${source:Package}\t${source:Version}\t${Architecture}"
    version, source, source_version, arch = run("dpkg-query", "-W", "-f", form, name).split("\t")[:4]
    return {
        "SPDXID": "SPDXRef-Package-" + name.replace("+", "-"),
        "name": name,
        "versionInfo": version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence(name),
        "copyrightText": "NOASSERTION",
        "sourceInfo": "built from the Debian source package %s %s" % (source, source_version),
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": "pkg:deb/debian/%s@%s?arch=%s" % (name, version.replace("+", "%2B"), arch),
        }],
    }


def packages(libraries):
    """Of the linker's arguments (-lz), and of what the compiler adds."""
    archives = {"lib%s.a" % name.removeprefix("-l") for name in libraries} | {"libc.a", "libgcc.a"}
    return [package(name) for name in sorted({owner(a) for a in archives} | {"ca-certificates"})]


def file(name, data):
    return {
        "SPDXID": "SPDXRef-File-" + name.replace("/", "-"),
        "fileName": "/" + name,
        "checksums": [{"algorithm": "SHA256", "checksumValue": hashlib.sha256(data).hexdigest()},
                      {"algorithm": "SHA1", "checksumValue": hashlib.sha1(data).hexdigest()}],
        "licenseConcluded": "NOASSERTION",
        "copyrightText": "NOASSERTION",
    }


def write(path, files, libraries, version, when, digest):
    own = {
        "SPDXID": "SPDXRef-Image",
        "name": "pillion",
        "versionInfo": version,
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest.removeprefix("sha256:")}],
    }
    parts = packages(libraries)
    files = [file(name, data) for name, data in sorted(files.items())]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", own["SPDXID"])]
    relations += [(own["SPDXID"], "CONTAINS", part["SPDXID"]) for part in parts + files]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "pillion-" + version,
        # unique to what it describes, as the specification asks, and the same at every build
        "documentNamespace": "https://pillion.invalid/spdx/" + digest.removeprefix("sha256:"),
        "creationInfo": {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when)),
            "creators": ["Tool: pillion-tools-sbom.py"],
        },
        "packages": [own] + parts,
        "files": files,
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b}
                          for a, kind, b in relations],
    }
    with open(path, "w", encoding="utf-8") as f:
        json.dump(document, f, indent=1)
        f.write("\n")
