# Pillion: a profiling sidecar. `make help` lists the targets; README.md tells the rest.
#
# MODE=release|debug|asan|tsan|cov|permissive chooses build/MODE/; release also leaves its programs
# in build/; in permissive the filter refuses no system call, the kernel logs those it would.
MODE ?= release
CC   ?= cc
PREFIX ?= /usr/local
B    := build/$(MODE)
SHELL := /bin/bash
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# V=1 shows the commands.
Q := $(if $(V),,@)
VERSION := $(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null || echo unknown)

FOLDERS := base wire profile config auth guard sampler sidecar cli
src      = $(sort $(shell find $(wildcard $(1)) -name '*.c' 2>/dev/null))

# ---- What each program is made of: the privilege border is these lists.
# The halves of a pair never meet in one program. The sampler and the guard have no gzip, no text
# forms and no configuration; the front's half of the sampler's link is the sidecar's and the CLI's.
SHARED_SRC  := $(call src,base) wire/codec.c wire/link.c
PPROF_SRC   := $(patsubst %,profile/%.c,profile view encode decode field frame ids merge validate)
RIGHTS_SRC  := wire/rights.c wire/remedy.c
GUARD_SRC   := $(SHARED_SRC) $(RIGHTS_SRC) wire/plan.c wire/answer_guard.c wire/front_tells.c $(call src,guard)
SAMPLER_SRC := $(SHARED_SRC) wire/ask_guard.c wire/answer_sampler.c wire/rope_make.c $(PPROF_SRC) $(call src,sampler)
SIDECAR_SRC := $(SHARED_SRC) $(RIGHTS_SRC) wire/facts_json.c wire/plan.c wire/ask_sampler.c wire/front_hears.c wire/rope_read.c $(call src,profile config auth sidecar)
CLI_SRC     := $(SHARED_SRC) $(RIGHTS_SRC) wire/facts_json.c wire/plan.c wire/ask_sampler.c wire/front_hears.c wire/rope_read.c $(call src,profile config cli) auth/token.c
# ---- What each program may not even import; of the sidecar, what its own objects may not use.
NET_CALLS       := socket bind listen accept accept4 connect getaddrinfo gethostbyname
EXEC_CALLS      := execve execv execvp execl execlp execvpe fexecve fork vfork posix_spawn system popen
LIB_CALLS       := uv_[a-z_]+ mbedtls_[a-z0-9_]+ yaml_[a-z_]+ llhttp_[a-z_]+
GUARD_FORBIDS   := $(NET_CALLS) system popen $(LIB_CALLS) protobuf_c_[a-z_]+ inflate deflate dlopen
SAMPLER_FORBIDS := $(NET_CALLS) $(EXEC_CALLS) $(LIB_CALLS) open openat open64 openat64 fopen fopen64 opendir \
                   socketpair process_vm_readv process_vm_writev ptrace dlopen inflate deflate
SIDECAR_FORBIDS := process_vm_readv process_vm_writev ptrace perf_event_open $(EXEC_CALLS) setuid dlopen
# Folders use only what stands after their "=".
ALLOW := base= wire=base profile=base config=base,wire auth=base,config guard=base,wire \
         sampler=base,wire,profile sidecar=base,wire,profile,config,auth cli=base,wire,profile,config,auth

# ---- Flags
WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wcast-qual -Wwrite-strings -Wstrict-prototypes \
        -Wmissing-prototypes -Wold-style-definition -Wundef -Wvla -Wformat=2 -Wswitch-enum \
        -Wimplicit-fallthrough -Wnull-dereference -Walloca
GCC_WARN := -Wduplicated-cond -Wlogical-op
IS_CLANG := $(findstring clang,$(shell $(CC) --version))
WARN += $(if $(IS_CLANG),,$(GCC_WARN)) $(if $(DEVELOPER),-Werror)
BASE_CFLAGS := -std=gnu11 -g -fno-common -fno-strict-aliasing -D_GNU_SOURCE -I. -Ibuild/gen \
               -DPILLION_VERSION='"$(VERSION)"' -include base/banned.h
HARDEN := -ffunction-sections -fdata-sections -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fPIE
HARDEN += $(if $(findstring x86_64,$(shell $(CC) -dumpmachine)),-fcf-protection)
CFLAGS_release := -O2 $(HARDEN)
CFLAGS_debug   := -O0
CFLAGS_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_cov     := -O0 --coverage
CFLAGS_permissive := -O0 -DSANDBOX_PERMISSIVE
# The static programs, four of which are an image: the same, and smaller. No unwind tables (static.ld),
# relocations of 1 bit instead of 24 bytes, and what is not in a sample's path small rather than fast.
CFLAGS_static   := $(CFLAGS_release) -fno-asynchronous-unwind-tables -fno-unwind-tables -ffile-prefix-map=$(CURDIR)=.
LDFLAGS_static  := -static-pie -Wl,--gc-sections,-z,relro,-z,now,-z,noexecstack,-z,pack-relative-relocs,--no-eh-frame-hdr,-T,tools/static.ld
SMALL_FOLDERS   := guard config auth sidecar cli
LDFLAGS_release := -pie -Wl,--gc-sections,-z,relro,-z,now,-z,noexecstack
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_cov  := --coverage
ALL_CFLAGS := $(BASE_CFLAGS) -MMD -MP $(WARN) $(CFLAGS_$(MODE)) $(CFLAGS)
LINK := $(CC) $(LDFLAGS_$(MODE)) $(LDFLAGS)
small = $(if $(filter static,$(MODE)),$(if $(filter $(SMALL_FOLDERS),$(firstword $(subst /, ,$(1)))),-Os))
GENERATED_CFLAGS := -Wno-cast-qual -Wno-undef -Wno-unused-parameter

# ---- Libraries (one place; $(STATIC) turns them into archives for `make static`)
pkg = $(shell pkg-config $(if $(STATIC),--static) --libs $(1) 2>/dev/null)
PROTOBUF_LIBS := $(call pkg,libprotobuf-c)
SIDECAR_LIBS := $(call pkg,$(if $(STATIC),libuv-static,libuv)) $(call pkg,libllhttp) $(call pkg,mbedtls mbedx509 mbedcrypto) \
                $(call pkg,yaml-0.1) $(PROTOBUF_LIBS) $(call pkg,zlib libzstd jansson libcrypt) -lm
pillion-guard_LIBS := -lm
pillion-sampler_LIBS := $(PROTOBUF_LIBS) -lm
pillion-sidecar_LIBS := $(SIDECAR_LIBS) $(if $(STATIC),tools/unused.ld)
pillion_LIBS := $(call pkg,yaml-0.1) $(PROTOBUF_LIBS) $(call pkg,zlib) $(call pkg,mbedcrypto) -lm

obj      = $(patsubst %.c,$(B)/%.o,$(1))
# Messages by protobuf-c; headers come before any object, as any may include them.
PROTO   := $(sort $(wildcard $(addsuffix /*.proto,$(FOLDERS) sidecar/forward)))
PB_C    := $(PROTO:%.proto=build/gen/%.pb-c.c)
PB_H    := $(PROTO:%.proto=build/gen/%.pb-c.h)
PPROF_PB   := $(B)/gen/profile/pprof.pb-c.o
FORWARD_PB := $(patsubst %.proto,$(B)/gen/%.pb-c.o,$(filter sidecar/%,$(PROTO)))
LIB_SRC := $(filter-out %/main.c,$(sort $(GUARD_SRC) $(SAMPLER_SRC) $(SIDECAR_SRC) $(CLI_SRC)))
NAMES   := pillion pillion-guard pillion-sampler pillion-sidecar
PROGRAMS := $(addprefix $(B)/,$(NAMES))

##@ Build
.PHONY: all install static image image-pack image-twice deps clean help
all: $(PROGRAMS) $(if $(filter release,$(MODE)),$(addprefix build/,$(NAMES)))  ## the four programs, in build/
$(B)/pillion-guard: $(call obj,$(GUARD_SRC))
$(B)/pillion-sampler: $(call obj,$(SAMPLER_SRC)) $(PPROF_PB)
$(B)/pillion-sidecar: $(call obj,$(SIDECAR_SRC)) $(PPROF_PB) $(FORWARD_PB)
$(B)/pillion: $(call obj,$(CLI_SRC)) $(PPROF_PB)
$(PROGRAMS): $(if $(STATIC),tools/static.ld tools/unused.ld)
	$(if $(V),,@echo "link $@")
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $($(@F)_LIBS)
$(addprefix build/,$(NAMES)): build/%: build/release/%
	@ln -sfn release/$* $@
PB_H += build/gen/base/syscall_names.inc
build/gen/base/syscall_names.inc: Makefile
	@mkdir -p $(@D)
	$(Q)echo '#include <asm/unistd.h>' | $(CC) -E -dM - | sed -n 's/^#define __NR_\([a-z][a-z0-9_]*\) .*/{__NR_\1, "\1"},/p' | sort >$@.new && mv $@.new $@
build/gen/%.pb-c.c build/gen/%.pb-c.h: %.proto
	@mkdir -p build/gen
	$(Q)protoc-c --c_out=build/gen $<
$(B)/gen/%.pb-c.o: build/gen/%.pb-c.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "cc   $<")
	$(Q)$(CC) $(ALL_CFLAGS) $(GENERATED_CFLAGS) -c -o $@ $<
$(B)/%.o: %.c Makefile | $(PB_H)
	@mkdir -p $(@D)
	$(if $(V),,@echo "cc   $<")
	$(Q)$(CC) $(ALL_CFLAGS) $(call small,$<) -c -o $@ $<

install: all  ## bin/pillion and libexec/pillion/* below PREFIX (and DESTDIR)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/pillion
	install -m 0755 build/release/pillion $(DESTDIR)$(PREFIX)/bin/
	install -m 0711 $(addprefix build/release/pillion-,guard sampler sidecar) $(DESTDIR)$(PREFIX)/libexec/pillion/ # 0711: who cannot read a program cannot trace it from its first instruction on
static:  ## the same programs without any shared library, in build/static/
	$(MAKE) MODE=static STATIC=1 all
	@tests/binaries.sh build/static
image:  ## a container image from scratch, 6 MiB unpacked at most, and its SBOM: build/image/pillion.oci.tar
	@tools/deps.sh image
	@[ "$$(cat build/static/version 2>/dev/null)" = "$(VERSION)" ] || grep -lr PILLION_VERSION --include='*.c' $(FOLDERS) | sed 's|\(.*\)\.c$$|build/static/\1.o|' | xargs rm -f # what names an older one
	@$(MAKE) --no-print-directory static
	@echo "$(VERSION)" >build/static/version
	@$(MAKE) --no-print-directory STATIC=1 image-pack
IMAGE ?= build/image
image-pack:
	@PYTHONDONTWRITEBYTECODE=1 tools/image.py build/static $(IMAGE) $(filter -l%,$(SIDECAR_LIBS))
image-twice:  ## the image of what is committed, built in two clones: the same bytes
	@tests/image-twice.sh
deps:  ## install what the build needs (Debian 12 and newer; root or sudo)
	@tools/deps.sh
clean:  ## remove build/
	rm -rf build

##@ Use
.PHONY: run
run:  ## build, start the demo target (or take PID= PROCESS= PORT=), serve until Ctrl-C
	@tools/deps.sh $(if $(PID)$(PROCESS)$(PORT),,demo)
	@$(MAKE) --no-print-directory all
	@tools/run.sh $(if $(PID),--pid '$(PID)') $(if $(PROCESS),--process '$(PROCESS)') $(if $(PORT),--port '$(PORT)')

##@ Test
.PHONY: test run-tests go-targets unit e2e test-go-versions go-versions-run test-kills test-stops test-k8s tools
UNIT_SRC := $(sort $(wildcard tests/unit/*_test.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))
E2E      := $(sort $(wildcard tests/e2e/[0-9]*.sh))
CORES    := $(shell nproc)
SUITE_DEADLINE ?= 65
# everything that is no program's main, once, for the tests to link with
ALL_LIB := $(B)/libpillion-all.a
$(ALL_LIB): $(call obj,$(LIB_SRC)) $(PPROF_PB) $(FORWARD_PB)
	@rm -f $@
	$(Q)ar qcs $@ $^
TEST_HELPERS := $(sort $(wildcard tests/unit/helper_*.c))
$(B)/unit/%: $(B)/tests/unit/%.o $(patsubst %.c,$(B)/%.o,$(TEST_HELPERS)) $(ALL_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "link $@")
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(ALL_LIB) $(SIDECAR_LIBS) -lcmocka
# small programs for the end-to-end tests that look into the libraries
TOOL_BIN := $(patsubst tests/tools/%.c,$(B)/tools/%,$(sort $(wildcard tests/tools/*.c)))
$(B)/tools/%: $(B)/tests/tools/%.o $(ALL_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "link $@")
	$(Q)$(LINK) -o $@ $< $(ALL_LIB) $(SIDECAR_LIBS)
tools: $(TOOL_BIN)
test:  ## everything: set-up, build under ASan+UBSan, unit, end-to-end and short fuzzing
	@tools/deps.sh test
	@$(MAKE) --no-print-directory -j$(CORES) MODE=release all
	@export SUITE_DEADLINE=$(SUITE_DEADLINE) SUITE_BEGAN=$${SUITE_BEGAN:-$$EPOCHSECONDS}; \
	  $(MAKE) --no-print-directory -j$(CORES) MODE=asan run-tests
run-tests: go-targets all $(UNIT_BIN) $(TOOL_BIN)
	@tests/run.sh $(B) $(UNIT_BIN) $(E2E) $(if $(NO_FUZZ),,tests/fuzz/short.sh)
go-targets:
	@tests/targets/prebuild.sh
unit:  ## the unit tests alone (ASan+UBSan)
	@$(MAKE) --no-print-directory -j$(CORES) MODE=asan unit-run
unit-run: $(UNIT_BIN)
	@tests/run.sh $(B) $(UNIT_BIN)
e2e:  ## the end-to-end tests alone; T=tests/e2e/10-x.sh for one
	@$(MAKE) --no-print-directory -j$(CORES) MODE=release all
	@$(MAKE) --no-print-directory -j$(CORES) MODE=asan all tools
	@tests/run.sh build/asan $(or $(T),$(E2E))

# by default: the oldest, one between, the newest
GO_VERSION_TESTS := goroutines_test buckets_test go_stats_test go_locate_test go_arm64_test go_image_test go_labels_test go_unknown_test
test-go-versions:  ## every Go release built in every way; GO_VERSIONS="1.20.14 1.26.8" for some
	@tools/deps.sh test
	@$(MAKE) --no-print-directory -j$(CORES) MODE=asan go-versions-run
go-versions-run: $(addprefix $(B)/unit/,$(GO_VERSION_TESTS))
	@GO_VERSIONS="$(or $(GO_VERSIONS),all)" JOBS=1 TEST_TIMEOUT=7200 tests/run.sh $(B) $^
STATIC_TESTS := 10-cli 30-http-auth 34-endpoint-life 36-credentials 37-doors 38-smuggling 40-record 53-lifecycle 55-crash \
                56-secrets 59-border 59-static 60-runtime-http 65-history 68-connect 69-clouds
test-static:  ## the programs of the image in end-to-end tests: they live in their sandbox, and it is the same
	@tools/deps.sh test
	@$(MAKE) --no-print-directory MODE=release all
	@$(MAKE) --no-print-directory static
	@tests/run.sh build/static $(patsubst %,tests/e2e/%.sh,$(STATIC_TESTS))
test-kills:  ## 1,000 rounds (RUNS=) of kill -9 while profiles are collected and sent: none is lost
	@$(MAKE) --no-print-directory MODE=release all
	@RUNS=$(or $(RUNS),1000) TEST_TIMEOUT=14400 tests/run.sh build/release tests/e2e/68-kill.sh
test-k8s:  ## k8s/ by helm, kustomize, promtool, the API's schemas and its admission code (fetches them)
	@$(MAKE) --no-print-directory MODE=release all tools
	@tests/k8s/run.sh
test-stops:  ## 500 rounds (RUNS=) of kill -9 while threads are stopped for samples: the target runs on
	@$(MAKE) --no-print-directory MODE=release all tools
	@RUNS=$(or $(RUNS),500) TEST_TIMEOUT=14400 tests/run.sh build/release tests/e2e/76-stops-kill.sh

##@ Look after
.PHONY: bench attack fuzz fuzz-build lint borders headers analyze format gates
bench: deps all tools image  ## ratios against perf record and the target's own profiler (prints a table)
	@tests/bench/bench.sh
attack: all  ## attack tools that are installed, against the expected findings; soak: tests/attack/soak.sh
	@PILLION_BUILD=build/release tests/attack/run.sh
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CC  ?= clang-14
FUZZ_BIN := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(FUZZ_SRC))
FUZZ_CFLAGS := $(BASE_CFLAGS) -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
build/fuzz/obj/%.o: %.c Makefile | $(PB_H)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<
build/fuzz/libpillion-all.a: $(patsubst %.c,build/fuzz/obj/%.o,$(LIB_SRC)) $(PB_C:%.c=build/fuzz/obj/%.o)
	@rm -f $@
	$(Q)ar qcs $@ $^
build/fuzz/fuzz_%: build/fuzz/obj/tests/fuzz/fuzz_%.o build/fuzz/libpillion-all.a
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(SIDECAR_LIBS)
fuzz-build: $(FUZZ_BIN)
fuzz: fuzz-build  ## every fuzz target for SECONDS (default 60) each; ONE=fuzz_elf for one
	@tests/fuzz/run.sh $(or $(SECONDS),60) $(if $(ONE),build/fuzz/$(ONE),$(FUZZ_BIN))
imports = nm -u $(2) 2>/dev/null | awk 'NF==2{sub(/@.*/,"",$$2);print $$2}' | grep -xE '$(subst $() ,|,$(strip $(1)))'
borders:  ## what each program links, includes and is built as is what design.md allows
	@$(MAKE) --no-print-directory MODE=release all >/dev/null
	@! $(call imports,$(GUARD_FORBIDS),-D build/release/pillion-guard) || { echo "^ imported by the guard"; exit 1; }
	@! $(call imports,$(SAMPLER_FORBIDS),-D build/release/pillion-sampler) || { echo "^ imported by the sampler"; exit 1; }
	@! $(call imports,$(SIDECAR_FORBIDS),$(patsubst %.c,build/release/%.o,$(call src,sidecar auth config))) || { echo "^ used by the sidecar's own objects"; exit 1; }
	@! $(call imports,syscall,$(patsubst %.c,build/release/%.o,$(call src,sidecar auth config sampler profile wire cli))) || { echo "^ syscall() belongs into base/ and guard/"; exit 1; }
	@! $(call imports,process_vm_writev,$(patsubst %.c,build/release/%.o,$(filter-out guard/target.c,$(LIB_SRC)))) || { echo "^ what writes into the target is guard/target.c alone"; exit 1; }
	@tests/borders.sh '$(ALLOW)' build/release
	@tests/binaries.sh build/release
headers: $(PB_H)  ## every header compiles alone, twice
	@for h in $$(find $(FOLDERS) -name '*.h' | sort); do \
	  printf '#include "%s"\n#include "%s"\n' $$h $$h | $(CC) $(BASE_CFLAGS) $(WARN) -fsyntax-only -x c - || exit 1; done; echo headers ok
analyze: $(PB_H)  ## gcc -fanalyzer at -O0 (GCC 12 folds leaks away above that)
	@for f in $(LIB_SRC); do $(CC) $(BASE_CFLAGS) $(WARN) -Werror -O0 -fanalyzer -c -o /dev/null $$f || exit 1; done; echo analyze ok
CLANG_FORMAT ?= clang-format-14
CLANG_TIDY   ?= clang-tidy-14
C_FILES = $(shell find $(FOLDERS) tests -name '*.[ch]' -not -path '*/bin/*' | sort)
build/tidy/compile_flags.txt: Makefile
	@mkdir -p $(@D)
	@printf '%s\n' -std=gnu11 -D_GNU_SOURCE -I$(CURDIR) -I$(CURDIR)/build/gen '-DPILLION_VERSION="lint"' -include $(CURDIR)/base/banned.h >$@
lint: headers build/tidy/compile_flags.txt  ## format, cppcheck, clang-tidy, shellcheck
	@tools/deps.sh test
	@$(CLANG_FORMAT) --dry-run -Werror $(C_FILES) && echo format ok
	@cppcheck -q --std=c11 --enable=warning,performance,portability --inline-suppr --suppressions-list=tools/cppcheck.txt --error-exitcode=1 -j2 -I. -Ibuild/gen $(FOLDERS) && echo cppcheck ok
	@printf '%s\n' $(LIB_SRC) | xargs -P2 -n8 $(CLANG_TIDY) --quiet -p build/tidy 2>/dev/null && echo clang-tidy ok
	@shellcheck -x -S warning $$(git ls-files '*.sh' .ci/run) && echo shellcheck ok
format:  ## clang-format in place
	@$(CLANG_FORMAT) -i $(C_FILES)
gates: test lint borders analyze  ## all of it

help:  ## this list
	@awk -F':.*## ' '/^##@/{printf "\n%s\n",substr($$0,5)} /^[a-z-]+:.*## /{printf "  make %-10s %s\n",$$1,$$2}' $(firstword $(MAKEFILE_LIST))

-include $(shell find build -name '*.d' 2>/dev/null)
