#!/bin/bash
# short.sh: every fuzz target for FUZZ_SECONDS (60 in CI, else 5), two at a time; the last part of
# the test suite. Without clang's libFuzzer: skipped.
set -u
cd "$(dirname "$0")/../.." || exit 2
if [ "${CI:-}" = true ]; then seconds=${FUZZ_SECONDS:-60}; else seconds=${FUZZ_SECONDS:-5}; fi
cc=${FUZZ_CC:-clang-14}

probe=$(mktemp -d) || exit 2
trap 'rm -rf "$probe"' EXIT
cat >"$probe/p.c" <<'C'
int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long bytes);
int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long bytes)
{
    return bytes > 0 && data[0] == 0 ? 0 : 0;
}
C
if ! "$cc" -fsanitize=fuzzer,address -o "$probe/p" "$probe/p.c" 2>/dev/null; then
    echo "no $cc with libFuzzer: the fuzz targets were not run"
    exit 77
fi

make --no-print-directory -s FUZZ_CC="$cc" fuzz-build || exit 1
bins=()
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    bins+=("build/fuzz/$name")
done
[ "${#bins[@]}" -gt 0 ] || { echo "no fuzz targets"; exit 1; }
JOBS=2 tests/fuzz/run.sh "$seconds" "${bins[@]}"
