#!/bin/bash
# run.sh BUILD TEST...: run each test on its own; a cmocka program counts each of its tests. The last
# line is "N passed, N failed" (", N skipped"). A test exits 0, 1 or 77: passed, failed, skipped.
# A test that failed is given one second look, and the summary names it: many ask a busy machine for
# samples, sockets and time, and a bug shows again. What a sanitizer has reported gets none, nor fuzzing.
set -u
build=$1
shift
ok=0 bad=0 skip=0 skipped="" again=""
export PILLION_BUILD=$build CMOCKA_MESSAGE_OUTPUT=tap
mkdir -p "$build/logs"
for t; do
    log=$build/logs/$(basename "$t").log
    began=$SECONDS
    timeout -k 10 "${TEST_TIMEOUT:-900}" "$t" >"$log" 2>&1 </dev/null
    rc=$?
    again_for=$t
    case $t:$rc in */fuzz/* | *:0 | *:77) again_for="" ;; esac
    ! grep -q 'ERROR: AddressSanitizer\|runtime error: \|WARNING: ThreadSanitizer' "$log" || again_for=""
    if [ -n "$again_for" ]; then
        echo "second look at $t (exit $rc, $((SECONDS - began)) s)"
        tail -n 60 "$log"
        mv "$log" "$log.first"
        timeout -k 10 "${TEST_TIMEOUT:-900}" "$t" >"$log" 2>&1 </dev/null
        rc=$?
        [ "$rc" != 0 ] || again="$again ${t##*/}"
    fi
    case $t in
    */unit/*)
        p=$(grep -c '^ok ' "$log")
        f=$(grep -c '^not ok ' "$log")
        ok=$((ok + p))
        bad=$((bad + f))
        [ "$rc" = 0 ] || [ "$f" -gt 0 ] || bad=$((bad + 1)) # died outside a test
        [ "$p" -gt 0 ] || [ "$f" -gt 0 ] || [ "$rc" != 0 ] || bad=$((bad + 1)) # tested nothing
        ;;
    *)
        p=""
        case $rc in
        0) ok=$((ok + 1)) ;;
        77)
            skip=$((skip + 1))
            skipped="$skipped"$'\n'"skipped ${t##*/}: $(tail -n 1 "$log")"
            ;;
        *) bad=$((bad + 1)) ;;
        esac
        ;;
    esac
    if [ "$rc" != 0 ] && [ "$rc" != 77 ]; then
        echo "FAIL $t (exit $rc, $((SECONDS - began)) s)"
        tail -n 60 "$log"
    else
        echo "ok   $t ($((SECONDS - began)) s)"
    fi
done
[ -z "$skipped" ] || echo "$skipped"
[ -z "$again" ] || echo "passed at the second look only:$again"
if [ "$skip" -gt 0 ]; then echo "$ok passed, $bad failed, $skip skipped"; else echo "$ok passed, $bad failed"; fi
[ "$bad" = 0 ]
