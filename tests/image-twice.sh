#!/bin/bash
# image-twice.sh: builds the image of what is committed in two clones, everything anew: in folders of
# different depth, one after the other, with another locale, time zone, umask and number of jobs.
# The digests, archives and lists of parts have to be the same. Takes two whole builds.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL SOURCE_DATE_EPOCH

one() { # FOLDER VARIABLE=VALUE...
    local folder=$1
    shift
    git clone -q "$root" "$folder"
    (cd "$folder" && env "$@" make -s image) >"$tmp/log" 2>&1 || {
        tail -n 20 "$tmp/log" >&2
        echo "image-twice.sh: the build in $folder failed" >&2
        exit 1
    }
    tail -n 1 "$tmp/log"
}
umask 022
one "$tmp/a" MAKEFLAGS=-j2 LC_ALL=C TZ=UTC
umask 077
one "$tmp/much/deeper/and/longer/b" MAKEFLAGS=-j1 LC_ALL=en_US.UTF-8 LANG=de_DE.UTF-8 TZ=Asia/Tokyo USER=x LOGNAME=x HOME="$tmp"

for file in digest pillion.oci.tar pillion.spdx.json; do
    cmp "$tmp/a/build/image/$file" "$tmp/much/deeper/and/longer/b/build/image/$file" || {
        for program in pillion pillion-guard pillion-sampler pillion-sidecar; do
            cmp "$tmp/a/build/static/$program" "$tmp/much/deeper/and/longer/b/build/static/$program" || true
        done
        echo "image-twice.sh: two builds differ" >&2
        exit 1
    }
done
echo "the same image twice: $(cat "$tmp/a/build/image/digest")"
