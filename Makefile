# crelease: one plain GNU makefile. `make help` lists the targets.
CC         ?= cc
PKG_CONFIG ?= pkg-config
PREFIX     ?= /usr/local
BUILD      ?= release
VERSION    := $(shell sed -n 's/.*CRELEASE_VERSION "\(.*\)"/\1/p' src/base/version.h)
DEPS       := libssh2 yaml-0.1 libgit2 libuv jansson libcrypto zlib libzstd
OUT        := build/$(BUILD)
comma      := ,

# A flag, if this compiler accepts it, else nothing.
cc-takes = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo '$(1)')

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wcast-qual -Wformat=2 -Wundef -Wvla \
        -Wwrite-strings -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
        -Wimplicit-fallthrough $(call cc-takes,-Wlogical-op) $(call cc-takes,-Wduplicated-cond) \
        $(call cc-takes,-Wduplicated-branches)
HARD := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fPIE -fstack-protector-strong \
        -fstack-clash-protection $(call cc-takes,-fcf-protection=full) \
        $(call cc-takes,-ftrivial-auto-var-init=zero)

FLAGS_release := -O2 -g $(HARD)
FLAGS_debug   := -O0 -g3 -Werror
FLAGS_asan    := -O1 -g -Werror -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_cov     := -O0 -g --coverage
FLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_static  := $(FLAGS_release) -DCRELEASE_STATIC
LINK_release  := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed
LINK_debug    :=
LINK_asan     := -fsanitize=address,undefined
LINK_cov      := --coverage
LINK_fuzz     := -fsanitize=fuzzer,address,undefined
# glibc warns about each function that may load a module of its own at run time (getaddrinfo, getpwuid).
LINK_static   := $(patsubst -pie,-static-pie,$(LINK_release)) -Wl,--no-warnings

DEP_CFLAGS = $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(DEPS) libcurl))
ifeq ($(BUILD),static)
# The archive once more, for what libgit2 needs of git/gss_none.c.
DEP_LIBS   = $(shell $(PKG_CONFIG) --static --libs $(DEPS:libuv=libuv-static)) $(OUT)/libcrelease.a
else
DEP_LIBS   = $(shell $(PKG_CONFIG) --libs $(DEPS))
endif
ALL_CFLAGS = -std=c17 -D_DEFAULT_SOURCE -D_XOPEN_SOURCE=700 -Isrc \
             $(DEP_CFLAGS) $(WARN) $(FLAGS_$(BUILD)) $(CFLAGS)

SRC   := $(wildcard src/*/*.c src/*/*/*.c)
OBJ   := $(SRC:src/%.c=$(OUT)/%.o)
TOOLS := $(patsubst tests/crash/%.c,build/tools/%,$(wildcard tests/crash/*.c))
TESTS := $(patsubst tests/unit/%.c,$(OUT)/%,$(wildcard tests/unit/test_*.c))
SCRIPTS   := $(wildcard .ci/run .ci/dist .ci/deb .ci/deb-test .ci/reproducible .ci/debian/tests/deploy tests/run tests/fresh tests/recorded/record tests/*/*.sh tests/demo/run tests/bench/run tests/crash/run tests/fault/run tests/fuzz/run tests/app/bin/* tests/apps/*/bin/*)
FORMATTED := $(wildcard src/*.c src/*/*.[ch] src/*/*/*.[ch] tests/unit/*.[ch] tests/fake/*.[ch] tests/fuzz/*.[ch] tests/crash/*.c)
MANUALS   := src/cli/crelease.1 src/recipe/crelease-recipe.5
Q     := $(if $(V),,@)
say    = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))

NEED  := sh tests/lib/need.sh

all: build/crelease ## build the program, build/crelease (BUILD=release|debug|asan|cov|static)

# Phony, because the link may point to another variant.
build/crelease: $(OUT)/crelease
	$(Q)ln -sf $(BUILD)/crelease $@

static: ## build build/static/crelease, which needs no shared library; 'crelease --version -v' lists what it lacks
	$(Q)$(MAKE) BUILD=static build/static/crelease

# Installs the packages that a target needs, before anything is compiled. pkg-config is called in
# recipes only, that is, after this.
build/need-%: tests/lib/need.sh
	$(Q)$(NEED) $*
	@mkdir -p $(@D) && touch $@

$(OUT)/crelease: $(OUT)/main.o $(OUT)/libcrelease.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK_$(BUILD)) $(LDFLAGS) $^ $(DEP_LIBS) -o $@

$(OUT)/libcrelease.a: $(OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# The compiler does not see which files EMBED builds in (base/embed.h).
$(OUT)/%.o: src/%.c | build/need-build
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@
	@sed -n 's|^EMBED(.*"\(.*\)");|$@: src/\1\nsrc/\1:|p' $< >>$(@:.o=.d)

$(OUT)/recipe/presets.o: $(wildcard recipes/*/*.yml)

$(OUT)/test_%: tests/unit/test_%.c $(OUT)/libcrelease.a | build/need-test
	$(call say,TEST,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -Itests/unit $< $(OUT)/libcrelease.a $(LINK_$(BUILD)) $(DEP_LIBS) -lcmocka -o $@

# All targets of the fuzzer in one program, with hosts that answer with the input (tests/fuzz/fleet.c). With BUILD=fuzz,
# libFuzzer has the main function.
FUZZ_C    := $(filter-out $(if $(filter fuzz,$(BUILD)),%/plain.c),$(wildcard tests/fuzz/*.c))
FUZZ_WRAP := $(patsubst __wrap_%,-Wl$(comma)--wrap=%,$(shell grep -o '__wrap_[a-z_]*' tests/fuzz/fleet.c | sort -u))

$(OUT)/fuzz: $(FUZZ_C) $(wildcard tests/fuzz/*.h) $(OUT)/libcrelease.a
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/fuzz $(FUZZ_C) $(OUT)/libcrelease.a $(LINK_$(BUILD)) $(FUZZ_WRAP) $(DEP_LIBS) -o $@

corpus: $(OUT)/fuzz | build/need-test ## run the targets of the fuzzer on their first inputs, tests/fuzz/seeds
	$(Q)tests/lib/environment.sh $(OUT)/fuzz tests/fuzz/seeds >$(OUT)/fuzz.log 2>&1 || { cat $(OUT)/fuzz.log; exit 1; }
	$(Q)tests/lib/environment.sh tests/fuzz/scripts 1 >>$(OUT)/fuzz.log

fuzz: | build/need-build build/need-fuzz ## fuzz each target for T seconds, two at a time, with clang: T=600 ONLY="recipe site"
	$(Q)$(MAKE) --no-print-directory BUILD=fuzz CC=clang build/fuzz/fuzz
	$(Q)tests/fuzz/run "$(or $(T),60)" $(ONLY)
	$(Q)$(if $(ONLY),,tests/fuzz/scripts "$(or $(T),60)" "$$$$")

# Helpers of the crash tests: one program for each file, for this machine only.
build/tools/%: tests/crash/%.c | build/need-build
	@mkdir -p $(@D)
	$(call say,TOOL,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(LINK_$(BUILD)) $< -o $@

unit: $(TESTS:$(OUT)/%=unit/%) ## the unit tests and the golden files

# One that fails prints what it said; BUILD=asan unit runs them under the sanitizers.
unit/%: $(OUT)/%
	$(Q)tests/lib/environment.sh $< >$<.log 2>&1 || { cat $<.log; exit 1; }

# The choice of them that meets every step; tests/fault/run has more.
fault: build/crelease ## every step of a deploy and a rollback fails, or crelease is killed there
	$(Q)tests/fault/run short >build/fault.log 2>&1 || { grep -v '^ok' build/fault.log; exit 1; }

faults: build/crelease ## each call of the C library fails once in crelease, at N=24 places each
	$(Q)POINTS=$(or $(N),24) tests/fault/run $$(POINTS=$(or $(N),24) tests/fault/run -l | grep '^calls_')

soak: build/crelease ## N=500 deploys in a row with random faults; what they leave must not grow: N=500 SEED=7
	$(Q)rm -f build/soak; tests/fault/run soak "$(or $(N),500)" "$(or $(SEED),1)" && cat build/soak

# Runs its rules side by side, also when make was started without -j.
beside = $(MAKE) $(if $(V),--no-print-directory,-s) $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

check: ## the tests that need no server, in a minute: unit tests, golden files, faults, inputs of the fuzzer
	$(Q)+$(beside) unit fault corpus

test: | build/need-test ## run the tests, or those named in ONLY="test_plan locks"; the last line is "N passed, N failed"
	$(Q)+$(beside) build/crelease $(TESTS) $(TOOLS) $(OUT)/fuzz
	@$(NEED) servers
	@tests/run $(ONLY)

test-all: | build/need-test ## run also the cases that vary others and take long: before a release
	$(Q)+$(beside) build/crelease $(TESTS) $(TOOLS) $(OUT)/fuzz
	@$(NEED) servers
	@tests/run -a $(ONLY)

crash: build/crelease $(TOOLS) | build/need-test ## run N random crash and recovery cases: N=300 SEED=7 KINDS='kill power' CASE=12
	@$(NEED) servers
	@tests/crash/run "$(or $(N),100)" "$(SEED)" "$(KINDS)"

demo: | build/need-test ## show a deploy that is held up by a backup, on this machine, in two minutes
	$(Q)+$(beside) build/crelease
	@$(NEED) servers
	@tests/demo/run

bench: build/crelease | build/need-test ## run the benchmarks, beside Capistrano: BENCH="stall estimate" for some (tests/bench/run)
	@$(NEED) servers
	@tests/bench/run $(BENCH)

# --- checks ---

# The values of a stage's script are assigned in front of it, and `fail` does not return.
lint: | build/need-test ## run shellcheck on every script and mandoc on the manuals
	$(Q)shellcheck -x $(filter-out tests/system/%,$(SCRIPTS))
	@# What they get from tests/lib/rig.sh is unknown here: to read that file again for each takes two minutes.
	$(Q)shellcheck -e SC1091,SC2034,SC2153,SC2154,SC2164 $(filter tests/system/%,$(SCRIPTS))
	$(Q)shellcheck -s sh -e SC2154,SC2034,SC2015 $(wildcard src/*/*.sh src/*/*/*.sh)
	$(Q)! mandoc -T lint $(MANUALS) 2>&1 | grep -v -e 'referenced manual not found' -e 'outdated mandoc.db'

manual: build/crelease | build/need-test ## compare the manuals and the examples in the documents with the program
	$(Q)sh tests/lib/manual.sh build/crelease

layers: ## check that each folder includes only from itself and from those before it
	$(Q)sh tests/lib/layers.sh

headers: | build/need-build ## check that every header compiles on its own, and beside any other
	$(Q)twice=$$(grep -hE '^#ifndef CRELEASE_' $(wildcard src/*/*.h src/*/*/*.h) | sort | uniq -d); \
	    if [ -n "$$twice" ]; then echo "two headers begin with: $$twice"; exit 1; fi
	$(Q)for h in $(wildcard src/*/*.h src/*/*/*.h); do \
	    echo "#include \"$${h#src/}\"" | $(CC) $(ALL_CFLAGS) -Wno-unused -Wno-pedantic -Werror -fsyntax-only -x c - || exit 1; done

hardening: build/crelease ## check the hardening of the program that was built
	$(Q)sh tests/lib/hardening.sh $(OUT)/crelease

analyze: | build/need-build ## run gcc -fanalyzer on every source
	$(Q)for c in $(SRC) src/main.c; do $(CC) $(ALL_CFLAGS) -fanalyzer -Werror -c $$c -o /dev/null || exit 1; done

# Known leaks of the libraries; tests/lib/rig.sh sets the same.
export LSAN_OPTIONS ?= suppressions='$(CURDIR)/tests/lib/leaks.supp':print_suppressions=0

asan: ## run the unit tests and the fuzzer's first inputs under AddressSanitizer and UBSan
	$(Q)$(MAKE) BUILD=asan unit corpus

format: | build/need-format ## format the sources with clang-format
	clang-format -i $(FORMATTED)

format-check: | build/need-format ## check that clang-format would change nothing
	clang-format --dry-run -Werror $(FORMATTED)

ci: format-check layers headers lint hardening manual asan analyze test ## run everything that a reviewer would run

# --- installation ---

install: build/crelease ## install to $(DESTDIR)$(PREFIX)
	install -D -m 755 $(OUT)/crelease '$(DESTDIR)$(PREFIX)/bin/crelease'
	@install -d '$(DESTDIR)$(PREFIX)/share/crelease' '$(DESTDIR)$(PREFIX)/share/doc/crelease'
	cp -R $(wildcard config recipes) '$(DESTDIR)$(PREFIX)/share/crelease'
	chmod -R u=rwX,go=rX '$(DESTDIR)$(PREFIX)/share/crelease'
	sed -i 's|/usr/local/bin|$(PREFIX)/bin|' '$(DESTDIR)$(PREFIX)/share/crelease/config/crelease-resume@.service' \
	    '$(DESTDIR)$(PREFIX)/share/crelease/config/crontab.example'
	install -m 644 $(wildcard README.md LICENSE) '$(DESTDIR)$(PREFIX)/share/doc/crelease'
	install -D -m 644 src/cli/crelease.1 '$(DESTDIR)$(PREFIX)/share/man/man1/crelease.1'
	install -D -m 644 src/recipe/crelease-recipe.5 '$(DESTDIR)$(PREFIX)/share/man/man5/crelease-recipe.5'
	sed -i 's|/usr/local/share/|$(PREFIX)/share/|' '$(DESTDIR)$(PREFIX)/share/man/man1/crelease.1' '$(DESTDIR)$(PREFIX)/share/man/man5/crelease-recipe.5'
	install -D -m 644 src/cli/completion/crelease.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/crelease'
	install -D -m 644 src/cli/completion/crelease.zsh '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_crelease'
	install -D -m 644 src/cli/completion/crelease.fish '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/crelease.fish'

uninstall: ## remove what `make install` installed
	rm -f '$(DESTDIR)$(PREFIX)/bin/crelease' '$(DESTDIR)$(PREFIX)/share/man/man1/crelease.1' \
	    '$(DESTDIR)$(PREFIX)/share/man/man5/crelease-recipe.5' \
	    '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/crelease' \
	    '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_crelease' \
	    '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/crelease.fish'
	rm -rf '$(DESTDIR)$(PREFIX)/share/crelease' '$(DESTDIR)$(PREFIX)/share/doc/crelease'

dist: | build/need-build ## make build/dist: an archive of the sources, what they are linked with, checksums
	$(Q).ci/dist '$(VERSION)' $(DEPS)

deb: dist | build/need-deb ## make build/deb: a Debian package, checked with lintian
	$(Q).ci/deb '$(VERSION)'

deb-test: deb | build/need-deb-test ## install that package here and run its test: on a machine to throw away
	$(Q).ci/deb-test

clean: ## remove everything that was built
	rm -rf build

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 14

.PHONY: all static build/crelease check unit fault faults soak corpus fuzz test test-all crash demo bench lint manual layers headers hardening analyze asan format \
        format-check ci install uninstall dist deb deb-test clean help
.DELETE_ON_ERROR:
.SECONDARY:
-include $(OBJ:.o=.d) $(OUT)/main.d
