#!/bin/bash
# build_c.sh DIR: compile the C targets of this folder into DIR, those that are not up to date.
# Frame pointers are kept, so that the kernel's own stack walk works.
set -eu
here=$(dirname "$0")
mkdir -p "$1"
for name in shares alias threads; do
    out=$1/$name
    [ "$out" -nt "$here/$name.c" ] && [ "$out" -nt "$here/work.h" ] && continue
    ${CC:-cc} -std=gnu11 -O2 -g -Wall -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer \
        -pthread -o "$out.new.$$" "$here/$name.c"
    mv "$out.new.$$" "$out"
done
