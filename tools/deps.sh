#!/bin/sh
# deps.sh [demo|test|image]: install what the build needs (demo: and the demo target; test: and tests,
# lint; image: and what goes into the image or packs it).
#
# Idempotent: when nothing is missing, no package tool is called. Debian 13 and newer have all of it;
# Debian 12 takes llhttp 9 and mbedTLS 3.6 from trixie, exactly those six packages by pinning, and
# nothing else (trixie as a whole has a negative priority).
set -eu

TRIXIE="libllhttp-dev libllhttp9.2 libmbedtls-dev libmbedtls21 libmbedx509-7 libmbedcrypto16"
BUILD="gcc make pkgconf libc6-dev libuv1-dev libprotobuf-c-dev protobuf-c-compiler zlib1g-dev
       libzstd-dev libyaml-dev libjansson-dev libcrypt-dev $TRIXIE"
TEST="libcmocka-dev clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 cppcheck shellcheck
      curl openssl python3 golang-go|go procps util-linux libcap2-bin binutils
      podman runc catatonit"

have() { # a package, or "package|command": the command is as good as the package
    case $1 in *"|"*) command -v "${1#*|}" >/dev/null 2>&1 && return 0 ;; esac
    dpkg-query -W -f='${db:Status-Abbrev}' "${1%%|*}" 2>/dev/null | grep -q '^ii'
}

want=$BUILD
case "${1:-}" in
test) want="$BUILD $TEST" ;;
image) want="$BUILD python3 ca-certificates binutils" ;;
demo) want="$BUILD golang-go|go" ;; # the demo target is a Go program
esac
missing=""
for p in $want; do
    have "$p" || missing="$missing ${p%%|*}"
done
case "$(dpkg-query -W -f='${Version}' libmbedtls-dev 2>/dev/null || true)" in
3.[6-9].* | [4-9].*) ;;
*) case $missing in *libmbedtls-dev*) ;; *) missing="$missing libmbedtls-dev" ;; esac ;;
esac
[ -n "$missing" ] || exit 0

run() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        echo "deps.sh: missing packages:$missing; run 'make deps' as root" >&2
        exit 1
    fi
}
put() { # standard input becomes $1 if it differs
    t=$(mktemp)
    cat >"$t"
    cmp -s "$t" "$1" || run install -m 0644 "$t" "$1"
    rm -f "$t"
}

# shellcheck source=/dev/null
. /etc/os-release
if [ "${VERSION_CODENAME:-}" = bookworm ]; then
    # the mirror that this machine already uses; MIRROR= overrides
    # shellcheck disable=SC2016 # apt expands these, not the shell
    # the URI may not be /debian-security, whose suites are named otherwise
    : "${MIRROR:=$(apt-get indextargets --no-release-info --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "bookworm" { print $2; exit }')}"
    [ -n "$MIRROR" ] || { echo "deps.sh: no apt source for bookworm found; set MIRROR=" >&2; exit 1; }
    put /etc/apt/sources.list.d/pillion-trixie.sources <<S
Types: deb
URIs: $MIRROR
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
S
    put /etc/apt/preferences.d/pillion-trixie.pref <<P
Explanation: Pillion takes nothing from trixie ...
Package: *
Pin: release n=trixie
Pin-Priority: -1

Explanation: ... except llhttp and mbedTLS.
Package: $TRIXIE
Pin: release n=trixie
Pin-Priority: 990
P
fi
run env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 update
# shellcheck disable=SC2086
run env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing
