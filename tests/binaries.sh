#!/bin/sh
# binaries.sh BUILD...: what is in the built files that an attacker would miss or like: position
# independence, read-only relocations, no memory that is writable and executable, no executable
# stack, no path to libraries, checked calls, stack protector, and the libraries of each program.
# A build made with -fcf-protection has the note of CET in each of our objects; the program has it
# only where the C library's start files have it too (Debian's have not).
bad=0
no() {
    echo "$*"
    bad=1
}
libraries() { # what each program may load
    case $1 in
    pillion-guard) echo "c m" ;;
    pillion-sampler) echo "c m protobuf-c" ;;
    pillion-sidecar) echo "c m protobuf-c uv llhttp mbedtls mbedx509 mbedcrypto yaml-0 z zstd jansson crypt" ;;
    pillion) echo "c m protobuf-c mbedcrypto yaml-0 z" ;;
    esac
}
check() { # FILE
    name=${1##*/}
    readelf -hW "$1" | grep -q 'Type: *DYN' || no "$1: not position-independent"
    dynamic=$(readelf -dW "$1")
    segments=$(readelf -lW "$1")
    echo "$dynamic" | grep -q 'FLAGS_1.*PIE' || no "$1: no PIE"
    echo "$dynamic" | grep -q 'FLAGS).*BIND_NOW' || no "$1: symbols are bound late"
    ! echo "$dynamic" | grep -E '\((RPATH|RUNPATH|TEXTREL)\)' || no "^ in $1"
    echo "$segments" | grep -q GNU_RELRO || no "$1: relocations stay writable"
    echo "$segments" | grep -q 'GNU_STACK.* RW  ' || no "$1: the stack is executable"
    ! echo "$segments" | grep -E '^ .* (RWE|W E| WE) ' || no "^ $1: writable and executable"
    symbols=$(nm "$1"; nm -D "$1" 2>/dev/null)
    echo "$symbols" | grep -q '__stack_chk_fail' || no "$1: no stack protector"
    echo "$symbols" | grep -q '__v\?snprintf_chk' || no "$1: not fortified"
    # none of these calls, neither imported nor, in a static program, linked in
    ! echo "$symbols" | grep -E ' (system|popen|wordexp|gets|mktemp|tmpnam|tempnam|rexec|rcmd)(@.*)?$' || no "^ in $1"
    allowed=" $(libraries "$name") "
    for library in $(echo "$dynamic" | sed -n 's/.*(NEEDED).*\[lib\(.*\)\.so.*\]/\1/p'); do
        case $allowed in *" $library "*) ;; *) no "$1 loads lib$library" ;; esac
    done
}
protected() { # BUILD: of our own objects each
    objects=$(find "$1" -name '*.o' -not -path '*/tests/*')
    [ -n "$objects" ] || no "$1: no objects"
    for object in $objects; do
        readelf -nW "$object" 2>/dev/null | grep -q 'IBT, SHSTK' || no "$object: no CET note"
    done
}
for build; do
    for program in pillion pillion-guard pillion-sampler pillion-sidecar; do
        check "$build/$program"
    done
    case $(uname -m) in x86_64) protected "$build" ;; esac
done
[ "$bad" = 0 ] && echo "binaries ok: $*"
exit $bad
