#!/bin/bash
# short.sh [prepare]: every fuzz target for FUZZ_SECONDS (15 in CI, else 5), as many at a time as
# there are processors; the last part of the test suite. prepare: only build them, which run.sh does
# beside the other tests. Without clang's libFuzzer: skipped.
set -u
cd "$(dirname "$0")/../.." || exit 2
if [ "${CI:-}" = true ]; then seconds=${FUZZ_SECONDS:-15}; else seconds=${FUZZ_SECONDS:-5}; fi
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

jobs=$(nproc)
[ "${1:-}" != prepare ] || jobs=1
make --no-print-directory -s -j"$jobs" FUZZ_CC="$cc" fuzz-build || exit 1
[ "${1:-}" != prepare ] || exit 0
bins=()
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    bins+=("build/fuzz/$name")
done
[ "${#bins[@]}" -gt 0 ] || { echo "no fuzz targets"; exit 1; }
JOBS=$jobs tests/fuzz/run.sh "$seconds" "${bins[@]}"
