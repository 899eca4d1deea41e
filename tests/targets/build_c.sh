#!/bin/bash
# build_c.sh DIR: compile the C targets of this folder into DIR, those that are not up to date.
# Frame pointers are kept, so that the kernel's own stack walk works.
set -eu
here=$(dirname "$0")
mkdir -p "$1"
for name in shares alias threads loads stopped; do
    out=$1/$name
    [ "$out" -nt "$here/$name.c" ] && [ "$out" -nt "$here/work.h" ] && continue
    ${CC:-cc} -std=gnu11 -O2 -g -Wall -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer \
        -pthread -o "$out.new.$$" "$here/$name.c" -ldl
    mv "$out.new.$$" "$out"
done
if [ ! "$1/loads.so" -nt "$here/loads.c" ]; then
    ${CC:-cc} -std=gnu11 -O2 -Wall -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer \
        -DLOADS_LIBRARY -shared -fPIC -o "$1/loads.so.new.$$" "$here/loads.c"
    mv "$1/loads.so.new.$$" "$1/loads.so"
fi
