#!/bin/sh
# borders.sh 'base= wire=base ...' BUILD: each folder includes only itself and the folders named
# after its "="; the two halves of a wire pair never meet in one program.
bad=0
for rule in $1; do
    from=${rule%%=*}
    may=",$from,${rule#*=},"
    [ -d "$from" ] || continue
    hits=$(grep -rnoE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"[a-z0-9_]+/' "$from" --include='*.[ch]' | tr -d ' \t')
    for hit in $hits; do
        to=${hit##*\"}
        to=${to%/}
        case $may in *",$to,"*) ;; *)
            # profile/pprof.pb-c.h is generated and belongs to profile/ alone, as its folder says
            echo "${hit%%:#*}: $from may not use $to"
            bad=1
            ;;
        esac
    done
done
carries() { # program half: does it define what the half defines?
    for name in $(nm -g --defined-only "$2/wire/$3.o" | awk 'NF == 3 { print $3 }'); do
        if nm "$2/$1" | awk '{ print $NF }' | grep -qx "$name"; then
            echo "$1 carries $name of wire/$3.c"
            bad=1
        fi
    done
}
for half in ask_guard ask_sampler answer_sampler front_hears; do carries pillion-guard "$2" $half; done
for half in answer_guard ask_sampler front_hears front_tells; do carries pillion-sampler "$2" $half; done
for program in pillion-sidecar pillion; do
    for half in answer_guard ask_guard answer_sampler front_tells; do carries $program "$2" $half; done
done
# what the sidecar asks the environment for has to be in the list of what stays of it
for name in $(grep -rhoE 'getenv\("[A-Za-z_]+"' sidecar auth --include='*.c' | sed 's/.*"\(.*\)"/\1/' | sort -u); do
    case $name in KUBERNETES_SERVICE_*) continue ;; esac
    grep -q "\"$name\"" sidecar/environment.c || { echo "sidecar/environment.c takes $name away"; bad=1; }
done
[ "$bad" = 0 ] && echo borders ok
exit $bad
