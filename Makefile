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

SRC   := $(filter-out src/main.c,$(wildcard src/*/*.c))
OBJ   := $(SRC:src/%.c=$(OUT)/%.o)
TESTS := $(patsubst tests/unit/%.c,$(OUT)/%,$(wildcard tests/unit/test_*.c))
Q     := $(if $(V),,@)
say    = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))

all: build/crelease ## build the program: build/crelease (BUILD=release|debug|asan|cov)

build/crelease: $(OUT)/crelease
	$(Q)ln -sf $(BUILD)/crelease $@

$(OUT)/crelease: $(OUT)/main.o $(OUT)/libcrelease.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK_$(BUILD)) $(LDFLAGS) $^ $(DEP_LIBS) -o $@

$(OUT)/libcrelease.a: $(OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(OUT)/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# The scripts and recipes that are built in (.incbin): the compiler does not see these dependencies.
$(OUT)/stages/scripts.o: $(wildcard src/stages/*.sh)
$(OUT)/core/recipes.o: $(wildcard recipes/*.yml)

$(OUT)/test_%: tests/unit/test_%.c $(OUT)/libcrelease.a
	$(call say,TEST,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit $< $(OUT)/libcrelease.a $(LINK_$(BUILD)) $(DEP_LIBS) -lcmocka -o $@

check: $(TESTS) ## build and run the unit tests
	$(Q)for t in $(TESTS); do $$t || exit 1; done

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 14

.PHONY: all check clean help
-include $(OBJ:.o=.d) $(OUT)/main.d
