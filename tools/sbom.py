"""sbom.py: what is in the image, as SPDX 2.3 JSON.

The programs are linked statically, so their parts are Debian packages' archives: of each library
that the Makefile links, the package that owns its .a, with its version and source. What the C
compiler adds (libc, libgcc, start files) is found in the same way.
"""
import hashlib
import json
import subprocess
import time

# Each archive that may be in a program: its file's name, and its licence by debian/copyright.
ARCHIVES = {
    "libc.a": "LGPL-2.1-or-later",
    "libgcc.a": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libuv_a.a": "MIT",
    "libllhttp.a": "MIT",
    "libmbedtls.a": "Apache-2.0 OR GPL-2.0-or-later",
    "libyaml.a": "MIT",
    "libprotobuf-c.a": "BSD-2-Clause",
    "libz.a": "Zlib",
    "libzstd.a": "BSD-3-Clause OR GPL-2.0-only",
    "libjansson.a": "MIT",
}
OTHERS = {"ca-certificates": "MPL-2.0"}


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


def package(name, licence):
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
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "sourceInfo": "built from the Debian source package %s %s" % (source, source_version),
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": "pkg:deb/debian/%s@%s?arch=%s" % (name, version.replace("+", "%2B"), arch),
        }],
    }


def packages():
    out = {owner(archive): licence for archive, licence in ARCHIVES.items()}
    out.update(OTHERS)
    return [package(name, licence) for name, licence in sorted(out.items())]


def file(name, data):
    return {
        "SPDXID": "SPDXRef-File-" + name.replace("/", "-"),
        "fileName": "/" + name,
        "checksums": [{"algorithm": "SHA256", "checksumValue": hashlib.sha256(data).hexdigest()},
                      {"algorithm": "SHA1", "checksumValue": hashlib.sha1(data).hexdigest()}],
        "licenseConcluded": "NOASSERTION",
        "copyrightText": "NOASSERTION",
    }


def write(path, files, version, when, digest):
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
    parts = packages()
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
