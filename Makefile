# crelease -- plain GNU make.  `make help` lists the targets.
CC         ?= cc
PKG_CONFIG ?= pkg-config
PREFIX     ?= /usr/local
BUILD      ?= release
VERSION    := 0.1.0
DEPS       := libssh2 yaml-0.1 libgit2 libuv jansson libarchive libcrypto
OUT        := build/$(BUILD)
comma      := ,

# Keeps a flag only where this compiler or linker takes it.
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
LINK_release  := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed
LINK_debug    :=
LINK_asan     := -fsanitize=address,undefined
LINK_cov      := --coverage

DEP_CFLAGS = $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(DEPS)))
DEP_LIBS   = $(shell $(PKG_CONFIG) --libs $(DEPS))
ALL_CFLAGS = -std=c17 -D_DEFAULT_SOURCE -D_XOPEN_SOURCE=700 -DCRELEASE_VERSION='"$(VERSION)"' -Isrc \
             $(DEP_CFLAGS) $(WARN) $(FLAGS_$(BUILD)) $(CFLAGS)

SRC   := $(wildcard src/*/*.c src/*/*/*.c)
OBJ   := $(SRC:src/%.c=$(OUT)/%.o)
TOOLS := $(patsubst tests/crash/%.c,build/tools/%,$(wildcard tests/crash/*.c))
TESTS := $(patsubst tests/unit/%.c,$(OUT)/%,$(wildcard tests/unit/test_*.c))
SCRIPTS   := $(wildcard .ci/run tests/run tests/fresh tests/recorded/record tests/*/*.sh tests/demo/run tests/bench/run tests/crash/run tests/app/bin/* tests/apps/*/bin/*)
FORMATTED := $(wildcard src/*.c src/*/*.[ch] src/*/*/*.[ch] tests/unit/*.[ch] tests/fake/*.[ch] tests/fuzz/*.[ch] tests/crash/*.c)
Q     := $(if $(V),,@)
say    = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))

NEED  := sh tests/lib/need.sh

all: build/crelease ## build the program: build/crelease (BUILD=release|debug|asan|cov)

# Phony, since the link may show to another variant.
build/crelease: $(OUT)/crelease
	$(Q)ln -sf $(BUILD)/crelease $@

# Before the first compilation: the packages it needs.  pkg-config is asked in recipes only, that
# is, after this.
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

$(OUT)/recipe/presets.o: $(wildcard recipes/*.yml)

$(OUT)/test_%: tests/unit/test_%.c $(OUT)/libcrelease.a | build/need-test
	$(call say,TEST,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit $< $(OUT)/libcrelease.a $(LINK_$(BUILD)) $(DEP_LIBS) -lcmocka -o $@

# What the crash matrix uses: programs of one file each, for this machine only.
build/tools/%: tests/crash/%.c | build/need-build
	@mkdir -p $(@D)
	$(call say,TOOL,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(LINK_$(BUILD)) $< -o $@

check: $(TESTS) ## build and run the unit tests
	$(Q)for t in $(TESTS); do $$t || exit 1; done

test: build/crelease $(TESTS) $(TOOLS) | build/need-test ## every test; the last line is "N passed, N failed"; ONLY="test_plan locks" for some
	@$(NEED) servers
	@tests/run $(ONLY)

crash: build/crelease $(TOOLS) | build/need-test ## recovery, N cases: N=300 SEED=7 KINDS='kill power' CASE=12
	@$(NEED) servers
	@tests/crash/run "$(or $(N),100)" "$(SEED)" "$(KINDS)"

demo: build/crelease | build/need-test ## a deploy that meets a backup, on this machine, in two minutes
	@$(NEED) servers
	@tests/demo/run

bench: build/crelease | build/need-test ## what is measured, beside Capistrano: BENCH="stall estimate" (tests/bench/run)
	@$(NEED) servers
	@tests/bench/run $(BENCH)

# --- checks ---

# A stage's values come as assignments in front of it, and its `fail` does not return.
lint: | build/need-test ## shellcheck over every script
	$(Q)shellcheck -x $(SCRIPTS)
	$(Q)shellcheck -s sh -e SC2154,SC2034,SC2015 $(wildcard src/*/*.sh src/*/*/*.sh)

layers: ## a file includes only from its own folder and from those to the left of it
	$(Q)sh tests/lib/layers.sh

headers: | build/need-build ## every header compiles alone
	$(Q)for h in $(wildcard src/*/*.h src/*/*/*.h); do \
	    echo "#include \"$${h#src/}\"" | $(CC) $(ALL_CFLAGS) -Wno-unused -Wno-pedantic -Werror -fsyntax-only -x c - || exit 1; done

hardening: build/crelease ## read from the program that it was built as it should be
	$(Q)sh tests/lib/hardening.sh $(OUT)/crelease

analyze: | build/need-build ## gcc -fanalyzer over every source
	$(Q)for c in $(SRC) src/main.c; do $(CC) $(ALL_CFLAGS) -fanalyzer -Werror -c $$c -o /dev/null || exit 1; done

# What the libraries lose is known; tests/lib/rig.sh says the same.
export LSAN_OPTIONS ?= suppressions='$(CURDIR)/tests/lib/leaks.supp':print_suppressions=0

asan: ## the unit tests under AddressSanitizer and UBSan
	$(Q)$(MAKE) BUILD=asan check

format: ## let clang-format write the sources
	clang-format -i $(FORMATTED)

format-check: ## would clang-format change a source?
	clang-format --dry-run -Werror $(FORMATTED)

ci: layers headers lint hardening asan analyze test ## all that a reviewer would run

# --- installation ---

install: build/crelease ## install into $(DESTDIR)$(PREFIX)
	install -D -m 755 $(OUT)/crelease '$(DESTDIR)$(PREFIX)/bin/crelease'
	@install -d '$(DESTDIR)$(PREFIX)/share/crelease' '$(DESTDIR)$(PREFIX)/share/doc/crelease'
	cp -R $(wildcard config recipes) '$(DESTDIR)$(PREFIX)/share/crelease'
	chmod -R u=rwX,go=rX '$(DESTDIR)$(PREFIX)/share/crelease'
	install -m 644 $(wildcard README.md LICENSE) '$(DESTDIR)$(PREFIX)/share/doc/crelease'

uninstall: ## remove what install put there
	rm -f '$(DESTDIR)$(PREFIX)/bin/crelease'
	rm -rf '$(DESTDIR)$(PREFIX)/share/crelease' '$(DESTDIR)$(PREFIX)/share/doc/crelease'

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 14

.PHONY: all build/crelease check test crash demo bench lint layers headers hardening analyze asan format \
        format-check ci install uninstall clean help
.DELETE_ON_ERROR:
.SECONDARY:
-include $(OBJ:.o=.d) $(OUT)/main.d
