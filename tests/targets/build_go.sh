#!/bin/bash
# build_go.sh TOOLCHAIN NAME OUT [FLAG...]: build the Go program tests/targets/NAME with TOOLCHAIN
# ("1.22.12", or "local" for the one that is installed) as tests/targets/bin/OUT; FLAGs go to
# `go build`. Does nothing when OUT is newer than every file of the program and this script.
# Prints the path. Exits 77 when the toolchain is not to be had here, 1 when the build failed.
set -u
toolchain=$1 name=$2 out=$3
shift 3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
bin=$here/bin/$out
mkdir -p "$here/bin"
export CGO_ENABLED=${CGO_ENABLED:-0} GOWORK=off
# Go 1.19's module index does not find packages on some machines ('import "": import of unknown
# directory'); without the index it does. Others do not know the word.
export GODEBUG=goindex=0
if [ "$toolchain" = local ]; then export GOTOOLCHAIN=local; else export GOTOOLCHAIN=go$toolchain; fi

fresh() {
    [ -x "$bin" ] && [ -z "$(find "$here/$name" "$here/build_go.sh" -type f -newer "$bin" -print -quit)" ]
}

# Two tests may want the same program at once.
exec 9>"$here/bin/.$out.lock"
flock 9 || exit 1
if ! fresh; then
    command -v go >/dev/null || { echo "no go command here" >&2; exit 77; }
    # without a network each try may last minutes: one in half an hour is enough
    tried=$here/bin/.missing-$toolchain
    version=
    [ -n "$(find "$tried" -mmin -30 2>/dev/null)" ] || version=$(cd "$here/$name" && timeout 200 go env GOVERSION 2>/dev/null)
    if [ -z "$version" ]; then
        echo "toolchain $toolchain is not to be had here (remembered for half an hour in $tried)" >&2
        [ -e "$tried" ] || : >"$tried"
        exit 77
    fi
    rm -f "$tried"
    # Since 1.23 the linker refuses linknames into the runtime; the programs look at it on purpose.
    minor=${version#go1.}
    minor=${minor%%[!0-9]*}
    ldflags=
    [ "$minor" -lt 23 ] || ldflags=-checklinkname=0
    args=()
    for a; do
        case $a in
        -ldflags=*) ldflags="$ldflags ${a#-ldflags=}" ;;
        *) args+=("$a") ;;
        esac
    done
    cd "$here/$name" || exit 1
    go build -ldflags="$ldflags" "${args[@]}" -o "$bin.new" . >&2 || exit 1
    mv "$bin.new" "$bin"
fi
echo "$bin"
